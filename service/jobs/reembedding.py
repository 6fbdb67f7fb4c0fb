"""Embeds a collection again into another, follows what is written meanwhile, and swaps an alias.

First everything that the old collection lists is copied, then, in ever shorter rounds, what writers
have touched since. Who would write at the very end waits for as long as the last round takes: when
the alias is swapped, both collections hold the same items, and who waited writes to the new one.
"""

from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from indexes.errors import CollectionNotFound
from service.access.caller import Scope, caller
from service.aliases import Aliases
from service.collections import Collections
from service.errors import CollectionBusy, InvalidRequest, NotSwapped
from service.ingest.ingest import BATCH_FILES, Fate, Outcome
from service.jobs.copying import Copier
from service.jobs.items import every_item, every_page
from service.jobs.messages import AliasSwap, JobInfo, Reached, Reembed, Step
from service.messages import NewCollection
from service.stored import time_text
from service.terms import Priority, terms

StepT = TypeVar("StepT", bound=Step)

ROUNDS = 8
"""After so many the writers are held up, even if each still finds more than one batch."""


async def prepared(
    collections: Collections, aliases: Aliases, collection: str, task: Reembed
) -> Reembed:
    """Creates the collection to embed into, and returns the task with its source by its own name.

    Raises:
        CollectionNotFound: If there is nothing to read.
        CollectionExists: If the collection to embed into is there already, or one that is called
            what the alias is.
        AliasMoved: If the alias stands for another collection than the one that is read.
        PermissionDenied: If the alias may not be changed, or the old collection not be dropped.
        InvalidRequest: If there is no alias, and what belongs to one.
        ModelNotFound: If the model is not served.
    """
    source = await collections.get(task.source)
    if task.alias is not None:
        await aliases.require_swappable(task.alias, source.name, collection)
    elif task.drop_source or task.allow_failed:
        raise InvalidRequest("drop_source and allow_failed take an alias, got none")
    if task.drop_source:
        caller.get().require(Scope.ADMIN)
    new = NewCollection(
        collection, task.model, source.indexed, source.recall_target, source.structure
    )
    await collections.create(new)
    return replace(task, source=source.name)


@dataclass(frozen=True, slots=True)
class Reembedding:
    """One such job.

    Attributes:
        collections: Where both are.
        aliases: What one is swapped in.
        job: The job as it was when it was begun, or gone on with.
        task: What it is to do.
    """

    collections: Collections
    aliases: Aliases
    job: JobInfo
    task: Reembed

    async def is_swapped(self) -> bool:
        """Tells whether a process that ended had come as far as the swap."""
        swap = self.job.swap
        if swap is None or swap.time is not None:
            return swap is not None
        return await self.aliases.names.meant(swap.alias) == self.job.collection

    async def steps(self) -> AsyncGenerator[Step, None]:
        """Does all of it; what was copied before is copied again only if it has changed since."""
        failed: set[str] = set()
        source = self.task.source
        async with self.collections.writes.followed(source) as touched:
            if await self.collections.names.meant(source) != source:
                raise CollectionBusy(f"collection {source!r} was renamed just now")
            async for step in self._copied(touched):
                yield _noted(step, failed)
            rounds = ROUNDS
            while len(touched) > BATCH_FILES and (rounds := rounds - 1):
                async for outcome in self._caught_up(touched, failed):
                    yield outcome
            async with self.collections.writes.held(source):
                with _urgently():
                    async for outcome in self._caught_up(touched, failed):
                        yield outcome
                async for step in self._swapped(failed):
                    yield step

    async def steps_after_swap(self) -> AsyncGenerator[Step, None]:
        """Does what a process that ended left undone: nothing is copied, nothing swapped."""
        swap = self.job.swap
        if swap and swap.time is None:  # it ended before it could tell
            yield (swap := replace(swap, previous=self.task.source, time=_now()))
        if swap and self.task.drop_source and not swap.source_dropped:
            yield await self._dropped(swap)

    async def _copied(self, touched: set[str]) -> AsyncGenerator[Step, None]:
        """Copies what the source lists; an item that is stored meanwhile is listed again."""
        copier = self._copier
        known = {item.id async for item in every_item(self.collections, self.job.collection)}
        doubtful = await self._behind_cursor() if known else frozenset()
        async for page in every_page(self.collections, self.task.source):
            fresh = []
            for item in page.items:
                is_copied = item.id in known
                if is_copied and item.id in doubtful:
                    is_copied = await copier.is_copied(item)
                if is_copied:
                    yield Outcome(item.id, Fate.UNCHANGED)
                else:
                    fresh.append(item)
            async for outcome in copier.copy(fresh, frozenset(known)):
                yield outcome
            known.difference_update(item.id for item in page.items)
            if page.next_page_token:
                yield Reached(page.next_page_token)
        if self.task.alias is not None:
            touched |= known  # deleted from the source while nobody followed

    async def _behind_cursor(self) -> frozenset[str]:
        """Returns the items that were stored after what is known to have been copied."""
        found: set[str] = set()
        async for page in every_page(self.collections, self.task.source, self.job.cursor):
            found.update(item.id for item in page.items)
        return frozenset(found)

    async def _caught_up(
        self, touched: set[str], failed: set[str]
    ) -> AsyncGenerator[Outcome, None]:
        """Copies, and deletes, what was touched until now."""
        copier, waiting = self._copier, list(touched)
        while some := waiting[:BATCH_FILES]:
            del waiting[:BATCH_FILES]
            touched.difference_update(some)  # before they are read: who writes later adds them anew
            found, gone = await copier.found(some)
            await copier.delete(gone)
            failed.difference_update(gone)
            fresh = [it for it in found if it.id in failed or not await copier.is_copied(it)]
            async for outcome in copier.copy(fresh, some):
                yield _noted(outcome, failed)

    async def _swapped(self, failed: set[str]) -> AsyncGenerator[Step, None]:
        alias = self.task.alias
        if alias is None:
            return
        if failed and not self.task.allow_failed:
            raise NotSwapped(
                f"alias {alias!r} was left as it is, for {len(failed)} items could not be embedded "
                "again: the job's errors say why; allow_failed swaps all the same"
            )
        yield (swap := AliasSwap(alias, self.job.collection))  # kept: what is meant to be next
        told = await self.aliases.point(alias, swap.collection, expected=self.task.source)
        yield (swap := replace(swap, previous=told.previous, time=_now()))
        if self.task.drop_source:
            yield await self._dropped(swap)

    async def _dropped(self, swap: AliasSwap) -> AliasSwap:
        with suppress(CollectionNotFound):  # dropped before the process ended
            await self.collections.delete(self.task.source)
        return replace(swap, source_dropped=True)

    @property
    def _copier(self) -> Copier:
        return Copier(self.collections, self.task.source, self.job.collection, self.task.windows)


@contextmanager
def _urgently() -> Iterator[None]:
    """Goes before all bulk: writers wait."""
    token = terms.set(replace(terms.get(), priority=Priority.INTERACTIVE))
    try:
        yield
    finally:
        terms.reset(token)


def _noted(step: StepT, failed: set[str]) -> StepT:
    """Keeps in mind which items have failed for good, as far as is known by now."""
    if isinstance(step, Outcome):
        (failed.add if step.fate is Fate.FAILED else failed.discard)(step.id)
    return step


def _now() -> str:
    return time_text(datetime.now(UTC))
