"""The queue in front of one model, as a request sees it: let in or refused, in time or not."""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from embedder.base import Embedder
from embedder.media import Media
from service.batching.cache import VectorCache
from service.batching.job import Encoded, Job, Load, Order, Outcome
from service.batching.pipeline import Pipeline, Settled
from service.batching.traced import trace_stages
from service.errors import DeadlineExceeded, Overloaded
from service.settings import Settings
from service.telemetry import Telemetry
from service.terms import Priority, Terms

NO_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class Work:
    """One item that is to be embedded.

    Attributes:
        load: Decodes it.
        key: Digest of the content; items of one key have one vector. None: nobody knows.
        is_light: Whether to load and prepare it takes less than to wake a thread.
    """

    load: Load
    key: bytes | None = None
    is_light: bool = False


class Batcher:
    """Lets concurrent requests share forward passes. An async context manager.

    What is asked for twice at the same time is embedded once. Work whose request was cancelled, by
    its client or its deadline, is dropped before the next step.

    Args:
        embedder: The model.
        settings: Bounds of queue, threads, time and cache.
        telemetry: Where stages and batch sizes are counted.
    """

    def __init__(self, embedder: Embedder, settings: Settings, telemetry: Telemetry) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._name = embedder.name
        self._pipeline = Pipeline(embedder, settings, telemetry, self._tell)
        self._cache = VectorCache(settings.vector_cache_bytes, embedder.name, telemetry)
        self._flights: dict[tuple[bytes | None, Priority], Job] = {}
        self._admitted = Counter[tuple[str, Priority]]()
        self._idle = asyncio.Event()
        self._idle.set()
        self._loop: asyncio.AbstractEventLoop

    async def __aenter__(self) -> "Batcher":
        """Starts the threads."""
        self._loop = asyncio.get_running_loop()
        self._pipeline.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for what has been admitted, then ends the threads."""
        await self._idle.wait()
        await asyncio.to_thread(self._pipeline.stop)

    @property
    def ready_items(self) -> int:
        """Items that are prepared and wait for a forward pass."""
        return self._pipeline.ready_items

    async def embed(self, work: Sequence[Work], terms: Terms = NO_TERMS) -> list[Outcome]:
        """Decodes, prepares and encodes items; each has its vector, or the error that it alone met.

        Raises:
            Overloaded: If the queue has no room for all of them.
            DeadlineExceeded: If they are not done in time.
        """
        began, order = time.perf_counter(), Order(len(work), terms)
        missing = self._remembered(order, work)
        self._admit(terms, len(missing))
        try:
            outcomes = await self._done(order, work, missing)
        finally:
            self._count(terms, -len(missing))
        trace_stages(self._telemetry.traces, self._name, outcomes, began)
        return outcomes

    async def probe(self, media: Media) -> Outcome:
        """Embeds an item the same way, but is never refused: a full queue is no illness."""
        try:
            return (await self._done(Order(1, NO_TERMS), [Work(lambda: media)], [0]))[0]
        except DeadlineExceeded as error:
            return error

    def _remembered(self, order: Order, work: Sequence[Work]) -> list[int]:
        """Fills in what the cache has, and returns the places of the rest."""
        missing = []
        for index, each in enumerate(work):
            if encoded := self._cache.get(each.key):
                order.fill(index, encoded)
            else:
                missing.append(index)
        return missing

    def _admit(self, terms: Terms, items: int) -> None:
        """Lets items in while there is room, or while their caller has less than a fair part.

        Raises:
            Overloaded: If there is no room.
        """
        total, limit = self._admitted.total(), self._settings.queue_size
        own = self._admitted[terms.caller, terms.lane]
        fair = limit // len({*self._admitted, (terms.caller, terms.lane)})
        if items and total + items > limit and own + items > fair:
            wait = max(1, math.ceil(total * self._pipeline.seconds_per_item))
            raise Overloaded(
                f"{total} items wait and {items} more would pass queue_size {limit}",
                retry_after=wait,
            )
        self._count(terms, items)

    def _count(self, terms: Terms, items: int) -> None:
        claim = terms.caller, terms.lane
        self._admitted[claim] += items
        if not self._admitted[claim]:
            del self._admitted[claim]
        total = self._admitted.total()
        (self._idle.clear if total else self._idle.set)()
        self._telemetry.queue_items.labels(self._name).set(total)

    async def _done(
        self, order: Order, work: Sequence[Work], missing: Sequence[int]
    ) -> list[Outcome]:
        """Has the missing items embedded and waits for the order."""
        limit = min(self._settings.request_seconds, order.terms.remaining)
        self._enqueue(order, work, missing)
        due = self._loop.call_later(limit, order.give_up, limit)
        try:
            await order.finished
        except (DeadlineExceeded, asyncio.CancelledError):
            self._pipeline.discard()
            raise
        finally:
            due.cancel()
        outcomes = order.outcomes()
        for outcome in outcomes:
            if isinstance(outcome, DeadlineExceeded):
                raise outcome
        return outcomes

    def _enqueue(self, order: Order, work: Sequence[Work], missing: Sequence[int]) -> None:
        fresh = []
        for index in missing:
            flight = self._flights.get((work[index].key, order.terms.lane))
            # What nobody wants any more may have been dropped a moment ago.
            if flight and flight.is_wanted:
                self._telemetry.cache_coalesced.labels(self._name).inc()
            else:
                flight = self._launched(work[index], order.terms)
                fresh.append(flight)
            flight.waiting.append((order, index))
        self._pipeline.push(fresh)

    def _launched(self, work: Work, terms: Terms) -> Job:
        job = Job(work.load, terms.caller, terms.lane, terms.transport, work.is_light, work.key)
        if work.key:
            self._flights[work.key, terms.lane] = job
        return job

    def _tell(self, settled: Settled) -> None:
        """Takes what became of jobs from a thread to the event loop."""
        self._loop.call_soon_threadsafe(self._told, settled)

    def _told(self, settled: Settled) -> None:
        for job, outcome in settled:
            if job.key and self._flights.get((job.key, job.priority)) is job:
                del self._flights[job.key, job.priority]
            if job.key and isinstance(outcome, Encoded):
                self._cache.put(job.key, outcome)
            job.settle(outcome)
