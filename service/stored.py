"""What the rooms below store and find, in the words of `service.messages`, and the reverse."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from embedder.media import Modality
from embedder.windows import Window
from indexes import item as indexed
from indexes.collection import Collection, Hit
from indexes.truth.snapshot import describe
from indexes.windows import Windows
from service.batching import Encoded
from service.intake import digest, mime_type, raw
from service.messages import CollectionInfo, ItemInput, SearchHit, SnapshotInfo, StoredItem
from service.windowing import Windowed


def item_of(asked: ItemInput, encoded: Encoded, *, keep_content: bool) -> indexed.Item:
    """Returns what a collection stores of an item that was sent and embedded.

    Raises:
        InvalidItem: If its id or metadata break a rule.
    """
    data = raw(asked.content) if keep_content else None
    kept = indexed.Content(mime_type(data, encoded.modality), data) if data else None
    name = digest(asked.content) if asked.id is None else asked.id
    return indexed.Item(
        name,
        encoded.modality,
        encoded.vector,
        dict(asked.metadata),
        created=asked.created,
        content=kept,
        windows=_windows_of(encoded),
    )


def _windows_of(encoded: Encoded) -> Windows | None:
    """Returns what is worth keeping: of a single window, that it is the whole is known."""
    if not isinstance(encoded, Windowed) or len(encoded.windows.windows) < 2:
        return None
    spans = np.array([(window.start, window.end) for window in encoded.windows.windows])
    return Windows.of(spans, encoded.windows.vectors)


def stored_item(item: indexed.Item, *, with_vector: bool) -> StoredItem:
    """Returns a stored item as the service tells it."""
    return StoredItem(
        id=item.id,
        modality=Modality(item.modality),
        metadata=item.metadata,
        created=time_text(item.created),
        has_content=item.mime is not None,
        vector=item.vector if with_vector else None,
    )


def search_hit(hit: Hit) -> SearchHit:
    """Returns a hit as the service tells it."""
    return SearchHit(
        id=hit.id,
        modality=Modality(hit.modality),
        score=hit.score,
        calibrated=hit.calibrated,
        probability=hit.probability,
        metadata=hit.metadata,
        has_content=hit.mime is not None,
        vector=hit.vector,
        at=Window(hit.at.start, hit.at.end) if hit.at else None,
    )


def collection_info(collection: Collection, *, with_stats: bool = False) -> CollectionInfo:
    """Returns what is told of a collection; reads the disk."""
    return CollectionInfo(
        name=collection.name,
        model=collection.model,
        space=collection.space_id,
        dim=collection.dim,
        counts=collection.count(),
        index=collection.index,
        bytes=collection.size_bytes(),
        created=time_text(collection.created),
        indexed=collection.indexed,
        recall_target=collection.recall_target,
        structure=collection.structure,
        stats=collection.stats() if with_stats else None,
    )


def time_text(time: datetime | None) -> str:
    """Returns a time in RFC 3339, UTC."""
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z") if time else ""


def snapshot_info(path: Path) -> SnapshotInfo:
    """Returns what is told of a snapshot; reads only the end of the file.

    Raises:
        InvalidSnapshot: If it is none, as far as that tells.
        StorageError: If it cannot be read.
    """
    found = describe(path)
    return SnapshotInfo(
        name=path.name,
        collection=found.name,
        model=found.model,
        space=found.space_id,
        items=found.items,
        bytes=path.stat().st_size,
        created=time_text(found.created),
    )
