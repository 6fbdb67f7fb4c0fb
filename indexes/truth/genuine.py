"""Whether a database that others may have made is one that we could have written.

Checksums prove nothing of it: who makes a file up makes them up as well. A row that is damaged by
them is passed over wherever it is read; one that is right by them has to be right.
"""

import sqlite3
from contextlib import closing
from functools import partial

from indexes.errors import IndexesError, InvalidSnapshot, StorageError
from indexes.item import Content
from indexes.store import STRUCTURES
from indexes.truth import checksums, fields, records, schema, state, vectors, windows
from indexes.truth.ledger import read_facts
from indexes.truth.records import Row

NONSENSE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What comes of facts and rows that are not what they should be."""

_REFUSED = (sqlite3.Error, IndexesError, *NONSENSE)


def require_genuine(connection: sqlite3.Connection) -> None:
    """Reads all of a database of the present version: a million items take half a minute.

    Raises:
        InvalidSnapshot: If there is anything in it that we would not have written.
    """
    try:
        _require_our_tables(connection)
        dim = _our_dim(connection)
    except _REFUSED as error:
        raise InvalidSnapshot(f"a snapshot must hold a collection, got: {error}") from error
    for row in records.rows(connection):
        if _is_right(row):
            _require_our_row(row, dim)


def _require_our_tables(connection: sqlite3.Connection) -> None:
    """Compares statements: another table, column, constraint or index would do its maker's will."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as ours:
        schema.create(ours, {})
        needed = _statements(ours)
        windows.create(ours)
        known = _statements(ours)
    found = _statements(connection)
    if strange := (found - known) | (needed - found):
        raise StorageError(f"tables and indexes that differ from ours: {min(strange)[:80]!r}")


def _statements(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT sql FROM sqlite_master WHERE name NOT GLOB 'sqlite_*'")
    return {" ".join(str(sql).split()) for (sql,) in rows}


def _our_dim(connection: sqlite3.Connection) -> int:
    """Returns the length of vectors, having read every fact."""
    facts = read_facts(partial(state.get, connection))
    for path, field in fields.declared(connection).items():
        if not all(isinstance(number, int) for number in field):
            raise StorageError(f"a declared field {path[:80]!r} of no number")
    fields.indexed(connection)
    if facts.structure not in STRUCTURES:
        raise StorageError(f"the structure {facts.structure[:80]!r}")
    return facts.dim


def _is_right(row: Row) -> bool:
    """Tells whether an item and a vector are right by their checksums, be they made for another."""
    return checksums.of_item(*row[:6]) == row.crc and (
        isinstance(row.vector, bytes)
        and checksums.of_vector(row.seq, str(row.vector_modality), row.vector) == row.vector_crc
    )


def _require_our_row(row: Row, dim: int) -> None:
    try:
        item = records.item(row)
        if row.mime is not None:
            Content(row.mime, b"")
        if row.vector_modality != row.modality:
            raise StorageError(f"{row.modality!r} with a vector of {row.vector_modality!r}")
        if not vectors.is_of(row.vector, dim):
            raise StorageError(f"a vector must have {dim} numbers, got {item.vector.size}")
    except _REFUSED as error:
        raise InvalidSnapshot(
            f"a snapshot must hold items as they are stored, got number {row.seq}: {error}"
        ) from error
