"""Items as rows of a table on Milvus."""

import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from indexes.base import Half, half
from indexes.item import MAX_ID_BYTES, Item, Metadata
from indexes.milvus.cluster import Column

FIELDS = ("id", "vector", "seq", "created", "metadata", "facts")
"""What makes a whole row; `lot` only serves to draw lots."""

LOTS = 2**32
"""How many lots there are: an id's never changes, and a table's rows have all of them alike."""

ANY_PATH = "*"
"""Stands for every path where there are too many to list."""

_MOST_ODD_BYTES = 16_384
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """Where the media of an item lie: in so many pieces under a key, with a checksum.

    Attributes:
        mime: Its type; empty where only windows are kept.
        key: What the names of the pieces begin with.
        crc: CRC-32 of all of it.
        windows: How many bytes of it, from the first, are the item's windows.
    """

    mime: str
    key: str
    pieces: int
    crc: int
    windows: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """An item as it is stored.

    Attributes:
        item: With the time of its creation.
        seq: Grows with each change that stores something; with the id it orders all items.
        created: Microseconds since 1970.
        vector: float16, shape (dim,).
        kept: Its media, if any.
    """

    item: Item
    seq: int
    created: int
    vector: Half
    kept: Kept | None


def encode(item: Item, seq: int, created: int, kept: Kept | None) -> dict[str, Any]:
    """Returns an item as pymilvus takes it."""
    facts: dict[str, Any] = {"odd": odd_paths(item.metadata)}
    if kept is not None:
        facts["kept"] = list(astuple(kept))
    return {
        "id": item.id,
        "vector": half(item.vector).astype(np.float32),
        "seq": seq,
        "created": created,
        "lot": lot(item.id),
        "metadata": dict(item.metadata),
        "facts": facts,
    }


def decode(row: Mapping[str, Any], modality: str) -> Row:
    """Returns a row as pymilvus gives it; it must have all of `FIELDS`."""
    kept = kept_media(row)
    vector = np.array(row["vector"], dtype=np.float32)
    created = int(row["created"])
    item = Item(
        id=row["id"],
        modality=modality,
        vector=vector,
        metadata=row["metadata"],
        created=_EPOCH + timedelta(microseconds=created),
        mime=kept.mime or None if kept else None,
    )
    return Row(item, int(row["seq"]), created, half(vector), kept)


def kept_media(row: Mapping[str, Any]) -> Kept | None:
    """Returns where the media of a row lie, if it has any."""
    return Kept(*row["facts"]["kept"]) if "kept" in row["facts"] else None


def lot(item_id: str) -> int:
    """Returns the lot of an id, below `LOTS`."""
    return zlib.crc32(item_id.encode())


def columns(dim: int) -> list[Column]:
    """Returns the columns of a table."""
    return [
        Column("id", "VARCHAR", {"max_length": MAX_ID_BYTES}),
        Column("vector", "FLOAT_VECTOR", {"dim": dim}),
        *(Column(name, "INT64") for name in ("seq", "created", "lot")),
        *(Column(name, "JSON") for name in ("metadata", "facts")),
    ]


def odd_paths(metadata: Metadata) -> list[str]:
    """Returns the paths to what expressions of Milvus can't be trusted with: all but scalars.

    Versions differ on lists, null and objects; what lies there is left to `matches`.
    """
    paths = sorted(set(_odd(metadata, "")))
    return paths if len(json.dumps(paths)) <= _MOST_ODD_BYTES else [ANY_PATH]


def _odd(metadata: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key, value in metadata.items():
        if isinstance(value, dict):
            yield prefix + key
            yield from _odd(value, f"{prefix}{key}.")
        elif value is None or isinstance(value, list):
            yield prefix + key
