"""Lets concurrent requests share forward passes of one model.

    request --admit--> decode + prepare --> ready --> forward pass --> answer
             bounded    a few threads      oldest     one thread
                                           first

While one forward pass runs, the next batch is decoded and gathers; a batch is never waited for when
the model is idle. A failure is a value here, never the end of a worker: an item that can't be
prepared is answered with its error, and a batch that fails is split until the culprit is alone.
Work whose request was cancelled, by its client or its deadline, is dropped before the next step.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from embedder.base import Embedder, Prepared, Treatment, Vectors
from embedder.errors import EncodingFailed
from embedder.media import Media, Modality
from service.errors import DeadlineExceeded, Overloaded
from service.settings import Settings
from service.telemetry import Telemetry

Load = Callable[[], Media]
"""Decodes one item; runs in a thread and may raise."""

BATCH_COST: Mapping[Modality, int] = {
    Modality.TEXT: 4096,
    Modality.IMAGE: 32,
    Modality.AUDIO: 320,
}
"""Most work in one forward pass, in the unit of `Prepared.cost`: it bounds memory and time."""

READY_BYTES = 256 * 1024 * 1024
"""Once so much is prepared, decoding waits for forward passes: small files make large arrays."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Stages:
    """Seconds that one item spent in each stage."""

    decode: float = 0.0
    queue: float = 0.0
    embed: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Encoded:
    """A unit vector, shape (dim,), and how it came about; `cost` as in `Prepared.cost`."""

    vector: NDArray[np.float32]
    modality: Modality
    treatment: Treatment = field(default_factory=Treatment)
    stages: Stages = Stages()
    cost: int = 0


@dataclass(slots=True, eq=False)
class _Job:
    """A prepared item that waits for its forward pass."""

    prepared: Prepared
    answer: "asyncio.Future[Encoded | BaseException]"
    decode: float
    ready_at: float

    def settle(self, outcome: Encoded | BaseException) -> None:
        if not self.answer.done():
            self.answer.set_result(outcome)


class Batcher:
    """The queue in front of one model. An async context manager: entering starts its worker.

    Args:
        embedder: The model.
        settings: Bounds of queue, threads and time.
        telemetry: Where stages and batch sizes are counted.
    """

    def __init__(self, embedder: Embedder, settings: Settings, telemetry: Telemetry) -> None:
        self._embedder = embedder
        self._settings = settings
        self._telemetry = telemetry
        self._decoders = ThreadPoolExecutor(settings.decode_threads, "decode")
        self._forward = ThreadPoolExecutor(1, "forward")
        self._decoding = asyncio.Semaphore(2 * settings.decode_threads)
        self._ready: deque[_Job] = deque()
        self._wake = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._ready_bytes = 0
        self._admitted = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._seconds_per_item = 0.01  # a first guess; every forward pass corrects it
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "Batcher":
        """Starts the worker."""
        self._worker = asyncio.create_task(self._work())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for what has been admitted, then stops the worker."""
        await self._idle.wait()
        if self._worker:
            self._worker.cancel()
        for pool in (self._decoders, self._forward):
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    async def embed(self, loads: Sequence[Load]) -> list[Encoded | BaseException]:
        """Decodes, prepares and encodes items; each has its vector, or the error that it alone met.

        Raises:
            Overloaded: If the queue has no room for all of them.
            DeadlineExceeded: If they are not done in time.
        """
        self._admit(len(loads))
        try:
            return await self._embed(loads)
        finally:
            self._admit(-len(loads))

    async def probe(self, media: Media) -> Encoded | BaseException:
        """Embeds an item the same way, but is never refused: a full queue is no illness."""
        try:
            return (await self._embed([lambda: media]))[0]
        except DeadlineExceeded as error:
            return error

    async def _embed(self, loads: Sequence[Load]) -> list[Encoded | BaseException]:
        try:
            async with asyncio.timeout(self._settings.request_seconds):
                return list(await asyncio.gather(*(self._embed_one(load) for load in loads)))
        except TimeoutError:
            limit = self._settings.request_seconds
            raise DeadlineExceeded(f"not embedded within {limit:g} s; dropped") from None

    @property
    def ready_items(self) -> int:
        """Items that are prepared and wait for a forward pass."""
        return len(self._ready)

    def _admit(self, items: int) -> None:
        """Counts items in, or with a negative number out."""
        total, limit = self._admitted + items, self._settings.queue_size
        if items > 0 and total > limit:
            wait = max(1, math.ceil(self._admitted * self._seconds_per_item))
            raise Overloaded(
                f"{self._admitted} items wait and {items} more would pass queue_size {limit}",
                retry_after=wait,
            )
        self._admitted = total
        (self._idle.clear if total else self._idle.set)()
        self._telemetry.queue_items.labels(self._embedder.name).set(total)

    async def _embed_one(self, load: Load) -> Encoded | BaseException:
        async with self._decoding:
            await self._room.wait()
            prepared = await _settled(self._decoders, self._prepare, load)
        if isinstance(prepared, BaseException):
            return prepared
        item, seconds = prepared
        answer: asyncio.Future[Encoded | BaseException] = asyncio.get_running_loop().create_future()
        self._ready.append(_Job(item, answer, seconds, time.perf_counter()))
        self._wake.set()
        self._count_ready(self._ready_bytes + item.array.nbytes)
        return await answer

    def _count_ready(self, size: int) -> None:
        """Lets decoding go on while what is ready fits the memory meant for it."""
        self._ready_bytes = size
        (self._room.set if size < READY_BYTES else self._room.clear)()

    def _prepare(self, load: Load) -> tuple[Prepared, float]:
        began = time.perf_counter()
        prepared = self._embedder.prepare(load())
        seconds = time.perf_counter() - began
        self._telemetry.stage_seconds.labels("decode").observe(seconds)
        return prepared, seconds

    async def _work(self) -> None:
        while True:
            await self._wake.wait()
            if batch := self._take():
                await self._run(batch)
            else:
                self._wake.clear()

    def _take(self) -> list[_Job]:
        """Takes the oldest job and as many more of its modality as one forward pass may cost."""
        waiting = [job for job in self._ready if not job.answer.done()]
        batch: list[_Job] = []
        rest: deque[_Job] = deque()
        cost = 0
        for job in waiting:
            item, oldest = job.prepared, waiting[0].prepared
            fits = cost + item.cost <= BATCH_COST[oldest.modality]
            if item is oldest or (item.modality == oldest.modality and fits):
                batch.append(job)
                cost += item.cost
            else:
                rest.append(job)
        self._ready = rest
        self._count_ready(sum(job.prepared.array.nbytes for job in rest))
        return batch

    async def _run(self, jobs: Sequence[_Job]) -> None:
        """Encodes the jobs together; if that fails, each half on its own, down to the culprit."""
        jobs = [job for job in jobs if not job.answer.done()]
        if not jobs:
            return
        began = time.perf_counter()
        vectors = await _settled(self._forward, self._encode, [job.prepared for job in jobs])
        seconds = time.perf_counter() - began
        if not isinstance(vectors, BaseException):
            self._observe(jobs, seconds)
            for job, vector in zip(jobs, vectors, strict=True):
                stages = Stages(job.decode, began - job.ready_at, seconds)
                item = job.prepared
                job.settle(Encoded(vector, item.modality, item.treatment, stages, item.cost))
        elif len(jobs) == 1:
            jobs[0].settle(vectors)
        else:
            middle = len(jobs) // 2
            await self._run(jobs[:middle])
            await self._run(jobs[middle:])

    def _encode(self, batch: Sequence[Prepared]) -> Vectors:
        vectors = self._embedder.encode(batch)
        expected = (len(batch), self._embedder.space.dim)
        if vectors.shape != expected:
            raise EncodingFailed(f"encode must answer shape {expected}, got {vectors.shape}")
        return vectors

    def _observe(self, jobs: Sequence[_Job], seconds: float) -> None:
        modality = jobs[0].prepared.modality
        self._telemetry.batch_items.labels(self._embedder.name, modality).observe(len(jobs))
        self._telemetry.stage_seconds.labels("embed").observe(seconds)
        for job in jobs:
            waited = time.perf_counter() - seconds - job.ready_at
            self._telemetry.stage_seconds.labels("queue").observe(max(0.0, waited))
        self._seconds_per_item += 0.2 * (seconds / len(jobs) - self._seconds_per_item)


async def _settled(
    pool: ThreadPoolExecutor, function: Callable[..., T], *args: object
) -> T | BaseException:
    """Runs the function in the pool and returns its result or its exception, whichever it is.

    An awaited future would raise, and hang for ever on StopIteration, which asyncio can't carry.
    """
    loop = asyncio.get_running_loop()
    done = asyncio.Event()
    future: Future[T] = pool.submit(function, *args)
    future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))
    try:
        await done.wait()
    finally:
        future.cancel()
    error = future.exception()
    return future.result() if error is None else error
