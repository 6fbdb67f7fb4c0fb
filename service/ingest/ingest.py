"""Brings a folder into a collection: only what is new, telling every file's outcome at once."""

import asyncio
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
    Set,
)
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from embedder.errors import MediaError
from service.errors import item_error
from service.ingest.folder import (
    SOUND,
    File,
    Listing,
    Stamp,
    TrackOf,
    items_of,
    sound_track_here,
)
from service.ingest.known import Known, known_of
from service.messages import ItemError, ItemInput, ItemResult, StoredItem, TextContent

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
    REMOVED = "removed"
    PASSED_BY = "passed by"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one file.

    Attributes:
        id: Of its item.
        fate: What became of it.
        error: What was wrong, where it was not stored.
        is_cut: Whether it is a text of which the model reads only the beginning.
    """

    id: str
    fate: Fate
    error: ItemError | None = None
    is_cut: bool = False

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

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Deletes items; one that is not there is none."""


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

    async def survey(self, listing: Listing) -> Known:
        """Looks what the collection has of the files that are listed, and of others."""
        return await known_of(self.backend.items(self.collection), listing)

    async def run(
        self, listing: Listing, known: Known | None = None
    ) -> AsyncGenerator[Outcome, None]:
        """Stores what is new and yields the outcome of every file.

        What was yielded as stored is on disk: a second run goes on from there.

        Args:
            listing: The files.
            known: What a survey of them has found; None for one that is made now.
        """
        for name, reason in listing.unreadable.items():
            yield Outcome(name, Fate.FAILED, ItemError(UNREADABLE, reason))
        known = known or await self.survey(listing)
        fresh: list[File] = []
        for file in listing.files:
            stamp = known.stamps.get(file.id)
            if stamp and stamp.matches(file):
                yield Outcome(file.id, Fate.UNCHANGED)
            else:
                fresh.append(file)
        async for outcome in self._store_all(fresh, known):
            yield outcome

    async def remove(self, gone: Mapping[str, Stamp]) -> AsyncGenerator[Outcome, None]:
        """Removes items and yields the outcome of each; what was stored anew meanwhile stays."""
        if not gone:
            return
        items = self.backend.items(self.collection)
        ids = [
            it.id async for it in items if it.id in gone and Stamp.of(it.metadata) == gone[it.id]
        ]
        for start in range(0, len(ids), BATCH_FILES):
            some = ids[start : start + BATCH_FILES]
            await self.backend.delete(self.collection, some)
            for name in some:
                yield Outcome(name, Fate.REMOVED)

    async def _store_all(
        self, files: Sequence[File], known: Known
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

    async def _store(self, batch: Sequence[File], known: Known) -> list[Outcome]:
        # One by one: whoever is stopped waits for no other file.
        read = [await asyncio.to_thread(self._read, it, known.stamps.get(it.id)) for it in batch]
        items = [item for some in read if isinstance(some, list) for item in some]
        outcomes = [outcome for outcome in read if isinstance(outcome, Outcome)]
        if not items:
            return outcomes
        by_id, stored = {file.id: file for file in batch}, set[str]()
        for result in await self.backend.upsert(self.collection, items, windows=self.windows):
            name = items[result.index].id or ""
            if not result.error:
                stored.add(name)
            if name not in by_id:  # the sound track of a film: the file has its outcome already
                if result.error and result.error.reason != UNHEARD:
                    outcomes.append(Outcome(name, Fate.FAILED, result.error))
            elif result.error:
                outcomes.append(_refused(by_id[name], result.error))
            else:
                fate = Fate.CHANGED if name in known.stamps else Fate.ADDED
                is_text = isinstance(items[result.index].content, TextContent)
                is_cut = is_text and result.treatment.truncated
                outcomes.append(Outcome(name, fate, is_cut=is_cut))
        await self._silence(stored, known)
        return outcomes

    async def _silence(self, stored: Set[str], known: Known) -> None:
        """Deletes what was heard of films before, where nothing is heard of them any more."""
        tracks = {name + SOUND for name in stored}
        if silent := sorted(tracks & known.sounds - stored):
            await self.backend.delete(self.collection, silent)

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
