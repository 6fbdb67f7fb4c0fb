"""What the kinds of jobs do. Each finds out by itself what was done before, and leaves that."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedder.media import Modality
from service.collections import Collections
from service.errors import InvalidRequest, TooManyItems
from service.ingest.folder import Listing, list_files
from service.ingest.ingest import BATCH_BYTES, BATCH_FILES, Fate, Ingest, Outcome
from service.ingest.manifest import read_manifest
from service.jobs.items import PatientItems
from service.jobs.messages import IngestFolder, IngestManifest, Reembed, Task
from service.jobs.places import Places
from service.messages import (
    Content,
    ItemError,
    ItemInput,
    MediaContent,
    NewCollection,
    StoredItem,
    TextContent,
)
from service.settings import Settings

NOT_KEPT = ItemError("CONTENT_NOT_KEPT", "an item must have its media kept to be embedded again")


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job comes to: how many items, and what becomes of each as it is done."""

    total: int
    outcomes: AsyncGenerator[Outcome, None]


class Tasks:
    """Does what jobs ask for.

    Args:
        collections: Where items are read and stored.
        settings: What may be read, and how much.
    """

    def __init__(self, collections: Collections, settings: Settings) -> None:
        self._collections = collections
        self._items = PatientItems(collections)
        self._places = Places(settings.job_folders)
        self._settings = settings

    async def prepare(self, collection: str, task: Task) -> None:
        """Makes sure that a task can be begun; creates the collection to embed into again.

        Raises:
            PermissionDenied: If a path is where jobs may not read.
            InvalidRequest: If there is nothing at it.
            CollectionNotFound: If there is nothing to read, or nothing to bring files into.
            CollectionExists: If the collection to embed into is there already.
            ModelNotFound: If its model is not served.
        """
        match task:
            case Reembed():
                await self._collections.get(task.source)
                await self._collections.create(NewCollection(collection, task.model))
            case IngestFolder():
                if not self._places.resolved(task.path).is_dir():
                    raise InvalidRequest(f"path must be a folder, got {task.path}")
                await self._collections.get(collection)
            case IngestManifest():
                if not self._places.resolved(task.path).is_file():
                    raise InvalidRequest(f"path must be a file of JSON lines, got {task.path}")
                await self._collections.get(collection)

    async def plan(self, collection: str, task: Task) -> Plan:
        """Finds out what is to be done.

        Raises:
            PermissionDenied: If a path is where jobs may not read.
            TooManyItems: If there are more files than one job may bring in.
            InvalidRequest: If a manifest can't be read.
        """
        match task:
            case Reembed():
                counts = (await self._collections.get(task.source)).counts
                return Plan(sum(counts.values()), self._embedded_again(collection, task))
            case IngestFolder() | IngestManifest():
                listing = await asyncio.to_thread(self._listing, task)
                limit = self._settings.max_item_bytes
                ingest = Ingest(self._items, collection, limit, task.windows)
                return Plan(len(listing.files) + len(listing.unreadable), ingest.run(listing))

    def _listing(self, task: IngestFolder | IngestManifest) -> Listing:
        path = self._places.resolved(task.path)
        if isinstance(task, IngestFolder):
            listing = self._places.within(list_files(path, task.prefix))
        else:
            listing = self._manifest(path)
        count, limit = len(listing.files), self._settings.max_job_items
        if count > limit:
            raise TooManyItems(f"a job may bring in at most {limit} files, got {count}")
        return listing

    def _manifest(self, path: Path) -> Listing:
        try:
            return read_manifest(path, self._found)
        except OSError as error:
            raise InvalidRequest(f"the manifest can't be read: {error.strerror}") from error

    def _found(self, path: Path) -> Path | None:
        """Returns where a path leads, or None where jobs may not read."""
        resolved = path.resolve()
        return resolved if self._places.has(resolved) else None

    async def _embedded_again(
        self, collection: str, task: Reembed
    ) -> AsyncGenerator[Outcome, None]:
        done = {item.id async for item in self._items.items(collection)}
        batch: list[ItemInput] = []
        size = 0
        async for item in self._items.items(task.source):
            if item.id in done:
                yield Outcome(item.id, Fate.UNCHANGED)
                continue
            if not item.has_content:
                yield Outcome(item.id, Fate.FAILED, NOT_KEPT)
                continue
            data, _ = await self._collections.content(task.source, item.id)
            batch.append(ItemInput(_content(item, data), item.id, item.metadata))
            size += len(data)
            if len(batch) == BATCH_FILES or size > BATCH_BYTES:
                for outcome in await self._stored(collection, batch, task.windows):
                    yield outcome
                batch, size = [], 0
        for outcome in await self._stored(collection, batch, task.windows) if batch else ():
            yield outcome

    async def _stored(
        self, collection: str, items: Sequence[ItemInput], windows: bool
    ) -> list[Outcome]:
        results = await self._items.upsert(collection, items, windows=windows)
        return [
            Outcome(result.id or "", Fate.FAILED if result.error else Fate.ADDED, result.error)
            for result in results
        ]


def _content(item: StoredItem, data: bytes) -> Content:
    if item.modality is Modality.TEXT:
        return TextContent(data.decode())
    return MediaContent(item.modality, data)
