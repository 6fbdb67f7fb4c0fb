"""The items of a collection as long work sees them: all of them, stored however long it takes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace

from service.collections import Collections
from service.errors import DeadlineExceeded, Overloaded, TooManyItems, item_error
from service.messages import ItemInput, ItemPage, ItemResult, StoredItem

PAGE_SIZE = 1000


async def every_item(collections: Collections, name: str) -> AsyncIterator[StoredItem]:
    """Yields every item of a collection, without vectors."""
    async for page in every_page(collections, name):
        for item in page.items:
            yield item


async def every_page(
    collections: Collections, name: str, token: str = ""
) -> AsyncIterator[ItemPage]:
    """Yields them page by page, from a token on."""
    while True:
        page = await collections.items(name, page_size=PAGE_SIZE, page_token=token)
        yield page
        if not (token := page.next_page_token):
            return


@dataclass(frozen=True, slots=True)
class PatientItems:
    """Stores items beside those who ask, whom it lets go first; see `service.ingest.Items`."""

    collections: Collections

    def items(self, collection: str) -> AsyncIterator[StoredItem]:
        """Yields every item, without vectors."""
        return every_item(self.collections, collection)

    async def upsert(
        self, collection: str, items: Sequence[ItemInput], *, windows: bool = False
    ) -> Sequence[ItemResult]:
        """Stores items; what is too much for one request is halved, until each is one of its own.

        An item that takes longer by itself than a request may has that for an error.
        """
        try:
            return await self._stored(collection, items, windows)
        except (DeadlineExceeded, TooManyItems) as error:
            if len(items) == 1:
                return [ItemResult(0, items[0].id, error=item_error(error))]
        half = len(items) // 2
        first = await self.upsert(collection, items[:half], windows=windows)
        rest = await self.upsert(collection, items[half:], windows=windows)
        return [*first, *(replace(each, index=each.index + half) for each in rest)]

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Deletes items; one that is not there is none."""
        await self.collections.delete_items(collection, ids)

    async def _stored(
        self, collection: str, items: Sequence[ItemInput], windows: bool
    ) -> Sequence[ItemResult]:
        """Waits for as long as the queue has no room."""
        while True:
            try:
                answer = await self.collections.upsert(collection, items, windows=windows)
                return answer.results
            except Overloaded as error:
                await asyncio.sleep(error.retry_after)
