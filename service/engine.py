"""The use cases: everything Kindred does, asked and answered in `service.messages`.

Errors are those of `embedder.errors`, `indexes.errors` and `service.errors`, whose table alone
knows what they are called on the wire. Forward passes run in the queue of their model, work on the
disk in threads: the event loop only translates and waits.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Literal

from embedder import catalog
from embedder.base import Embedder
from indexes.derived.partition import Layout
from indexes.errors import StorageError
from indexes.local.tuning import Tuning
from indexes.opening import open_store
from indexes.store import Store
from service import answers
from service.access.caller import Scope
from service.access.guard import Guard
from service.access.needs import needs
from service.aliases import Aliases
from service.batching import Encoded
from service.bodies import Bodies
from service.collections import Collections
from service.conditioning.conditions import Conditions
from service.conditioning.densities import Densities
from service.conditioning.pictures import Pictures
from service.intake import check_count
from service.jobs.jobs import Jobs
from service.machine import Machine
from service.messages import Content, EmbedAnswer, ModelInfo, RankAnswer, Readiness
from service.models import Models
from service.settings import Settings
from service.snapshots import Snapshots
from service.tables import Tables
from service.telemetry import Telemetry

OnError = Literal["item", "request"]
"""Whether one bad content costs itself alone or the whole request."""


def opened_store(settings: Settings) -> Store:
    """Opens the store that settings name.

    Raises:
        StorageError: If it cannot be used.
    """
    tuning = Tuning(Layout(exact=settings.exact_rows), threads=settings.search_threads)
    try:
        return open_store(settings.store_address, tuning)
    except StorageError as error:
        raise type(error)(f"{'store' if settings.store else 'data'}: {error}") from error


class Engine:
    """Embeds, stores and searches. One instance serves every transport of a process.

    An async context manager: entering loads the models, opens the store and starts the workers,
    leaving drains them and closes the store.

    Args:
        settings: What to serve, from where, within which limits.
        embedders: Models to serve instead of those that the settings name.

    Attributes:
        collections: What is done with collections and their items.
        aliases: What is done with names that stand for collections.
        snapshots: What is done with files that hold a collection.
        tables: What is done with Parquet files.
        conditions: What is asked of conditioning.
        densities: What is asked of how usual something is.
        pictures: What is asked of the generator of pictures.
        jobs: Long work; a server enters it.
        guard: Knows who may call.
        bodies: Counts what requests hold.
    """

    collections: Collections
    aliases: Aliases
    snapshots: Snapshots
    tables: Tables
    conditions: Conditions
    densities: Densities
    pictures: Pictures
    jobs: Jobs

    def __init__(self, settings: Settings, embedders: Sequence[Embedder] = ()) -> None:
        self.settings = settings
        self.telemetry = Telemetry(settings.traces)
        self.telemetry.registry.register(Machine(settings.data))
        self.guard = Guard(settings)
        self.bodies = Bodies(settings.max_pending_bytes)
        self._embedders = embedders
        self._models: Models
        self._is_leaving = False
        self._running = AsyncExitStack()

    async def __aenter__(self) -> "Engine":
        """Loads, opens and starts.

        Raises:
            ModelNotFound: If a model of the settings is not in the catalogue.
            WeightsError: If its weights are missing or damaged.
            StorageError: If the store cannot be used.
        """
        settings = self.settings
        async with AsyncExitStack() as starting:
            starting.push_async_callback(asyncio.to_thread, self.telemetry.traces.close)
            store = await asyncio.to_thread(opened_store, settings)
            starting.push_async_callback(asyncio.to_thread, store.close)
            embedders = self._embedders or await asyncio.to_thread(self._load)
            self._models = Models(embedders, settings, self.telemetry)
            await starting.enter_async_context(self._models)
            self.collections = Collections(store, self._models, settings, self.telemetry)
            self.aliases = Aliases(store)
            self.snapshots = Snapshots(store, self._models, settings)
            await asyncio.to_thread(self.snapshots.sweep)
            self.tables = Tables(store, self._models, settings)
            self.densities = Densities(store, self._models, settings)
            self.conditions = await asyncio.to_thread(
                Conditions, store, self._models, self.densities, settings
            )
            self.pictures = Pictures(self.conditions, settings)
            self.jobs = Jobs(self.collections, self.aliases, settings, self.telemetry)
            self._running = starting.pop_all()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Drains and closes; whoever is stopped while they ask waits for no decoder."""
        if kind is not None:
            self._models.abandon()
        await self._running.aclose()

    def _load(self) -> list[Embedder]:
        settings = self.settings
        return [catalog.load(name, settings.placement) for name in settings.models]

    def models(self) -> tuple[ModelInfo, ...]:
        """Returns the served models, the default one first."""
        return tuple(served.info for served in self._models.served)

    def model(self, name: str) -> ModelInfo:
        """Returns one served model; others are ModelNotFound, as in every method that names one."""
        return self._models.named(name).info

    @needs(Scope.READ)
    async def embed(
        self,
        contents: Sequence[Content],
        *,
        model: str | None = None,
        dimensions: int | None = None,
        on_error: OnError = "item",
        windows: bool = False,
    ) -> EmbedAnswer:
        """Embeds each content; a bad one costs itself alone and has an error in its place.

        Args:
            contents: What to embed.
            model: A served model; None means the default one.
            dimensions: Keep only so many leading numbers of each vector, and make it unit again.
            on_error: With "request" the first bad content fails the request instead.
            windows: Whether each content comes with the vectors of its windows as well.

        Raises:
            ItemFailed: The first bad content, if it fails the request.
        """
        began = time.perf_counter()
        served = self._models.named(model)
        check_count(len(contents), self.settings.max_items)
        dim = served.checked_dim(dimensions)
        whole = await served.embed(contents, windows=windows)
        outcomes = [answers.cut(outcome, dim) for outcome in whole]
        if on_error == "request":
            answers.all_of(outcomes)
        return EmbedAnswer(
            model=served.info.name,
            space=served.info.space,
            results=tuple(answers.embedded(i, each) for i, each in enumerate(outcomes)),
            units=sum(each.cost for each in outcomes if isinstance(each, Encoded)),
            timing_ms=answers.timing(outcomes, began),
        )

    @needs(Scope.READ)
    async def rank(
        self, query: Content, candidates: Sequence[Content], *, model: str | None = None
    ) -> RankAnswer:
        """Scores candidates against the query: zero-shot classification.

        Raises:
            ItemFailed: The first bad content; item 0 is the query, item 1 the first candidate.
        """
        began = time.perf_counter()
        served = self._models.named(model)
        check_count(len(candidates), self.settings.max_items)
        first, *rest = answers.all_of(await served.embed([query, *candidates]))
        return RankAnswer(
            model=served.info.name,
            space=served.info.space,
            candidates=answers.ranked(first, rest, served.embedder.logit_scale),
            timing_ms=answers.timing([first, *rest], began),
        )

    def leave(self) -> None:
        """Is not ready from now on, so that nobody is sent here any more, and answers who is."""
        self._is_leaving = True

    async def readiness(self) -> Readiness:
        """Tells whether every model has lately embedded a probe of each of its modalities."""
        if self._is_leaving:
            return Readiness(False, {"server": "it is about to stop"})
        failed = await self._models.failures()
        return Readiness(not failed, failed)
