"""Items as rows of a ledger: written, read, and held against their checksums."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexes.base import Half, half
from indexes.errors import ItemNotFound, StorageError
from indexes.filters.language import Filter
from indexes.item import Content, Item, Metadata
from indexes.truth import checksums, fields, sql, tags, vectors
from indexes.truth.conditions import as_sql
from indexes.truth.sql import Where, tolerantly
from indexes.windows import Windows

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "seq, id, item.modality, created, mime, metadata, item.crc"
_ROWS = (
    f"SELECT {_COLUMNS}, vector.modality, data, vector.crc FROM item LEFT JOIN vector USING (seq)"
)
_CHOSEN = "seq IN (SELECT value FROM json_each(?))"


Numbered = tuple[int, int, Item]
"""An item's number, the time of its creation in microseconds since 1970, and the item."""


class Row(NamedTuple):
    """An item as it lies in the ledger; `created` in microseconds since 1970."""

    seq: int
    id: str
    modality: str
    created: int
    mime: str | None
    metadata: str
    crc: int
    vector_modality: str | None
    vector: bytes | None
    vector_crc: int | None


class Stored(NamedTuple):
    """Where an id is found, and since when."""

    seq: int
    modality: str
    created: int


class Shown(NamedTuple):
    """What a hit tells of an item: its vector only where it was asked for."""

    id: str
    modality: str
    mime: str | None
    metadata: Metadata
    vector: NDArray[np.float32] | None


def find(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Stored]:
    """Returns those of the ids that are stored.

    Raises:
        StorageError: If one of them cannot be told from another.
    """
    rows = connection.execute(
        "SELECT named.id, item.id, item.seq, item.modality, item.created "
        "FROM item AS named JOIN item USING (seq) "  # the index on ids, and the items themselves
        "WHERE named.id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),  # escaped, so that even what is no id can be asked for
    )
    found = {}
    for item_id, written, *rest in rows:
        if written != item_id:
            raise StorageError(f"item {item_id!r} is damaged: it lies where {written!r} should")
        found[item_id] = Stored(*rest)
    return found


def insert(connection: sqlite3.Connection, items: Sequence[Numbered]) -> Half:
    """Writes items; returns their vectors as they are stored, shape (n, dim)."""
    rows = half(np.array([item.vector for *_, item in items], dtype=np.float32))
    sql.insert(
        connection,
        "item",
        (
            (seq, *columns, checksums.of_item(seq, *columns))
            for seq, columns in map(_columns, items)
        ),
    )
    vectors.insert(connection, [(seq, str(item.modality)) for seq, _, item in items], rows)
    kept = ((seq, item.content.data) for seq, _, item in items if item.content)
    connection.executemany(
        "INSERT INTO content VALUES (?,?,?)",
        ((seq, data, checksums.of_content(data)) for seq, data in kept),
    )
    if indexed := fields.tagged(connection):
        tags.write(
            connection,
            (tag for seq, _, each in items for tag in tags.tags(seq, each.metadata, indexed)),
        )
    return rows


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Deletes the items with these numbers."""
    chosen = json.dumps(list(numbers))
    if indexed := fields.tagged(connection):
        rows = connection.execute(f"SELECT seq, metadata FROM item WHERE {_CHOSEN}", (chosen,))
        for seq, metadata in rows.fetchall():
            tags.erase(connection, seq, metadata, indexed)
    for table in ("item", "vector", "content"):
        connection.execute(f"DELETE FROM {table} WHERE {_CHOSEN}", (chosen,))


def by_number(connection: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, Item]:
    """Returns the items with these numbers, leaving out those that are damaged."""
    rows = connection.execute(f"{_ROWS} WHERE {_CHOSEN}", (json.dumps(list(numbers)),))
    return {row[0]: item(Row(*row)) for row in rows if intact(Row(*row))}


def shown(
    connection: sqlite3.Connection, numbers: Iterable[int], *, with_vectors: bool
) -> dict[int, Shown]:
    """Returns what hits tell of the items with these numbers, leaving out damaged ones."""
    chosen = list(numbers)
    seen: Mapping[int, NDArray[np.float32]] = {}
    if with_vectors:
        seen = {seq: item.vector for seq, item in by_number(connection, chosen).items()}
        chosen = list(seen)
    rows = connection.execute(f"SELECT {_COLUMNS} FROM item WHERE {_CHOSEN}", (json.dumps(chosen),))
    return {
        seq: Shown(item_id, modality, mime, json.loads(metadata), seen.get(seq))
        for seq, item_id, modality, created, mime, metadata, crc in rows
        if checksums.of_item(seq, item_id, modality, created, mime, metadata) == crc
    }


def by_id(connection: sqlite3.Connection, item_id: str) -> Item:
    """Returns one item.

    Raises:
        ItemNotFound: If there is none of this id.
        StorageError: If it is damaged.
    """
    seq = _number(connection, item_id)
    found = by_number(connection, [seq])
    if not found:
        raise StorageError(f"item {item_id!r} is damaged: its checksum differs")
    return found[seq]


def content(connection: sqlite3.Connection, item_id: str) -> Content:
    """Returns the media kept with an item.

    Raises:
        ItemNotFound: If there is no such item, or nothing was kept.
        StorageError: If they are damaged.
    """
    seq = _number(connection, item_id)
    mime = by_id(connection, item_id).mime
    if mime is None:
        raise ItemNotFound(f"no content was stored with item {item_id!r}")
    row = connection.execute("SELECT data, crc FROM content WHERE seq = ?", (seq,)).fetchone()
    data, crc = row or (None, None)
    if not isinstance(data, bytes) or checksums.of_content(data) != crc:
        raise StorageError(f"the content of item {item_id!r} is damaged: its checksum differs")
    return Content(mime, data)


def page(
    connection: sqlite3.Connection, after: int, size: int, condition: Filter
) -> tuple[list[Item], int]:
    """Returns up to `size` items of larger numbers that satisfy the filter, by number.

    Damaged ones are left out.

    Returns:
        The items, and the number after which there are more, or 0.
    """
    where = as_sql(condition, fields.indexed(connection))

    def run(test: Where) -> list[tuple[Any, ...]]:
        sql = f"{_ROWS} WHERE seq > ? AND ({test.sql}) ORDER BY seq LIMIT ?"
        return connection.execute(sql, (after, *test.parameters, size + 1)).fetchall()

    rows = tolerantly(run, where)
    shown = [Row(*row) for row in rows[:size]]
    more = shown[-1].seq if len(rows) > size else 0
    return [item(row) for row in shown if intact(row)], more


def rows(connection: sqlite3.Connection, after: int = 0, most: int = -1) -> Iterator[Row]:
    """Reads items with larger numbers as they lie there, by number: all, or so many at most."""
    found = connection.execute(f"{_ROWS} WHERE seq > ? ORDER BY seq LIMIT ?", (after, most))
    return (Row(*row) for row in found)


def intact(row: Row) -> bool:
    """Tells whether an item is what was written, its media left aside."""
    return (
        checksums.of_item(*row[:6]) == row.crc
        and isinstance(row.vector, bytes)
        and row.vector_modality == row.modality
        and checksums.of_vector(row.seq, row.modality, row.vector) == row.vector_crc
    )


def _number(connection: sqlite3.Connection, item_id: str) -> int:
    found = find(connection, [item_id])
    if item_id not in found:
        raise ItemNotFound(f"no item has the id {item_id[:80]!r}")
    return found[item_id].seq


def _columns(numbered: Numbered) -> tuple[int, tuple[str, str, int, str | None, str]]:
    seq, created, item = numbered
    mime = item.content.mime if item.content else None
    return seq, (item.id, str(item.modality), created, mime, item.encoded)


def time_of(row: Row) -> datetime:
    """Returns when an item was created."""
    return _EPOCH + timedelta(microseconds=row.created)


def item(row: Row, content: Content | None = None, windows: Windows | None = None) -> Item:
    """Returns the item that a row is, if it is `intact`."""
    return Item(
        id=row.id,
        modality=row.modality,
        vector=vectors.decoded(row.vector or b""),
        metadata=json.loads(row.metadata),
        created=time_of(row),
        content=content,
        mime=row.mime,
        windows=windows,
    )
