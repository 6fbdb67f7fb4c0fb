"""Brings a folder into a collection: only what is new, telling every file's outcome at once."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from embedder.errors import MediaError
from service.errors import item_error
from service.ingest.folder import (
    OLD,
    File,
    Listing,
    Stamp,
    TrackOf,
    items_of,
    sound_track_here,
)
from service.messages import ItemError, ItemInput, ItemResult, StoredItem

BATCH_FILES, BATCH_BYTES = 16, 8 * 1024 * 1024
"""Small enough that a bar moves and a request passes every default limit."""

UNREADABLE = "UNREADABLE_FILE"
"""What a file is called that the disk does not give."""

UNHEARD = "UNSUPPORTED_MODALITY"
"""What a sound track meets in a model without ears: of its films only the pictures are stored."""

BATCHES_IN_FLIGHT = 2
"""While one batch is in the model, the next is read and decoded."""


class Fate(StrEnum):
    """What became of a file."""

    ADDED = "added"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    PASSED_BY = "passed by"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """A file's id, its fate, and what was wrong where it was not stored."""

    id: str
    fate: Fate
    error: ItemError | None = None

    @property
    def reason(self) -> str:
        """Why it was not stored, in words; empty if it was."""
        return self.error.message if self.error else ""


class Items(Protocol):
    """What is asked of the items of a collection."""

    def items(self, collection: str) -> AsyncIterator[StoredItem]:
        """Yields every item, without vectors."""

    async def upsert(
        self, collection: str, items: Sequence[ItemInput], *, windows: bool = False
    ) -> Sequence[ItemResult]:
        """Stores items, each on its own, with windows if hits are to tell where they match."""


@dataclass(frozen=True, slots=True)
class Ingest:
    """How to bring files into a collection.

    Attributes:
        backend: Where the collection is.
        collection: Its name; it exists.
        max_item_bytes: Larger files are refused before they are read.
        windows: Whether hits are to tell where in a long sound or film they match.
        track_of: Copies the sound track out of a film; see `service.ingest.tracks`.
    """

    backend: Items
    collection: str
    max_item_bytes: int
    windows: bool = True
    track_of: TrackOf = sound_track_here

    async def run(self, listing: Listing) -> AsyncGenerator[Outcome, None]:
        """Stores what is new and yields the outcome of every file.

        What was yielded as stored is on disk: a second run goes on from there.
        """
        for name, reason in listing.unreadable.items():
            yield Outcome(name, Fate.FAILED, ItemError(UNREADABLE, reason))
        known = await self._known({file.id: file for file in listing.files if file.metadata})
        fresh: list[File] = []
        for file in listing.files:
            stamp = known.get(file.id)
            if stamp and stamp.matches(file):
                yield Outcome(file.id, Fate.UNCHANGED)
            else:
                fresh.append(file)
        async for outcome in self._store_all(fresh, known):
            yield outcome

    async def _known(self, described: Mapping[str, File]) -> Mapping[str, Stamp]:
        """Returns what is stored of files; of one that is described otherwise, that it is old."""
        known: dict[str, Stamp] = {}
        async for item in self.backend.items(self.collection):
            stamp, file = Stamp.of(item.metadata), described.get(item.id)
            if stamp:
                known[item.id] = OLD if file and not file.is_described_by(item.metadata) else stamp
        return known

    async def _store_all(
        self, files: Sequence[File], known: Mapping[str, Stamp]
    ) -> AsyncGenerator[Outcome, None]:
        in_flight: deque[asyncio.Task[list[Outcome]]] = deque()
        try:
            for batch in batches(files):
                if len(in_flight) == BATCHES_IN_FLIGHT:
                    for outcome in await in_flight.popleft():
                        yield outcome
                in_flight.append(asyncio.create_task(self._store(batch, known)))
            while in_flight:
                for outcome in await in_flight.popleft():
                    yield outcome
        finally:
            await _cancel(in_flight)

    async def _store(self, batch: Sequence[File], known: Mapping[str, Stamp]) -> list[Outcome]:
        # One by one: whoever is stopped waits for no other file.
        read = [await asyncio.to_thread(self._read, it, known.get(it.id)) for it in batch]
        items = [item for some in read if isinstance(some, list) for item in some]
        outcomes = [outcome for outcome in read if isinstance(outcome, Outcome)]
        if not items:
            return outcomes
        by_id = {file.id: file for file in batch}
        for result in await self.backend.upsert(self.collection, items, windows=self.windows):
            name = items[result.index].id or ""
            if name not in by_id:  # the sound track of a film: the file has its outcome already
                if result.error and result.error.reason != UNHEARD:
                    outcomes.append(Outcome(name, Fate.FAILED, result.error))
            elif result.error:
                outcomes.append(_refused(by_id[name], result.error))
            else:
                outcomes.append(Outcome(name, Fate.CHANGED if name in known else Fate.ADDED))
        return outcomes

    def _read(self, file: File, known: Stamp | None) -> list[ItemInput] | Outcome:
        try:
            items = items_of(file, known, self.max_item_bytes, self.track_of)
        except MediaError as error:
            return _refused(file, item_error(error))
        except OSError as error:
            found = ItemError(UNREADABLE, error.strerror or str(error))
            return Outcome(file.id, Fate.FAILED, found)
        return items or Outcome(file.id, Fate.UNCHANGED)


def batches(files: Iterable[File]) -> Iterator[list[File]]:
    """Cuts files into batches of at most `BATCH_FILES` and, a large file apart, `BATCH_BYTES`."""
    batch: list[File] = []
    for file in files:
        if batch and (
            len(batch) == BATCH_FILES or sum(f.bytes for f in batch) + file.bytes > BATCH_BYTES
        ):
            yield batch
            batch = []
        batch.append(file)
    if batch:
        yield batch


def _refused(file: File, error: ItemError) -> Outcome:
    fate = Fate.FAILED if file.claims_to_be_media else Fate.PASSED_BY
    return Outcome(file.id, fate, error)


async def _cancel(tasks: Iterable[asyncio.Task[list[Outcome]]]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task
