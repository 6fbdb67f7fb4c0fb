"""Named facts about a whole collection: one checked row each in the table `state`."""

import sqlite3

from indexes.errors import StorageError
from indexes.truth import checksums

Value = str | int

TABLE = """
CREATE TABLE state (
    name TEXT PRIMARY KEY,
    value NOT NULL,
    crc INTEGER NOT NULL
) WITHOUT ROWID
"""


def get(connection: sqlite3.Connection, name: str, default: str | None = None) -> str:
    """Returns a fact as text; one that older files lack may have a default.

    Raises:
        StorageError: If it is damaged, or missing without a default.
    """
    row = connection.execute("SELECT value, crc FROM state WHERE name = ?", (name,)).fetchone()
    if row is None and default is not None:
        return default
    if row is None or checksums.of_state(name, row[0]) != row[1]:
        raise StorageError(f"the database is damaged: its {name!r} cannot be read")
    return str(row[0])


def put(connection: sqlite3.Connection, name: str, value: Value) -> None:
    """Writes a fact."""
    connection.execute(
        "INSERT OR REPLACE INTO state VALUES (?,?,?)",
        (name, value, checksums.of_state(name, value)),
    )
