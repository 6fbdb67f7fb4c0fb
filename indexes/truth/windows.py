"""The windows of items, beside them in a table of their own.

The table is made when the first item with windows comes, so that a file without any is what it
was. It holds nothing that an item needs: what is damaged here is passed over.
"""

import json
import sqlite3
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from indexes.windows import Window, Windows

_TABLE = "CREATE TABLE IF NOT EXISTS windows (seq INTEGER PRIMARY KEY, data BLOB NOT NULL)"


def create(connection: sqlite3.Connection) -> None:
    """Makes the table, where there is none."""
    connection.execute(_TABLE)


def insert(connection: sqlite3.Connection, rows: Iterable[tuple[int, Windows]]) -> None:
    """Writes windows, each with the number of its item."""
    packed = [(seq, windows.packed()) for seq, windows in rows]
    if packed:
        create(connection)
        connection.executemany("INSERT OR REPLACE INTO windows VALUES (?,?)", packed)


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Deletes the windows of the items with these numbers."""
    if _any(connection):
        chosen = json.dumps(list(numbers))
        connection.execute(
            "DELETE FROM windows WHERE seq IN (SELECT value FROM json_each(?))", (chosen,)
        )


def read(connection: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, Windows]:
    """Returns the windows of those of these items that have any, by number."""
    if not _any(connection):
        return {}
    chosen = json.dumps(list(numbers))
    rows = connection.execute(
        "SELECT seq, data FROM windows WHERE seq IN (SELECT value FROM json_each(?))", (chosen,)
    )
    found = ((seq, unpacked(data)) for seq, data in rows)
    return {seq: windows for seq, windows in found if windows is not None}


def best(
    connection: sqlite3.Connection, numbers: Iterable[int], query: NDArray[np.float32]
) -> dict[int, Window]:
    """Returns the window nearest to a query of each of these items that has any."""
    return {seq: windows.best(query) for seq, windows in read(connection, numbers).items()}


def unpacked(data: object) -> Windows | None:
    """Returns the windows that a row holds, or None if it is damaged."""
    return Windows.unpacked(data) if isinstance(data, bytes) else None


def _any(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'windows'").fetchone())
