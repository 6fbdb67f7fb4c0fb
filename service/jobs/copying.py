"""Copies items of a collection into another, embedding their kept media again."""

from collections.abc import AsyncGenerator, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from embedder.media import Modality
from indexes.errors import ItemNotFound
from service.collections import Collections
from service.ingest.ingest import BATCH_BYTES, BATCH_FILES, Fate, Outcome
from service.jobs.items import PatientItems
from service.messages import Content, ItemError, ItemInput, MediaContent, StoredItem, TextContent

NOT_KEPT = ItemError("CONTENT_NOT_KEPT", "an item must have its media kept to be embedded again")


@dataclass(frozen=True, slots=True)
class Copier:
    """From where to where.

    Attributes:
        collections: Where both are.
        source: The collection that is read.
        target: The one that is written.
        windows: Whether hits are to tell where in a long sound or film they match.
    """

    collections: Collections
    source: str
    target: str
    windows: bool

    async def copy(
        self, items: Sequence[StoredItem], replaced: Collection[str] = ()
    ) -> AsyncGenerator[Outcome, None]:
        """Copies items and yields their outcomes; of one that is gone meanwhile there is none.

        Args:
            items: As they were listed.
            replaced: Those of them that the target has, as they were before.
        """
        batch: list[ItemInput] = []
        size = 0
        for item in items:
            if not item.has_content:
                yield Outcome(item.id, Fate.FAILED, NOT_KEPT)
                continue
            try:
                data, _ = await self.collections.content(self.source, item.id)
            except ItemNotFound:
                continue
            batch.append(_input(item, data))
            size += len(data)
            if len(batch) == BATCH_FILES or size > BATCH_BYTES:
                for outcome in await self._stored(batch, replaced):
                    yield outcome
                batch, size = [], 0
        for outcome in await self._stored(batch, replaced) if batch else ():
            yield outcome

    async def is_copied(self, item: StoredItem) -> bool:
        """Tells whether the target has an item as it is by now, by all that a copy is made from."""
        try:
            copy = await self.collections.item(self.target, item.id)
            if (copy.modality, copy.metadata) != (item.modality, item.metadata):
                return False
            kept = await self.collections.content(self.target, item.id)
            return kept == await self.collections.content(self.source, item.id)
        except ItemNotFound:
            return False

    async def found(self, ids: Sequence[str]) -> tuple[list[StoredItem], list[str]]:
        """Returns what the source has of these items by now, and the ids of those it has not."""
        found, gone = [], []
        for item_id in ids:
            try:
                found.append(await self.collections.item(self.source, item_id))
            except ItemNotFound:
                gone.append(item_id)
        return found, gone

    async def delete(self, ids: Sequence[str]) -> None:
        """Deletes from the target what it has of these."""
        if ids:
            await self.collections.delete_items(self.target, ids)

    async def _stored(
        self, batch: Sequence[ItemInput], replaced: Collection[str]
    ) -> Sequence[Outcome]:
        items = PatientItems(self.collections)
        results = await items.upsert(self.target, batch, windows=self.windows)
        fates = {True: Fate.CHANGED, False: Fate.ADDED}
        return [
            Outcome(it.id or "", Fate.FAILED if it.error else fates[it.id in replaced], it.error)
            for it in results
        ]


def _input(item: StoredItem, data: bytes) -> ItemInput:
    created = datetime.fromisoformat(item.created)
    return ItemInput(_content(item.modality, data), item.id, item.metadata, created)


def _content(modality: Modality, data: bytes) -> Content:
    if modality is Modality.TEXT:
        return TextContent(data.decode())
    return MediaContent(modality, data)
