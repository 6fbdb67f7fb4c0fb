"""Who is next: interactive work first, bulk its share, and callers of one lane in turns.

Within a lane the caller who has been served least goes first, by cost and not by items; who comes
back after a pause has not saved up (start-time fair queueing: Goyal, Vin and Cheng, 1996).
"""

import time
from collections import deque
from collections.abc import Callable, Iterator

from embedder.media import Modality
from service.batching.job import Job
from service.terms import Priority

BULK_SHARE = 0.1
"""Part of the work that bulk gets however much interactive work waits."""

Bound = Callable[[Priority, Modality | None], float | None]
"""Most cost to take at once from a lane; None closes the lane for now."""


class FairQueue:
    """Jobs that wait for one stage. One thread at a time may touch it.

    Attributes:
        interactive_at: When interactive work last came, by `time.monotonic`.
    """

    def __init__(self) -> None:
        self.interactive_at = -float("inf")
        self._lanes = {priority: _Lane() for priority in Priority}
        self._owed = 0.0

    def __len__(self) -> int:
        """Returns how many jobs wait, the unwanted ones among them."""
        return sum(len(lane) for lane in self._lanes.values())

    def cost(self, priority: Priority) -> float:
        """Returns the cost of everything that waits in a lane."""
        return self._lanes[priority].cost

    def __iter__(self) -> Iterator[Job]:
        """Yields every job that waits."""
        for lane in self._lanes.values():
            yield from lane

    def push(self, job: Job) -> None:
        """Adds a job."""
        if job.priority is Priority.INTERACTIVE:
            self.interactive_at = time.monotonic()
        self._lanes[job.priority].push(job)

    def take(self, bound: Bound) -> list[Job]:
        """Takes the next job and those of its lane and kind that fit the bound with it."""
        for priority in self._turns():
            lane = self._lanes[priority]
            limit = bound(priority, lane.next_kind) if len(lane) else None
            if limit is not None and (taken := lane.take(limit)):
                self._account(priority, sum(job.cost for job in taken))
                return taken
        return []

    def discard(self) -> list[Job]:
        """Removes what nobody waits for any more, and returns it."""
        unwanted = [job for job in self if not job.is_wanted]
        if unwanted:
            for lane in self._lanes.values():
                lane.discard()
        return unwanted

    def _turns(self) -> tuple[Priority, ...]:
        lanes = (Priority.INTERACTIVE, Priority.BULK)
        return lanes[::-1] if self._owed > 0 else lanes

    def _account(self, priority: Priority, cost: float) -> None:
        """Notes what bulk is owed for work that went before it."""
        if not len(self._lanes[Priority.BULK]):
            self._owed = min(self._owed, 0.0)
        elif priority is Priority.INTERACTIVE:
            self._owed += cost * BULK_SHARE / (1 - BULK_SHARE)
        else:
            self._owed = self._owed - cost if len(self._lanes[Priority.INTERACTIVE]) else 0.0


class _Share:
    """What one caller waits for, by kind, and the cost of what they were given."""

    def __init__(self, served: float) -> None:
        self.served = served
        self.waiting: dict[Modality | None, deque[Job]] = {}

    @property
    def oldest_kind(self) -> Modality | None:
        return min(self.waiting, key=lambda kind: self.waiting[kind][0].since)

    def push(self, job: Job) -> None:
        self.waiting.setdefault(job.kind, deque()).append(job)

    def pop(self, kind: Modality | None) -> Job:
        jobs = self.waiting[kind]
        job = jobs.popleft()
        if not jobs:
            del self.waiting[kind]
        return job


class _Lane:
    """Jobs of one priority."""

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}
        self._clock = 0.0
        self.cost = 0.0

    def __len__(self) -> int:
        return sum(len(jobs) for share in self._shares.values() for jobs in share.waiting.values())

    def __iter__(self) -> Iterator[Job]:
        for share in self._shares.values():
            for jobs in share.waiting.values():
                yield from jobs

    @property
    def next_kind(self) -> Modality | None:
        return min(self._shares.values(), key=lambda share: share.served).oldest_kind

    def push(self, job: Job) -> None:
        share = self._shares.setdefault(job.caller, _Share(self._clock))
        share.push(job)
        self.cost += job.cost

    def take(self, limit: float) -> list[Job]:
        kind, taken, room = self.next_kind, list[Job](), limit
        while share := self._next_with(kind):
            job = share.waiting[kind][0]
            if taken and job.cost > room:
                break
            self._clock = max(self._clock, share.served)
            taken.append(share.pop(kind))
            share.served += job.cost
            room -= job.cost
            self.cost -= job.cost
            if not share.waiting:
                del self._shares[job.caller]
        if not self._shares:
            self.cost = 0.0  # differences of sums leave crumbs
        return taken

    def discard(self) -> None:
        """Keeps what is wanted."""
        kept = [job for job in self if job.is_wanted]
        served = {caller: share.served for caller, share in self._shares.items()}
        self._shares = {}
        self.cost = sum(job.cost for job in kept)
        for job in kept:
            self._shares.setdefault(job.caller, _Share(served[job.caller])).push(job)

    def _next_with(self, kind: Modality | None) -> _Share | None:
        having = (share for share in self._shares.values() if kind in share.waiting)
        return min(having, key=lambda share: share.served, default=None)
