"""What the kinds of jobs do. Each finds out by itself what was done before, and leaves that."""

import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace

from service.aliases import Aliases
from service.collections import Collections
from service.errors import InvalidRequest
from service.ingest.folder import Listing, Stamp, list_files
from service.ingest.ingest import Ingest
from service.ingest.known import Known
from service.ingest.manifest import read_manifest
from service.ingest.tracks import track_copier
from service.jobs.items import PatientItems
from service.jobs.messages import IngestFolder, IngestManifest, JobInfo, Reembed, Step, Task
from service.jobs.places import Places
from service.jobs.reembedding import Reembedding, prepared
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Plan:
    """What a job comes to.

    Attributes:
        steps: Does it, and tells of each item as it is done.
        total: How many items there are; None where they were counted before, and are done.
    """

    steps: AsyncGenerator[Step, None]
    total: int | None


class Tasks:
    """Does what jobs ask for.

    Args:
        collections: Where items are read and stored.
        aliases: What is swapped at the end.
        settings: What may be read, and how much.
    """

    def __init__(self, collections: Collections, aliases: Aliases, settings: Settings) -> None:
        self._collections = collections
        self._aliases = aliases
        self._items = PatientItems(collections)
        self._places = Places(settings.job_folders)
        self._settings = settings

    async def prepare(self, collection: str, task: Task) -> Task:
        """Makes sure that a task can be begun; creates the collection to embed into again.

        Returns:
            The task, with collections by their own names.

        Raises:
            PermissionDenied: If a path is where jobs may not read.
            InvalidRequest: If there is nothing at it.
            CollectionNotFound: If there is nothing to bring files into.
            ServiceError: As `prepared` says, if a collection can't be embedded again.
        """
        match task:
            case Reembed():
                return await prepared(self._collections, self._aliases, collection, task)
            case IngestFolder():
                if not os.path.isdir(self._places.resolved(task.path)):
                    raise InvalidRequest(f"path must be a folder, got {task.path}")
                await self._collections.get(collection)
            case IngestManifest():
                if not os.path.isfile(self._places.resolved(task.path)):
                    raise InvalidRequest(f"path must be a file of JSON lines, got {task.path}")
                await self._collections.get(collection)
        return task

    async def plan(self, job: JobInfo) -> Plan:
        """Finds out what is to be done.

        Raises:
            PermissionDenied: If a path is where jobs may not read.
            TooManyItems: If there are more files than one job may bring in.
            InvalidRequest: If a manifest can't be read, or all that a folder is pruned of is gone.
        """
        match task := job.task:
            case Reembed():
                source = await self._collections.names.meant(task.source)  # may be renamed by now
                task = replace(task, source=source)
                work = Reembedding(self._collections, self._aliases, job, task)
                if await work.is_swapped():
                    return Plan(work.steps_after_swap(), None)
                counts = (await self._collections.get(task.source)).counts
                return Plan(work.steps(), sum(counts.values()))
            case IngestFolder() | IngestManifest():
                return await self._ingestion(job.collection, task)

    async def _ingestion(self, collection: str, task: IngestFolder | IngestManifest) -> Plan:
        listing = await asyncio.to_thread(self._listing, task)
        ingest = Ingest(self._items, collection, self._settings.max_item_bytes, task.windows)
        known = await ingest.survey(listing)
        prunes = isinstance(task, IngestFolder) and task.prune
        gone = known.removable() if prunes else {}
        steps = self._ingested(ingest, listing, known, gone)
        return Plan(steps, len(listing.files) + len(listing.unreadable) + len(gone))

    async def _ingested(
        self, ingest: Ingest, listing: Listing, known: Known, gone: Mapping[str, Stamp]
    ) -> AsyncGenerator[Step, None]:
        """Brings files in; their makers may be strangers, so that none is looked into here."""
        async with track_copier(self._settings) as track_of:
            async for step in replace(ingest, track_of=track_of).run(listing, known):
                yield step
        async for step in ingest.remove(gone):
            yield step

    def _listing(self, task: IngestFolder | IngestManifest) -> Listing:
        path, most = self._places.resolved(task.path), self._settings.max_job_items
        if isinstance(task, IngestFolder):
            return self._places.within(list_files(path, task.prefix, most))
        try:
            return read_manifest(path, self._places.led, most)
        except OSError as error:
            raise InvalidRequest(f"the manifest can't be read: {error.strerror}") from error
