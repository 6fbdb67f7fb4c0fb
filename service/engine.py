"""The use cases: everything Kindred does, asked and answered in `service.messages`.

Errors are those of `embedder.errors`, `indexes.errors` and `service.errors`, whose table alone
knows what they are called on the wire. Forward passes run in the queue of their model, work on the
disk in threads: the event loop only translates and waits.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal, TypeVar

from embedder import catalog
from embedder.base import Embedder
from indexes.collection import Collection
from indexes.errors import IndexesError
from indexes.filters import EVERYTHING, parse_filter
from indexes.item import Item
from indexes.opening import open_store
from indexes.store import Store
from service import answers
from service.answers import Made, Outcome
from service.batching import Encoded
from service.errors import InvalidRequest, TooManyItems
from service.messages import (
    CollectionInfo,
    Content,
    EmbedAnswer,
    ItemInput,
    ItemPage,
    ItemResult,
    ModelInfo,
    RankAnswer,
    Readiness,
    SearchAnswer,
    SearchQuery,
    StoredItem,
)
from service.mixing import search_request
from service.served import Models, ServedModel
from service.settings import Settings
from service.stored import collection_info, item_of, search_hit, stored_item
from service.telemetry import Telemetry

T = TypeVar("T")

OnError = Literal["item", "request"]
"""Whether one bad content costs itself alone or the whole request."""


class Engine:
    """Embeds, stores and searches. One instance serves every transport of a process.

    An async context manager: entering loads the models, opens the store and starts the workers,
    leaving drains them and closes the store.

    Args:
        settings: What to serve, from where, within which limits.
        embedders: Models to serve instead of those that the settings name.
    """

    def __init__(self, settings: Settings, embedders: Sequence[Embedder] = ()) -> None:
        self.settings = settings
        self.telemetry = Telemetry()
        self._embedders = embedders
        self._models: Models
        self._store: Store
        self._running = AsyncExitStack()

    async def __aenter__(self) -> "Engine":
        """Loads, opens and starts.

        Raises:
            ModelNotFound: If a model of the settings is not in the catalogue.
            WeightsError: If its weights are missing or damaged.
            StorageError: If the data folder cannot be used.
        """
        async with AsyncExitStack() as starting:
            self._store = await asyncio.to_thread(open_store, self.settings.data)
            starting.push_async_callback(asyncio.to_thread, self._store.close)
            embedders = self._embedders or await asyncio.to_thread(self._load)
            self._models = Models(embedders, self.settings, self.telemetry)
            await starting.enter_async_context(self._models)
            self._running = starting.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Drains and closes."""
        await self._running.aclose()

    def _load(self) -> list[Embedder]:
        settings = self.settings
        return [
            catalog.load(
                name,
                threads=settings.forward_threads,
                runtime=settings.chosen_runtime,
                cache=settings.cache,
            )
            for name in settings.models
        ]

    def models(self) -> tuple[ModelInfo, ...]:
        """Returns the served models, the default one first."""
        return tuple(served.info for served in self._models.served)

    def model(self, name: str) -> ModelInfo:
        """Returns one served model; others are ModelNotFound, as in every method that names one."""
        return self._models.named(name).info

    async def embed(
        self,
        contents: Sequence[Content],
        *,
        model: str | None = None,
        dimensions: int | None = None,
        on_error: OnError = "item",
    ) -> EmbedAnswer:
        """Embeds each content; a bad one costs itself alone and has an error in its place.

        Args:
            contents: What to embed.
            model: A served model; None means the default one.
            dimensions: Keep only so many leading numbers of each vector, and make it unit again.
            on_error: With "request" the first bad content fails the request instead.

        Raises:
            ItemFailed: The first bad content, if it fails the request.
        """
        began = time.perf_counter()
        served = self._models.named(model)
        self._check_count(len(contents))
        dim = served.checked_dim(dimensions)
        outcomes = await served.embed(contents)
        if on_error == "request":
            answers.all_of(outcomes)
        return EmbedAnswer(
            model=served.info.name,
            space=served.info.space,
            results=tuple(answers.embedded(i, each, dim) for i, each in enumerate(outcomes)),
            units=sum(each.cost for each in outcomes if isinstance(each, Encoded)),
            timing_ms=answers.timing(outcomes, began),
        )

    async def rank(
        self, query: Content, candidates: Sequence[Content], *, model: str | None = None
    ) -> RankAnswer:
        """Scores candidates against the query: zero-shot classification.

        Raises:
            ItemFailed: The first bad content; item 0 is the query, item 1 the first candidate.
        """
        began = time.perf_counter()
        served = self._models.named(model)
        self._check_count(len(candidates))
        first, *rest = answers.all_of(await served.embed([query, *candidates]))
        return RankAnswer(
            model=served.info.name,
            space=served.info.space,
            candidates=answers.ranked(first, rest, served.embedder.logit_scale),
            timing_ms=answers.timing([first, *rest], began),
        )

    async def create_collection(self, name: str, *, model: str | None = None) -> CollectionInfo:
        """Creates a collection in a model's space.

        Raises:
            CollectionExists: If the name is taken.
            InvalidName: If it is not a name.
        """
        served = self._models.named(model)
        return await asyncio.to_thread(lambda: collection_info(served.create(self._store, name)))

    async def collections(self) -> tuple[CollectionInfo, ...]:
        """Returns every collection, by name."""
        names = await asyncio.to_thread(self._store.list)
        return tuple([await self.collection(name) for name in names])

    async def collection(self, name: str) -> CollectionInfo:
        """Returns one collection; unknown ones are CollectionNotFound, as in every method."""
        return await self._on(name, collection_info)

    async def delete_collection(self, name: str) -> None:
        """Deletes a collection and everything in it."""
        await asyncio.to_thread(self._store.delete, name)

    async def upsert(self, collection: str, items: Sequence[ItemInput]) -> tuple[ItemResult, ...]:
        """Stores items, each on its own: a bad one costs itself alone.

        What is answered as stored is on disk and found by the next search.

        Raises:
            SpaceMismatch: If no served model makes vectors of the collection's space.
        """
        self._check_count(len(items))
        opened, served = await self._opened(collection)
        outcomes = await served.embed([item.content for item in items], opened)
        made = [self._made(*pair) for pair in zip(items, outcomes, strict=True)]
        with self.telemetry.stage("store"):
            await asyncio.to_thread(opened.upsert, [it for it in made if isinstance(it, Item)])
        return tuple(
            answers.upserted(index, *parts)
            for index, parts in enumerate(zip(items, outcomes, made, strict=True))
        )

    async def delete_items(self, collection: str, ids: Sequence[str]) -> tuple[ItemResult, ...]:
        """Deletes items by id; an unknown id has ITEM_NOT_FOUND in its result."""
        self._check_count(len(ids))
        known = frozenset(await self._on(collection, lambda opened: opened.delete(ids)))
        return tuple(
            answers.deleted(index, item_id, collection, known) for index, item_id in enumerate(ids)
        )

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
        size = min(page_size, self.settings.max_k)
        page = await self._on(
            collection,
            lambda opened: opened.items(page_size=size, page_token=page_token, filter=condition),
        )
        items = tuple(stored_item(item, with_vector=with_vectors) for item in page.items)
        return ItemPage(items, page.next_page_token)

    async def item(self, collection: str, item_id: str, *, with_vector: bool = False) -> StoredItem:
        """Returns one item.

        Raises:
            ItemNotFound: If there is none of this id.
        """
        found = await self._on(collection, lambda opened: opened.get(item_id))
        return stored_item(found, with_vector=with_vector)

    async def content(self, collection: str, item_id: str) -> tuple[bytes, str]:
        """Returns an item's stored media and its MIME type.

        Raises:
            ItemNotFound: If there is no such item, or its media were not kept.
        """
        kept = await self._on(collection, lambda opened: opened.get_content(item_id))
        return kept.data, kept.mime

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items to a weighted mix of contents.

        Raises:
            ItemFailed: The first bad part of the query.
            CancelledOut: If its parts add up to nothing.
        """
        began = time.perf_counter()
        self._check_count(len(query.parts))
        if query.k > self.settings.max_k:
            raise TooManyItems(f"k must be at most {self.settings.max_k}, got {query.k}")
        opened, served = await self._opened(collection)
        contents = [part.content for part in query.parts]
        parts = answers.all_of(await served.embed(contents, opened))
        request = search_request(query, parts)
        searched = time.perf_counter()
        with self.telemetry.stage("search"):
            answer = await asyncio.to_thread(opened.search, request)
        return SearchAnswer(
            hits=tuple(search_hit(hit) for hit in answer.hits),
            space=opened.space_id,
            index=answer.index,
            exact=answer.exact,
            ranking=answer.ranking,
            treatments=tuple(part.treatment for part in parts),
            timing_ms=answers.timing(parts, began, searched),
        )

    async def readiness(self) -> Readiness:
        """Tells whether every model has lately embedded a probe of each of its modalities."""
        failed = await self._models.failures()
        return Readiness(not failed, failed)

    def _check_count(self, count: int) -> None:
        limit = self.settings.max_items
        if count < 1:
            raise InvalidRequest("a request must hold at least one item, got none")
        if count > limit:
            raise TooManyItems(f"a request may hold at most {limit} items, got {count}")

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
            return item_of(item, outcome, keep_content=self.settings.keep_content)
        except IndexesError as error:
            return error
