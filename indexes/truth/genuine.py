"""Whether a database that others may have made is one that we could have written.

Checksums prove nothing of it: who makes a file up makes them up as well. A row that is damaged by
them is passed over wherever it is read; one that is right by them has to be right.
"""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from itertools import islice

from indexes.base import unit_vectors
from indexes.errors import IndexesError, InvalidSnapshot, InvalidVector, StorageError
from indexes.item import Content, check_name, encode_metadata
from indexes.store import STRUCTURES
from indexes.truth import checksums, fields, records, schema, state, vectors, windows
from indexes.truth.ledger import read_facts
from indexes.truth.records import Row

NONSENSE = (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError)
"""What comes of facts and rows that are not what they should be."""

_AT_ONCE = 4_096
"""Rows of which the vectors are looked at together."""

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
    rows = filter(_is_right, records.rows(connection))
    while some := list(islice(rows, _AT_ONCE)):
        for row in some:
            _require_our_row(row, dim)
        _require_unit(some, dim)


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
    """Looks at all of an item but the numbers of its vector."""
    try:
        check_name(row.id, row.modality)
        encode_metadata(json.loads(row.metadata))
        records.time_of(row)
        if row.mime is not None:
            Content(row.mime, b"")
        if row.vector_modality != row.modality:
            raise StorageError(f"{row.modality!r} with a vector of {row.vector_modality!r}")
        if not vectors.is_of(row.vector, dim):
            raise StorageError(f"a vector that has not {dim} numbers")
    except _REFUSED as error:
        raise _no_item(row.seq, error) from error


def _require_unit(rows: Sequence[Row], dim: int) -> None:
    data = b"".join(row.vector or b"" for row in rows)
    try:
        unit_vectors(vectors.decoded(data).reshape(-1, dim), dim)
    except InvalidVector as error:
        raise _no_item(f"{rows[0].seq} to {rows[-1].seq}", error) from error


def _no_item(number: int | str, reason: Exception) -> InvalidSnapshot:
    return InvalidSnapshot(
        f"a snapshot must hold items as they are stored, got number {number}: {reason}"
    )
