"""The use cases of collections: creating them, storing items, listing them, finding the nearest."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from indexes.collection import Collection
from indexes.errors import CollectionNotFound, IndexesError, StorageError, StoreUnavailable
from indexes.filters.language import EVERYTHING, parse_filter
from indexes.item import Item
from indexes.store import Store, check_name
from service import answers
from service.access.caller import Scope, caller
from service.access.names import Names
from service.access.needs import needs
from service.answers import Made, Outcome
from service.errors import CollectionBusy, TooManyItems
from service.intake import check_count
from service.messages import (
    CollectionInfo,
    ItemInput,
    ItemPage,
    ItemResults,
    NewCollection,
    SearchAnswer,
    SearchQuery,
    StoredItem,
)
from service.mixing import search_request
from service.models import Models
from service.served import ServedModel
from service.settings import Settings
from service.stored import collection_info, item_of, search_hit, stored_item
from service.telemetry import Telemetry
from service.terms import Priority, terms
from service.writes import Writes

log = logging.getLogger(__name__)

T = TypeVar("T")


class Collections:
    """Everything that is asked of collections; `Engine.collections` is the one of a process.

    Args:
        store: Where they are kept.
        models: Make their vectors.
        settings: Limits of a request.
        telemetry: Where the work is timed.

    Attributes:
        names: What the collections are known by.
        writes: Who writes to them.
    """

    def __init__(
        self, store: Store, models: Models, settings: Settings, telemetry: Telemetry
    ) -> None:
        self.names = Names(store)
        self.writes = Writes(self.names)
        self._store = store
        self._models = models
        self._settings = settings
        self._telemetry = telemetry

    @needs(Scope.WRITE, of="new", literal=True)
    async def create(self, new: NewCollection) -> CollectionInfo:
        """Creates a collection in a model's space.

        Raises:
            CollectionExists: If the name is taken, be it by an alias.
            InvalidName: If it is not a name.
            InvalidQuery: If what is to be indexed, the recall target or the structure breaks a
                rule.
            Unsupported: If the store has no such structure.
        """
        served = self._models.named(new.model)
        target = self._settings.recall_target

        def made() -> CollectionInfo:
            return collection_info(served.create(self._store, new, target))

        return await asyncio.to_thread(made)

    @needs(Scope.READ)
    async def list(self) -> tuple[CollectionInfo, ...]:
        """Returns every collection that can be opened, by name; the log has the others."""
        return await asyncio.to_thread(lambda: tuple(self._readable()))

    @needs(Scope.READ, of="name")
    async def get(self, name: str, *, with_stats: bool = False) -> CollectionInfo:
        """Returns one collection; unknown ones are CollectionNotFound, as in every method."""
        return await self._on(name, lambda opened: collection_info(opened, with_stats=with_stats))

    @needs(Scope.WRITE, of="name")
    async def update(self, name: str, *, indexed: Sequence[str]) -> CollectionInfo:
        """Changes which fields of metadata are indexed; answered when filters on them are fast.

        Args:
            name: The collection.
            indexed: All fields that are to be, those of before as well as new ones.

        Raises:
            InvalidQuery: If they are too many, one is there twice, or one needs no index.
            InvalidFilter: If no filter could ask for one of them.
        """

        def updated(opened: Collection) -> CollectionInfo:
            opened.declare(indexed)
            return collection_info(opened)

        return await self._on(name, updated)

    @needs(Scope.ADMIN, of="name", literal=True)
    async def rename(self, name: str, new: str) -> CollectionInfo:
        """Gives a collection another name; the old one stays, as an alias of it.

        Raises:
            InvalidName: If the new one is not a name.
            CollectionExists: If it is taken, be it by an alias.
            CollectionBusy: If a job embeds the collection again.
            Unsupported: If the store can't.
        """
        caller.get().require_sight(new)
        check_name(new)
        async with self.writes.held(name):
            if self.writes.is_followed(name):
                raise CollectionBusy(f"collection {name!r} can't be renamed while a job copies it")
            await asyncio.to_thread(self._store.rename, name, new)
        return await self._on(new, collection_info)

    @needs(Scope.ADMIN, of="name", literal=True)
    async def delete(self, name: str) -> None:
        """Deletes a collection and everything in it.

        Raises:
            CollectionAliased: If an alias stands for it.
        """
        await asyncio.to_thread(self._store.delete, name)

    @needs(Scope.WRITE, of="collection")
    async def upsert(
        self, collection: str, items: Sequence[ItemInput], *, windows: bool = False
    ) -> ItemResults:
        """Stores items, each on its own: a bad one costs itself alone.

        What is answered as stored is on disk and found by the next search.

        Args:
            collection: Where to.
            items: What to store.
            windows: Whether hits are to tell where in a long sound or film they match.

        Raises:
            SpaceMismatch: If no served model makes vectors of the collection's space.
        """
        check_count(len(items), self._settings.max_items)
        with self._telemetry.traces.batch():
            return await self._upserted(collection, items, windows)

    async def _upserted(
        self, collection: str, items: Sequence[ItemInput], windows: bool
    ) -> ItemResults:
        opened, served = await self._opened(collection)
        contents = [item.content for item in items]
        outcomes = await served.embed(contents, opened, Priority.BULK, windows=windows)
        # In a thread, since what has no id is named by a digest of all its bytes.
        pairs = zip(items, outcomes, strict=True)
        made = await asyncio.to_thread(lambda: [self._made(*pair) for pair in pairs])
        stored = [it for it in made if isinstance(it, Item)]
        with self._telemetry.stage("store", terms.get().transport):
            ids = {it.id for it in stored}
            await self.writes.write(collection, ids, lambda: opened.upsert(stored))
        results = (
            answers.upserted(index, *parts)
            for index, parts in enumerate(zip(items, outcomes, made, strict=True))
        )
        return ItemResults(collection, tuple(results))

    @needs(Scope.WRITE, of="collection")
    async def delete_items(self, collection: str, ids: Sequence[str]) -> ItemResults:
        """Deletes items by id; an unknown id has ITEM_NOT_FOUND in its result."""
        check_count(len(ids), self._settings.max_items)

        def deleted() -> Sequence[str]:
            return self._store.open(collection).delete(ids)

        known = frozenset(await self.writes.write(collection, ids, deleted))
        results = (
            answers.deleted(index, item_id, collection, known) for index, item_id in enumerate(ids)
        )
        return ItemResults(collection, tuple(results))

    @needs(Scope.READ, of="collection")
    async def items(
        self,
        collection: str,
        *,
        page_size: int = 100,
        page_token: str = "",
        filter: Mapping[str, Any] | None = None,
        with_vectors: bool = False,
    ) -> ItemPage:
        """Lists items in the order they were stored; a page is never longer than `max_k`."""
        condition = EVERYTHING if filter is None else parse_filter(filter)
        size = min(page_size, self._settings.max_k)
        page = await self._on(
            collection,
            lambda opened: opened.items(page_size=size, page_token=page_token, filter=condition),
        )
        items = tuple(stored_item(item, with_vector=with_vectors) for item in page.items)
        return ItemPage(collection, items, page.next_page_token)

    @needs(Scope.READ, of="collection")
    async def item(self, collection: str, item_id: str, *, with_vector: bool = False) -> StoredItem:
        """Returns one item.

        Raises:
            ItemNotFound: If there is none of this id.
        """
        found = await self._on(collection, lambda opened: opened.get(item_id))
        return stored_item(found, with_vector=with_vector)

    @needs(Scope.READ, of="collection")
    async def content(self, collection: str, item_id: str) -> tuple[bytes, str]:
        """Returns an item's stored media and its MIME type.

        Raises:
            ItemNotFound: If there is no such item, or its media were not kept.
        """
        kept = await self._on(collection, lambda opened: opened.get_content(item_id))
        return kept.data, kept.mime

    @needs(Scope.READ, of="collection")
    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items to a weighted mix of contents.

        Raises:
            ItemFailed: The first bad part of the query.
            InputsCancel: If its parts add up to nothing.
        """
        began = time.perf_counter()
        self._check(query)
        opened, served = await self._opened(collection)
        contents = [part.content for part in query.parts]
        parts = answers.all_of(await served.embed(contents, opened))
        request = search_request(query, parts)
        searched = time.perf_counter()
        with self._telemetry.stage("search", terms.get().transport):
            answer = await asyncio.to_thread(opened.search, request)
        return SearchAnswer(
            collection=opened.name,
            hits=tuple(search_hit(hit) for hit in answer.hits),
            space=opened.space_id,
            index=answer.index,
            exact=answer.exact,
            ranking=answer.ranking,
            treatments=tuple(part.treatment for part in parts),
            timing_ms=answers.timing(parts, began, searched),
        )

    def _readable(self) -> Iterator[CollectionInfo]:
        for name in filter(caller.get().sees, self._store.list()):
            try:
                yield collection_info(self._store.open(name))
            except CollectionNotFound:
                continue  # deleted meanwhile
            except StoreUnavailable:
                raise
            except StorageError as error:
                log.error("collection %s cannot be opened", name, exc_info=error)

    def _check(self, query: SearchQuery) -> None:
        check_count(len(query.parts), self._settings.max_items)
        if query.k > self._settings.max_k:
            raise TooManyItems(f"k must be at most {self._settings.max_k}, got {query.k}")

    async def _on(self, collection: str, work: Callable[[Collection], T]) -> T:
        """Does work on a collection in a thread."""
        return await asyncio.to_thread(lambda: work(self._store.open(collection)))

    async def _opened(self, name: str) -> tuple[Collection, ServedModel]:
        """Returns a collection and the model of its space."""
        collection = await self._on(name, lambda opened: opened)
        return collection, self._models.of(collection)

    def _made(self, item: ItemInput, outcome: Outcome) -> Made:
        if isinstance(outcome, BaseException):
            return outcome
        try:
            return item_of(item, outcome, keep_content=self._settings.keep_content)
        except IndexesError as error:
            return error
