"""Connections to a file of SQLite's: how one is made, and what its failures mean."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from indexes.errors import StorageError

_MEANINGS: Mapping[int, str] = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_READONLY: "the file or its folder is read-only",
    sqlite3.SQLITE_CORRUPT: "the database is damaged; `kindred rescue` saves what can be read",
    sqlite3.SQLITE_NOTADB: "the file is not a database",
    sqlite3.SQLITE_CANTOPEN: "the file cannot be opened",
    sqlite3.SQLITE_PERM: "access to the file is denied",
    sqlite3.SQLITE_IOERR: "reading or writing the disk failed",
    sqlite3.SQLITE_BUSY: "another process holds the database",
    sqlite3.SQLITE_LOCKED: "another process holds the database",
}


class Polite(sqlite3.Connection):
    """A connection that lets others go first.

    Attributes:
        give_way: Called before each statement; may take its time.
    """

    give_way: Callable[[], None] = staticmethod(lambda: None)

    def execute(self, *statement: Any) -> sqlite3.Cursor:  # noqa: ANN401 - as it is declared
        """See `sqlite3.Connection.execute`."""
        self.give_way()
        return super().execute(*statement)


def connect(path: Path, mode: str) -> Polite:
    """Opens a file that exists, to read ("ro") or to write ("rw"), with no transaction begun."""
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        factory=Polite,
    )
    # What is damaged need be no Unicode; its checksum tells.
    connection.text_factory = partial(str, encoding="utf-8", errors="replace")
    return connection


@contextmanager
def failures(path: Path) -> Iterator[None]:
    """Translates what SQLite raises."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        meaning = _MEANINGS.get(code, "the database failed")
        raise StorageError(f"{path.parent.name}/{path.name}: {meaning} ({error})") from error
