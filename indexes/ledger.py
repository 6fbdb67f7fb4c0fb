"""The truth of a local collection: one SQLite file, its schema, its transactions and its failures.

WAL mode with synchronous=FULL: when a transaction has been left, it is on disk. Every change takes
the next number of one sequence, so that the number names a state of the whole file, and no number
is ever used again: an item's number is its key in the indexes.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from indexes.errors import CollectionNotFound, StorageError
from indexes.ranking import Background, Moments, Pair

VERSION = 1
"""Of the schema. A file of a newer one is refused, of an older one migrated."""

_APPLICATION = 0x4B494E44  # "KIND", so that no other program's database is taken for ours

# Vectors and media lie apart from the columns that filters and listings scan. A page of 8 kB holds
# five vectors of 384 numbers; one of 4 kB would hold two and waste a quarter.
_SCHEMA = f"""
PRAGMA page_size = 8192;
PRAGMA application_id = {_APPLICATION};
PRAGMA user_version = {VERSION};
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE item (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    modality TEXT NOT NULL,
    created INTEGER NOT NULL,
    mime TEXT,
    metadata TEXT NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE vector (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE content (seq INTEGER PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL);
COMMIT;
"""

_WAL_LIMIT = 32 * 2**20
"""Bytes of write-ahead log after which it is written back into the database."""

_MEANINGS: Mapping[int, str] = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_CORRUPT: "the database is damaged",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PERM: "access to the file is denied",
    sqlite3.SQLITE_IOERR: "reading or writing the disk failed",
    sqlite3.SQLITE_BUSY: "another process holds the database",
    sqlite3.SQLITE_LOCKED: "another process holds the database",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a collection is, fixed when it is created.

    Attributes:
        backgrounds: The model's prior for the calibrated ranking.
    """

    space_id: str
    dim: int
    model: str
    created: datetime
    backgrounds: Mapping[Pair, Background] = field(default_factory=dict)


class Ledger:
    """One SQLite file: one writer at a time, and readers that each see one unchanging state."""

    def __init__(self, path: Path) -> None:
        """Opens the file.

        Raises:
            StorageError: If it cannot be opened, is damaged, or is from a newer version.
        """
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self.closed = False
        self._writer = self._connect()
        try:
            with _failures(path):
                _check_version(self._writer, path)
        except StorageError:
            self._writer.close()
            raise

    @classmethod
    def create(cls, path: Path, facts: Facts) -> None:
        """Writes a new file with nothing but the facts in it.

        Raises:
            StorageError: If it cannot be written.
        """
        rows = {
            "sequence": 0,
            "space_id": facts.space_id,
            "dim": facts.dim,
            "model": facts.model,
            "created": facts.created.isoformat(),
            "backgrounds": _pairs_to_json(facts.backgrounds),
            "moments": _pairs_to_json({}),
        }
        with _failures(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.executescript(_SCHEMA)
            connection.executemany("INSERT INTO state VALUES (?, ?)", rows.items())

    def facts(self) -> Facts:
        """Returns what the collection is."""
        with self.read() as connection:
            state = dict(connection.execute("SELECT name, value FROM state"))
        pairs = json.loads(state["backgrounds"])
        return Facts(
            space_id=state["space_id"],
            dim=state["dim"],
            model=state["model"],
            created=datetime.fromisoformat(state["created"]),
            backgrounds={(query, item): Background(*pair) for query, item, *pair in pairs},
        )

    def moments(self) -> Mapping[Pair, Moments]:
        """Returns the stored observations of the calibrated ranking."""
        with self.read() as connection:
            pairs = json.loads(_state(connection, "moments"))
        return {(query, item): Moments(*values) for query, item, *values in pairs}

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection that from its first query on sees one unchanging state.

        Raises:
            CollectionNotFound: If the ledger is closed.
            StorageError: If reading fails.
        """
        connection = self._borrow()
        try:
            with _failures(self.path):
                connection.execute("BEGIN")
                yield connection
        finally:
            self._give_back(connection)

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Lends the writing connection for one transaction: left normally, it is on disk.

        Left by an exception, nothing of it has happened. The caller lets one thread in at a time.

        Raises:
            CollectionNotFound: If the ledger is closed.
            StorageError: If writing fails; then nothing of it has happened.
        """
        if self.closed:
            raise CollectionNotFound(f"collection {self.path.parent.name!r} is closed")
        with _failures(self.path):
            self._write_back()
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                self._writer.execute("COMMIT")
            finally:
                if self._writer.in_transaction:
                    self._writer.execute("ROLLBACK")

    def size_bytes(self) -> int:
        """Returns what the database and its log take on disk."""
        return sum(file.stat().st_size for file in self.path.parent.glob(self.path.name + "*"))

    def close(self) -> None:
        """Closes the file. Readers that are under way finish first and close what they hold."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
        for connection in [*idle, self._writer]:
            connection.close()

    def _write_back(self) -> None:
        """Writes the log into the database when it has grown long, waiting for searches to end.

        SQLite would do so by itself only at a moment without any reader, which may never come.
        """
        log = self.path.with_name(self.path.name + "-wal")
        if log.exists() and log.stat().st_size > _WAL_LIMIT:
            self._writer.execute("PRAGMA wal_checkpoint(RESTART)")

    def _borrow(self) -> sqlite3.Connection:
        with self._lock:
            if self.closed:
                raise CollectionNotFound(f"collection {self.path.parent.name!r} is closed")
            if self._idle:
                return self._idle.pop()
        connection = self._connect()
        connection.execute("PRAGMA query_only = 1")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        with self._lock:
            if not self.closed:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self) -> sqlite3.Connection:
        with _failures(self.path):
            connection = sqlite3.connect(
                f"{self.path.absolute().as_uri()}?mode=rw",
                uri=True,
                isolation_level=None,
                check_same_thread=False,
            )
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = 1")  # macOS: past the cache of the drive
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            connection.execute("PRAGMA cache_size = -8192")
        return connection


def sequence(connection: sqlite3.Connection) -> int:
    """Returns the number of the last change."""
    return int(_state(connection, "sequence"))


def write_sequence(connection: sqlite3.Connection, number: int) -> None:
    """Stores the number of the last change."""
    connection.execute("UPDATE state SET value = ? WHERE name = 'sequence'", (number,))


def write_moments(connection: sqlite3.Connection, moments: Mapping[Pair, Moments]) -> None:
    """Stores the observations of the calibrated ranking."""
    connection.execute(
        "UPDATE state SET value = ? WHERE name = 'moments'", (_pairs_to_json(moments),)
    )


def _state(connection: sqlite3.Connection, name: str) -> str:
    (value,) = connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
    return str(value)


def _pairs_to_json(values: Mapping[Pair, tuple[float, ...]]) -> str:
    return json.dumps([[*pair, *numbers] for pair, numbers in values.items()])


def _check_version(connection: sqlite3.Connection, path: Path) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION:
        raise StorageError(f"{path.parent.name}/{path.name} is not a collection of Kindred's")
    if version > VERSION:
        raise StorageError(
            f"{path.parent.name}/{path.name} was written by a newer Kindred: this one reads "
            f"schema versions up to {VERSION}, the file has {version}"
        )


@contextmanager
def _failures(path: Path) -> Iterator[None]:
    """Translates what SQLite raises."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        meaning = _MEANINGS.get(code, "the database failed")
        raise StorageError(f"{path.parent.name}/{path.name}: {meaning} ({error})") from error
