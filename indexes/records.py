"""Items as rows of a ledger: written, read, and held against their checksums."""

import json
import sqlite3
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from indexes.base import Keys, Vectors
from indexes.errors import ItemNotFound, StorageError
from indexes.item import Content, Item, encode_metadata
from indexes.matching import Where

_AT_ONCE = 8_192
"""Rows that are read into one array."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COLUMNS = "item.seq, id, modality, created, mime, metadata, crc, vector.data"
_ITEMS = f"SELECT {_COLUMNS} FROM item LEFT JOIN vector ON vector.seq = item.seq"


class Row(NamedTuple):
    """An item as it lies in the ledger; `created` in microseconds since 1970."""

    seq: int
    id: str
    modality: str
    created: int
    mime: str | None
    metadata: str
    crc: int
    vector: bytes


class Stored(NamedTuple):
    """Where an id is found, and since when."""

    seq: int
    modality: str
    created: int


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Vectors of one modality in the order of their keys: shapes (n,) and (n, dim)."""

    modality: str
    keys: Keys
    vectors: Vectors


def find(connection: sqlite3.Connection, ids: Iterable[str]) -> dict[str, Stored]:
    """Returns those of the ids that are stored."""
    rows = connection.execute(
        "SELECT id, seq, modality, created FROM item WHERE id IN (SELECT value FROM json_each(?))",
        (json.dumps(list(ids)),),  # escaped, so that even what is no id can be asked for
    )
    return {item_id: Stored(*rest) for item_id, *rest in rows}


def insert(connection: sqlite3.Connection, items: Sequence[tuple[int, int, Item]]) -> None:
    """Writes items, each with its number and the time of its creation."""
    rows = [_row(seq, created, item) for seq, created, item in items]
    connection.executemany("INSERT INTO item VALUES (?,?,?,?,?,?,?)", (row[:7] for row in rows))
    connection.executemany(
        "INSERT INTO vector VALUES (?,?)", ((row.seq, row.vector) for row in rows)
    )
    kept = [(seq, item.content.data) for seq, _, item in items if item.content]
    connection.executemany(
        "INSERT INTO content VALUES (?,?,?)", ((seq, data, zlib.crc32(data)) for seq, data in kept)
    )


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Deletes the items with these numbers."""
    chosen = json.dumps(list(numbers))
    for table in ("item", "vector", "content"):
        connection.execute(
            f"DELETE FROM {table} WHERE seq IN (SELECT value FROM json_each(?))", (chosen,)
        )


def by_number(connection: sqlite3.Connection, numbers: Iterable[int]) -> dict[int, Item]:
    """Returns the items with these numbers."""
    rows = connection.execute(
        f"{_ITEMS} WHERE item.seq IN (SELECT value FROM json_each(?))", (json.dumps(list(numbers)),)
    )
    return {row[0]: _item(Row(*row)) for row in rows}


def by_id(connection: sqlite3.Connection, item_id: str) -> Item:
    """Returns one item.

    Raises:
        ItemNotFound: If there is none of this id.
    """
    seq = _number(connection, item_id)
    return by_number(connection, [seq])[seq]


def content(connection: sqlite3.Connection, item_id: str) -> Content:
    """Returns the media kept with an item.

    Raises:
        ItemNotFound: If there is no such item, or nothing was kept.
    """
    row = connection.execute(
        "SELECT mime, data, content.crc FROM item JOIN content USING (seq) WHERE seq = ?",
        (_number(connection, item_id),),
    ).fetchone()
    if row is None:
        raise ItemNotFound(f"no content was stored with item {item_id!r}")
    mime, data, crc = row
    if zlib.crc32(data) != crc:
        raise StorageError(f"the content of item {item_id!r} is damaged: its checksum differs")
    return Content(mime, data)


def page(
    connection: sqlite3.Connection, after: int, size: int, where: Where
) -> list[tuple[int, Item]]:
    """Returns up to `size` items of larger numbers that satisfy the condition, by number."""
    rows = connection.execute(
        f"{_ITEMS} WHERE item.seq > ? AND ({where.sql}) ORDER BY item.seq LIMIT ?",
        (after, *where.parameters, size),
    )
    return [(row[0], _item(Row(*row))) for row in rows]


def numbers(connection: sqlite3.Connection, where: Where) -> Keys:
    """Returns the numbers of all items that satisfy the condition, in order."""
    rows = connection.execute(
        f"SELECT seq FROM item WHERE {where.sql} ORDER BY seq", where.parameters
    )
    return np.fromiter((seq for (seq,) in rows), dtype=np.int64)


def blocks(connection: sqlite3.Connection, dim: int) -> Iterator[Block]:
    """Reads every vector, checking each item; the keys of a modality increase.

    Raises:
        StorageError: If an item is damaged.
    """
    rows = (Row(*row) for row in connection.execute(f"{_ITEMS} ORDER BY item.seq"))
    waiting: defaultdict[str, list[Row]] = defaultdict(list)
    for row in rows:
        _check(row)
        waiting[row.modality].append(row)
        if len(waiting[row.modality]) == _AT_ONCE:
            yield _block(waiting.pop(row.modality), dim)
    for rest in waiting.values():
        yield _block(rest, dim)


def _number(connection: sqlite3.Connection, item_id: str) -> int:
    found = find(connection, [item_id])
    if item_id not in found:
        raise ItemNotFound(f"no item has the id {item_id[:80]!r}")
    return found[item_id].seq


def _block(rows: Sequence[Row], dim: int) -> Block:
    keys = np.array([row.seq for row in rows], dtype=np.int64)
    vectors = _numbers(b"".join(row.vector for row in rows)).reshape(len(rows), dim)
    return Block(rows[0].modality, keys, vectors)


def _row(seq: int, created: int, item: Item) -> Row:
    row = Row(
        seq=seq,
        id=item.id,
        modality=str(item.modality),
        created=created,
        mime=item.content.mime if item.content else None,
        metadata=encode_metadata(item.metadata),
        crc=0,
        vector=item.vector.astype("<f4").tobytes(),
    )
    return row._replace(crc=_checksum(row))


def _item(row: Row) -> Item:
    _check(row)
    return Item(
        id=row.id,
        modality=row.modality,
        vector=_numbers(row.vector),
        metadata=json.loads(row.metadata),
        created=_EPOCH + timedelta(microseconds=row.created),
        mime=row.mime,
    )


def _numbers(data: bytes) -> NDArray[np.float32]:
    return np.frombuffer(data, dtype="<f4").astype(np.float32, copy=False)


def _check(row: Row) -> None:
    if row.vector is None or _checksum(row) != row.crc:
        raise StorageError(f"item {row.id!r} is damaged: its checksum differs")


def _checksum(row: Row) -> int:
    """Returns the CRC-32 of everything about an item but its number and its media."""
    words = json.dumps([row.id, row.modality, row.created, row.mime, row.metadata])
    return zlib.crc32(row.vector, zlib.crc32(words.encode()))
