"""The threads between a request and its vectors.

    push --> decode + prepare --> ready --> forward pass --> settle
           a few threads a lane            one or two threads a line

What is light is prepared by who pushes it: to wake a thread would take longer. While a forward pass
runs, the next batch is decoded and gathers; a batch is never waited for when the model is idle.
Texts, and of both lanes, stand in lines of their own, so that none waits for a long pass of others
to end; those of bulk run in threads of lower priority. Threads take their work themselves: the
event loop hears of whole batches only. A failure is a value here, never the end of a thread.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from embedder.base import Embedder, Prepared, Vectors
from embedder.errors import EncodingFailed
from embedder.media import Modality
from service.batching.fair import FairQueue
from service.batching.job import Job, Outcome
from service.batching.lines import LINES, Line, give_way
from service.batching.pace import Pace
from service.errors import DeadlineExceeded
from service.settings import Settings
from service.telemetry import Telemetry
from service.terms import Priority

READY_BYTES: Mapping[Priority, int] = {
    Priority.INTERACTIVE: 256 * 1024 * 1024,
    Priority.BULK: 128 * 1024 * 1024,
}
"""Once so much is prepared, decoding waits for forward passes: small files make large arrays."""

TEXT_SHARE, QUEUE_SHARE = 0.5, 0.25
"""Part of what waits that a pass may take however long that is: where much waits, large passes
clear it sooner, and add little to the wait of each. Of texts more: a pass reads all weights for few
tokens each, so that doubling serves a tenth more; with pictures it only makes the slowest slower.
By `python -m benchmarks.serve`, 32 clients and the open loop."""

LATELY_SECONDS = 5.0
"""How long after interactive work bulk is cut short: more of it is likely."""

Bound = Callable[[Modality | None], float | None]
"""Most cost of jobs of a kind to take at once; None closes the queue for now."""

Settled = Sequence[tuple[Job, Outcome]]

T = TypeVar("T")


class Pipeline:
    """Decodes and encodes what is pushed.

    Args:
        embedder: The model.
        settings: How many threads decode and prepare, and how long a forward pass may take.
        telemetry: Where stages and batch sizes are counted.
        settle: Hears what became of jobs; called from threads.
    """

    def __init__(
        self,
        embedder: Embedder,
        settings: Settings,
        telemetry: Telemetry,
        settle: Callable[[Settled], None],
    ) -> None:
        self._embedder = embedder
        self._settings = settings
        self._telemetry = telemetry
        self._settle = settle
        self._raw = {lane: FairQueue() for lane in Priority}
        self._ready = {line: FairQueue() for line in LINES}
        self._ready_bytes = 0
        self._asked_at = -float("inf")
        self._passes = Counter[Line]()
        self._stopped = False
        self._lock = threading.Lock()
        self._decodable = {lane: threading.Condition(self._lock) for lane in Priority}
        self._encodable = {line: threading.Condition(self._lock) for line in LINES}
        self._pace = Pace()
        self._most = {line: 1 if line.texts else settings.forward_passes for line in LINES}
        steps = [(f"decode {lane}", partial(self._decode, lane)) for lane in Priority]
        steps *= settings.decode_threads
        for line, most in self._most.items():
            steps += [(f"encode {line.lane}", partial(self._encode, line))] * most
        self._threads = [
            threading.Thread(target=step, name=name, daemon=True) for name, step in steps
        ]

    @property
    def ready_items(self) -> int:
        """Items that are prepared and wait for a forward pass."""
        return sum(map(len, self._ready.values()))

    @property
    def seconds_per_item(self) -> float:
        """What an item of late took of the forward passes."""
        return self._pace.seconds_per_item

    def start(self) -> None:
        """Starts the threads."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Ends the threads once they have done what they do."""
        with self._lock:
            self._stopped = True
            for awake in (*self._decodable.values(), *self._encodable.values()):
                awake.notify_all()
        for thread in self._threads:
            thread.join()

    def push(self, jobs: Sequence[Job]) -> None:
        """Adds jobs that are to be decoded."""
        light = [job for job in jobs if job.is_light and self._is_prepared(job)]
        with self._lock:
            for job in jobs:
                if not job.is_light:
                    self._raw[job.priority].push(job)
                    self._decodable[job.priority].notify()
            self._make_ready(light)

    def discard(self) -> None:
        """Forgets what nobody waits for any more."""
        with self._lock:
            for queue in self._raw.values():
                queue.discard()
            for queue in self._ready.values():
                self._count(-_bytes(queue.discard()))

    def _count(self, size: int) -> None:
        self._ready_bytes += size
        for lane, queue in self._raw.items() if size < 0 else ():
            if len(queue):
                self._decodable[lane].notify_all()

    def _taken(self, awake: threading.Condition, queue: FairQueue, bound: Bound) -> list[Job]:
        """Waits, with the lock, for jobs of a queue and takes them; none means that it is over."""
        while not self._stopped:
            if len(queue) and (limit := bound(queue.next_kind)) is not None:
                jobs = queue.take(limit)
                self._count(-_bytes(jobs))
                return jobs
            awake.wait()
        return []

    def _decode(self, lane: Priority) -> None:
        while self._decode_next(lane):
            pass

    def _encode(self, line: Line) -> None:
        if line.lane is Priority.BULK:
            give_way(self._settings.bulk_niceness)
        while self._encode_next(line):
            pass

    def _decode_next(self, lane: Priority) -> bool:
        """Prepares one item of a lane; returns whether to go on."""

        def bound(_: Modality | None) -> float | None:
            return 0.0 if self._ready_bytes < READY_BYTES[lane] else None

        with self._lock:
            jobs = self._taken(self._decodable[lane], self._raw[lane], bound)
        prepared = [job for job in jobs if job.is_wanted and self._is_prepared(job)]
        with self._lock:
            self._make_ready(prepared)
        return bool(jobs)

    def _is_prepared(self, job: Job) -> bool:
        """Decodes and prepares a job; one that can't be is settled."""
        began = time.perf_counter()
        prepared = settled(lambda: self._embedder.prepare(job.load()))
        if isinstance(prepared, BaseException):
            self._settle([(job, prepared)])
            return False
        job.make_ready(prepared, time.perf_counter() - began)
        self._telemetry.stage_seconds.labels("decode", job.transport).observe(job.decode)
        return True

    def _make_ready(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            line = Line(job.priority, job.kind is Modality.TEXT)
            self._ready[line].push(job)
            self._encodable[line].notify()
            if job.priority is Priority.INTERACTIVE:
                self._asked_at = time.monotonic()
        self._count(_bytes(jobs))

    def _encode_next(self, line: Line) -> bool:
        """Runs one forward pass; returns whether to go on."""
        bound = partial(self._encode_bound, line)
        with self._lock:
            jobs = self._taken(self._encodable[line], self._ready[line], bound)
            self._passes[line] += 1
        self._run([job for job in jobs if self._is_in_time(job)])
        with self._lock:
            self._passes[line] -= 1
        return bool(jobs)

    def _encode_bound(self, line: Line, kind: Modality | None) -> float | None:
        """Returns what a forward pass may cost: its part of what waits, and no more than pays.

        Who comes meanwhile waits for all of a pass; where much waits, that matters less.
        """
        waiting, running = self._ready[line].cost, self._passes[line]
        # Sums of costs are not exact: a hair more, lest the last item stay behind.
        part = 1.001 * waiting / (self._most[line] - running)
        paying = self._pace.cost_within(self._settings.pass_seconds, kind)
        clearing = (TEXT_SHARE if line.texts else QUEUE_SHARE) * waiting
        share = min(1.0, part, max(paying, clearing))
        lately = time.monotonic() - self._asked_at < LATELY_SECONDS
        if line.lane is Priority.INTERACTIVE or not lately:
            return share
        if running:
            return None  # one of bulk at a time, beside who asks
        return min(share, self._pace.cost_within(self._settings.bulk_pass_seconds, kind))

    def _is_in_time(self, job: Job) -> bool:
        """Tells whether a job is wanted and can be; one that can't be is settled."""
        if not job.is_wanted:
            return False
        needed, left = self._pace.least_seconds(job.kind), job.remaining
        if left < needed:
            late = f"a forward pass takes {needed:.3f} s and only {max(left, 0):.3f} s are left"
            self._settle([(job, DeadlineExceeded(late))])
        return left >= needed

    def _run(self, jobs: Sequence[Job]) -> None:
        """Encodes the jobs together; if that fails, each half on its own, down to the culprit."""
        if not jobs:
            return
        began = time.perf_counter()
        vectors = settled(lambda: self._encoded([job.prepared for job in jobs]))
        seconds = time.perf_counter() - began
        if not isinstance(vectors, BaseException):
            self._observe(jobs, began, seconds)
            rows = zip(jobs, vectors, strict=True)
            self._settle([(job, job.encoded(row, began, seconds)) for job, row in rows])
        elif len(jobs) == 1:
            self._settle([(jobs[0], vectors)])
        else:
            middle = len(jobs) // 2
            self._run(jobs[:middle])
            self._run(jobs[middle:])

    def _encoded(self, batch: Sequence[Prepared]) -> Vectors:
        vectors = self._embedder.encode(batch)
        expected = (len(batch), self._embedder.space.dim)
        if vectors.shape != expected:
            raise EncodingFailed(f"encode must answer shape {expected}, got {vectors.shape}")
        return vectors

    def _observe(self, jobs: Sequence[Job], began: float, seconds: float) -> None:
        kind, cost = jobs[0].kind, sum(job.cost for job in jobs)
        with self._lock:
            self._pace.observe(kind, cost, len(jobs), seconds)
        self._telemetry.batch_items.labels(self._embedder.name, kind).observe(len(jobs))
        stages = self._telemetry.stage_seconds
        # Requests of both transports share a forward pass: each has waited for all of it.
        for transport in sorted({job.transport for job in jobs}):
            stages.labels("embed", transport).observe(seconds)
        for job in jobs:
            stages.labels("queue", job.transport).observe(max(0.0, began - job.since))


def _bytes(jobs: Sequence[Job]) -> int:
    return sum(job.nbytes for job in jobs)


def settled(function: Callable[[], T]) -> T | BaseException:
    """Returns the function's result or its exception, whichever it is."""
    try:
        return function()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the item's own answer
        return error
