"""The truth of a local collection: one SQLite file, its facts, its transactions and its failures.

WAL mode with synchronous=FULL: when a transaction has been left, it is on disk. Every change takes
the next number of one sequence, so that the number names a state of the whole file, and no number
is ever used again: an item's number is its key in the indexes.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from indexes.disk import size_of
from indexes.errors import CollectionNotFound, StorageError
from indexes.ranking import Background, Moments, Pair
from indexes.truth import schema, state
from indexes.truth.connections import Polite, connect, failures
from indexes.truth.wal import Log

DATABASE = "collection.sqlite3"
"""Name of the file in the folder of a collection."""

_WAL_LIMIT = 32 * 2**20
"""Bytes of write-ahead log after which it is written back into the database."""

_WRITER_CACHE, _READER_CACHE = 8_192, 1_024
"""KiB of pages that a connection keeps in memory. A reader, of which there is one for each search
at a time, loses them at every commit and finds them in the cache of the system."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a collection is, fixed when it is created.

    Attributes:
        backgrounds: The model's prior for the calibrated ranking.
        indexed: Paths into the metadata that filters ask for often.
        recall_target: Share of the true ten nearest that approximate searches must find.
        structure: What approximate searches run on.
    """

    space_id: str
    dim: int
    model: str
    created: datetime
    backgrounds: Mapping[Pair, Background] = field(default_factory=dict)
    indexed: tuple[str, ...] = ()
    recall_target: float = 0.97
    structure: str = "ivf"


class Ledger:
    """One SQLite file: one writer at a time, and readers that each see one unchanging state.

    Args:
        path: The file.
        give_way: Called before each statement of the writer's; may take its time.
    """

    def __init__(self, path: Path, give_way: Callable[[], None] = lambda: None) -> None:
        """Opens the file, and brings one of an older version to the present one.

        Raises:
            StorageError: If it cannot be opened, is damaged, or is from a newer version.
        """
        self.path = path
        self._lock = threading.Lock()
        self._idle: list[sqlite3.Connection] = []
        self._pins = 0
        self.closed = False
        self._log = Log(path)
        self._writer = self._connect(_WRITER_CACHE)
        self._writer.give_way = give_way
        try:
            with failures(path):
                schema.migrate(self._writer, f"{path.parent.name}/{path.name}")
        except StorageError:
            self._writer.close()
            raise

    @classmethod
    def create(cls, path: Path, facts: Facts) -> None:
        """Writes a new file with nothing but the facts in it.

        Raises:
            StorageError: If it cannot be written.
        """
        rows: dict[str, state.Value] = {
            "sequence": 0,
            "space_id": facts.space_id,
            "dim": facts.dim,
            "model": facts.model,
            "created": facts.created.isoformat(),
            "backgrounds": _pairs_to_json(facts.backgrounds),
            "moments": _pairs_to_json({}),
            "indexed": json.dumps({path: i for i, path in enumerate(facts.indexed)}),
            "recall_target": str(facts.recall_target),
            "structure": facts.structure,
            "segments": "{}",
        }
        with failures(path), closing(sqlite3.connect(path, isolation_level=None)) as connection:
            schema.create(connection, rows)

    def facts(self) -> Facts:
        """Returns what the collection is.

        Raises:
            StorageError: If this cannot be read.
        """
        with self.read() as connection:
            return read_facts(partial(state.get, connection))

    def moments(self) -> Mapping[Pair, Moments]:
        """Returns the stored observations of the calibrated ranking."""
        with self.read() as connection:
            pairs = json.loads(state.get(connection, "moments"))
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
            with failures(self.path):
                connection.execute("BEGIN")
                yield connection
        finally:
            self._give_back(connection)

    @contextmanager
    def pinned(self) -> Iterator[sqlite3.Connection]:
        """Lends a connection as `read` does, for longer than writers would wait for it to end.

        Raises:
            CollectionNotFound: If the ledger is closed.
            StorageError: If reading fails.
        """
        with self._lock:
            self._pins += 1
        try:
            with self.read() as connection:
                yield connection
        finally:
            with self._lock:
                self._pins -= 1

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Lends the writing connection for one transaction: left normally, it is on disk.

        Left by an exception, nothing of it has happened. The caller lets one thread in at a time.

        Raises:
            CollectionNotFound: If the ledger is closed.
            StorageError: If writing fails; then nothing of it has happened.
        """
        self._require_open()
        with failures(self.path):
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
        return size_of(self.path.with_name(self.path.name + end) for end in ("", "-wal", "-shm"))

    def close(self) -> None:
        """Closes the file. Readers that are under way finish first and close what they hold."""
        with self._lock:
            self.closed = True
            idle, self._idle = self._idle, []
        self._log.close()
        for connection in [*idle, self._writer]:
            connection.close()

    def _write_back(self) -> None:
        """Writes the log into the database when it has grown long, waiting for searches to end.

        SQLite would do so by itself only at a moment without any reader, which may never come.
        """
        if not self._pins and self._log.reaches(_WAL_LIMIT):
            self._writer.execute("PRAGMA wal_checkpoint(RESTART)")

    def _require_open(self) -> None:
        if self.closed:
            raise CollectionNotFound(f"collection {self.path.parent.name!r} is closed")

    def _borrow(self) -> sqlite3.Connection:
        with self._lock:
            self._require_open()
            if self._idle:
                return self._idle.pop()
        try:
            connection = self._connect(_READER_CACHE)
        except StorageError:
            self._require_open()  # whoever deletes a collection closes it first
            raise
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

    def _connect(self, cache: int) -> Polite:
        with failures(self.path):
            connection = connect(self.path, "rw")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA fullfsync = 1")  # macOS: past the cache of the drive
            connection.execute("PRAGMA wal_autocheckpoint = 0")
            # Seldom cut: to write over a file is a third faster than to extend it.
            connection.execute(f"PRAGMA journal_size_limit = {2 * _WAL_LIMIT}")
            connection.execute(f"PRAGMA cache_size = -{cache}")
        return connection


def read_facts(get: Callable[..., str]) -> Facts:
    """Returns what a collection is, given what returns a fact by name, or a given default."""
    pairs = json.loads(get("backgrounds"))
    return Facts(
        space_id=get("space_id"),
        dim=int(get("dim")),
        model=get("model"),
        created=datetime.fromisoformat(get("created")),
        backgrounds={(query, item): Background(*pair) for query, item, *pair in pairs},
        indexed=tuple(json.loads(get("indexed"))),
        recall_target=float(get("recall_target")),
        structure=get("structure", "ivf"),
    )


def sequence(connection: sqlite3.Connection) -> int:
    """Returns the number of the last change."""
    return int(state.get(connection, "sequence"))


def write_sequence(connection: sqlite3.Connection, number: int) -> None:
    """Stores the number of the last change."""
    state.put(connection, "sequence", number)


def write_moments(connection: sqlite3.Connection, moments: Mapping[Pair, Moments]) -> None:
    """Stores the observations of the calibrated ranking."""
    state.put(connection, "moments", _pairs_to_json(moments))


def _pairs_to_json(values: Mapping[Pair, tuple[float, ...]]) -> str:
    return json.dumps([[*pair, *numbers] for pair, numbers in values.items()])
