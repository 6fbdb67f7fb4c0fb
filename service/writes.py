"""Who writes to which collection, so that a copy can follow the writers and, at its end, stop them.

Known of this process alone: what others write to a cluster that they share is seen in its listing.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import TypeVar

from service.access.names import Names
from service.access.needs import Again

T = TypeVar("T")


class Writes:
    """Lets writers in, tells followers what they touch. Belongs to one event loop.

    Args:
        names: Know whether what was asked for is still what is written to.
    """

    def __init__(self, names: Names) -> None:
        self._names = names
        self._under_way: Counter[str] = Counter()
        self._followers: defaultdict[str, list[set[str]]] = defaultdict(list)
        self._held: dict[str, asyncio.Event] = {}
        self._ended = asyncio.Event()

    async def write(self, collection: str, ids: Collection[str], work: Callable[[], T]) -> T:
        """Writes to a collection in a thread.

        Args:
            collection: Its name, no alias.
            ids: Of the items that are written or deleted.
            work: Does it. A writer whom nobody waits for any more counts until it has ended.

        Raises:
            Again: If the name that was asked for stands for another collection by now; nothing is
                written then.
        """
        while over := self._held.get(collection):
            await over.wait()
        self._under_way[collection] += 1
        task = asyncio.create_task(self._written(collection, work))
        task.add_done_callback(lambda ended: self._end(ended, collection, ids))
        return await asyncio.shield(task)

    async def _written(self, collection: str, work: Callable[[], T]) -> T:
        # From here on nobody holds the writers up: no alias is swapped until this has ended.
        if not await self._names.still_means(collection):
            raise Again
        return await asyncio.to_thread(work)

    def _end(self, task: asyncio.Task[T], collection: str, ids: Collection[str]) -> None:
        if not task.cancelled():
            task.exception()  # of a writer whom nobody waits for any more, nobody else asks
        for touched in self._followers.get(collection, ()):
            touched.update(ids)
        self._under_way[collection] -= 1
        if not self._under_way[collection]:
            del self._under_way[collection]
            self._ended.set()
            self._ended = asyncio.Event()

    def is_followed(self, collection: str) -> bool:
        """Tells whether somebody follows its writers."""
        return bool(self._followers.get(collection))

    @asynccontextmanager
    async def followed(self, collection: str) -> AsyncIterator[set[str]]:
        """Yields a set to which the ids of all items are added that are touched from now on."""
        while over := self._held.get(collection):
            await over.wait()
        touched: set[str] = set()
        self._followers[collection].append(touched)
        try:
            yield touched
        finally:
            self._followers[collection] = [
                other for other in self._followers[collection] if other is not touched
            ]

    @asynccontextmanager
    async def held(self, collection: str) -> AsyncIterator[None]:
        """Holds up who would write; entered when those who were writing have ended."""
        while over := self._held.get(collection):
            await over.wait()
        over = self._held[collection] = asyncio.Event()
        try:
            while self._under_way[collection]:
                await self._ended.wait()
            yield
        finally:
            del self._held[collection]
            over.set()
