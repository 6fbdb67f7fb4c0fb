"""The aliases of a folder: one small SQLite file, of which this process has a copy in memory.

The folder is held by one process at a time, so that the copy is never behind.
"""

import sqlite3
import threading
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from indexes import disk
from indexes.errors import StorageError
from indexes.truth import checksums
from indexes.truth.connections import connect, failures

FILE = "aliases.sqlite3"
"""Beside the collections, whose names have no dot."""

_APPLICATION = 0x4B494E41  # "KINA"
_VERSION = 1
_TABLE = """
CREATE TABLE alias (
    name TEXT PRIMARY KEY,
    collection TEXT NOT NULL,
    crc INTEGER NOT NULL
) WITHOUT ROWID
"""


class AliasFile:
    """Keeps what names stand for; the file is made with the first of them.

    Args:
        folder: Of the store.
    """

    def __init__(self, folder: Path) -> None:
        """Reads them.

        Raises:
            StorageError: If the file is damaged, or from a newer version.
        """
        self._path = folder / FILE
        self._lock = threading.Lock()
        self._known: Mapping[str, str] = self._read() if self._path.exists() else {}

    def all(self) -> Mapping[str, str]:
        """Returns the collection of each alias, as it is now and will stay."""
        return self._known

    def put(self, collection: str, *aliases: str) -> None:
        """Writes what these stand for, all at once; it is on disk when this returns.

        Raises:
            StorageError: If it cannot be written; then nothing has changed.
        """
        rows = [(each, collection, checksums.of_state(each, collection)) for each in aliases]

        def change(file: sqlite3.Connection) -> None:
            file.execute("BEGIN IMMEDIATE")
            file.executemany("INSERT OR REPLACE INTO alias VALUES (?,?,?)", rows)
            file.execute("COMMIT")

        with self._lock:
            self._write(change)
            told = {**self._known, **dict.fromkeys(aliases, collection)}
            self._known = dict(sorted(told.items()))

    def remove(self, alias: str) -> None:
        """Removes one, likewise.

        Raises:
            StorageError: If this cannot be written; then nothing has changed.
        """
        with self._lock:
            self._write(lambda file: file.execute("DELETE FROM alias WHERE name = ?", (alias,)))
            self._known = {name: meant for name, meant in self._known.items() if name != alias}

    def _read(self) -> Mapping[str, str]:
        # To write: what a kill broke off in the middle, SQLite undoes before it reads.
        with failures(self._path), closing(connect(self._path, "rw")) as file:
            (application,) = file.execute("PRAGMA application_id").fetchone()
            (version,) = file.execute("PRAGMA user_version").fetchone()
            if application != _APPLICATION:
                raise StorageError(f"{self._path.name} is not a file of aliases of Kindred's")
            if version > _VERSION:
                raise StorageError(
                    f"{self._path.name} was written by a newer Kindred: this one reads versions "
                    f"up to {_VERSION}, the file has {version}"
                )
            rows = file.execute("SELECT name, collection, crc FROM alias ORDER BY name").fetchall()
        for name, collection, crc in rows:
            if checksums.of_state(name, collection) != crc:
                raise StorageError(
                    f"{self._path.name} is damaged: alias {name!r} cannot be read; delete the "
                    "file, and set the aliases again"
                )
        return {name: collection for name, collection, _ in rows}

    def _write(self, change: Callable[[sqlite3.Connection], object]) -> None:
        """Makes a change; with SQLite's rollback journal it has happened whole or not at all."""
        if not self._path.exists():
            self._create()
        with failures(self._path), closing(connect(self._path, "rw")) as file:
            file.execute("PRAGMA synchronous = FULL")
            file.execute("PRAGMA fullfsync = 1")  # macOS: past the cache of the drive
            change(file)

    def _create(self) -> None:
        part = self._path.with_name(f".{FILE}")
        part.unlink(missing_ok=True)
        with failures(part), closing(sqlite3.connect(part, isolation_level=None)) as file:
            file.execute(f"PRAGMA application_id = {_APPLICATION}")
            file.execute(f"PRAGMA user_version = {_VERSION}")
            file.execute(_TABLE)
        try:
            part.replace(self._path)
            disk.sync(self._path.parent)
        except OSError as error:
            raise StorageError(f"cannot create {FILE}: {error.strerror}") from error
