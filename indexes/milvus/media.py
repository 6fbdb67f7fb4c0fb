"""Media kept with items on Milvus, which has no type for them: as pieces of base64 text.

They take a third more room than they are large, in the memory of the cluster too, which holds
every table that can be read. A large collection is better served by media kept elsewhere.
"""

import base64
import uuid
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from indexes.errors import StorageError
from indexes.item import Content, Item
from indexes.milvus.cluster import Cluster, Column
from indexes.milvus.expressions import quoted
from indexes.milvus.rows import Kept
from indexes.windows import Windows

_PIECE = 48_000
"""Bytes of one piece: as base64 they fit the 65,535 that a text may have."""

_PIECES_AT_ONCE = 64

COLUMNS = (
    Column("id", "VARCHAR", {"max_length": 64}),
    Column("text", "VARCHAR", {"max_length": 65_535}),
    Column("vector", "FLOAT_VECTOR", {"dim": 2}),  # Milvus insists on one
)


class Media:
    """The table of a collection's media."""

    def __init__(self, cluster: Cluster, table: str, waits: str) -> None:
        self._cluster = cluster
        self._table = table
        self._waits = waits

    def write(self, items: Mapping[str, Item]) -> dict[str, Kept]:
        """Stores media and windows under new keys, before the items that point to them."""
        kept, whole = {}, {}
        for item_id, item in items.items():
            windows = item.windows.packed() if item.windows else b""
            mime, data = (item.content.mime, item.content.data) if item.content else ("", b"")
            whole[item_id] = data = windows + data
            pieces = max(1, -(-len(data) // _PIECE))
            key = uuid.uuid4().hex
            kept[item_id] = Kept(mime, key, pieces, zlib.crc32(data), len(windows))
        rows = (row for one in items for row in _pieces(kept[one].key, whole[one]))
        for some in _batches(rows):
            self._call("store media", "upsert", some)
        return kept

    def read(self, kept: Kept, item_id: str) -> Content | None:
        """Returns media, or None if they are gone: then the item has been replaced or deleted.

        Raises:
            StorageError: If they are damaged.
        """
        data = self._read(kept, kept.pieces)
        if data is None:
            return None
        if zlib.crc32(data) != kept.crc:
            raise StorageError(f"the content of item {item_id!r} is damaged: its checksum differs")
        return Content(kept.mime, data[kept.windows :])

    def windows(self, kept: Kept) -> Windows | None:
        """Returns the windows that lie before media; None if there are none, or they are gone."""
        if not kept.windows:
            return None
        data = self._read(kept, -(-kept.windows // _PIECE))
        return None if data is None else Windows.unpacked(data[: kept.windows])

    def _read(self, kept: Kept, pieces: int) -> bytes | None:
        """Returns the first pieces, or None if one of them is gone."""
        texts: list[str] = []
        for some in _batches({"id": _name(kept.key, n)} for n in range(pieces)):
            names = ", ".join(quoted(row["id"]) for row in some)
            found = self._call(
                "read media",
                "query",
                filter=f"id in [{names}]",
                output_fields=["id", "text"],
                consistency_level=self._waits,
            )
            texts += [row["text"] for row in sorted(found, key=lambda row: row["id"])]
        if len(texts) < pieces:
            return None
        return b"".join(base64.b64decode(text) for text in texts)

    def erase(self, many: Iterable[Kept]) -> None:
        """Deletes media, after the items that pointed to them."""
        names = ({"id": _name(kept.key, n)} for kept in many for n in range(kept.pieces))
        for some in _batches(names):
            listed = ", ".join(quoted(row["id"]) for row in some)
            self._call("delete media", "delete", filter=f"id in [{listed}]")

    def settle(self) -> None:
        """Waits until everybody can read what was written before."""
        self._call(
            "store media",
            "query",
            filter="",
            output_fields=["count(*)"],
            consistency_level="Strong",
        )

    def _call(self, doing: str, method: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        return self._cluster.call(doing, method, self._table, *args, **options)


def _pieces(key: str, data: bytes) -> Iterator[dict[str, Any]]:
    for n, start in enumerate(range(0, max(1, len(data)), _PIECE)):
        text = base64.b64encode(data[start : start + _PIECE]).decode()
        yield {"id": _name(key, n), "text": text, "vector": [0.0, 0.0]}


def _name(key: str, n: int) -> str:
    return f"{key}-{n:08d}"


def _batches(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == _PIECES_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
