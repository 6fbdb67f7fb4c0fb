"""Who is next: callers in turns.

The caller who has been served least goes first, by cost and not by items; who comes back after a
pause has not saved up (start-time fair queueing: Goyal, Vin and Cheng, 1996).
"""

from collections import deque
from collections.abc import Iterator

from embedder.media import Modality
from service.batching.job import Job


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


class FairQueue:
    """Jobs that wait for one stage. One thread at a time may touch it.

    Attributes:
        cost: Of everything that waits.
    """

    def __init__(self) -> None:
        self._shares: dict[str, _Share] = {}
        self._clock = 0.0
        self.cost = 0.0

    def __len__(self) -> int:
        """Returns how many jobs wait, the unwanted ones among them."""
        return sum(len(jobs) for share in self._shares.values() for jobs in share.waiting.values())

    def __iter__(self) -> Iterator[Job]:
        """Yields every job that waits."""
        for share in self._shares.values():
            for jobs in share.waiting.values():
                yield from jobs

    @property
    def next_kind(self) -> Modality | None:
        """The kind of the job that is next; there must be one."""
        return min(self._shares.values(), key=lambda share: share.served).oldest_kind

    def push(self, job: Job) -> None:
        """Adds a job."""
        share = self._shares.setdefault(job.caller, _Share(self._clock))
        share.push(job)
        self.cost += job.cost

    def take(self, limit: float) -> list[Job]:
        """Takes the next job, and those of its kind that cost no more than the limit with it."""
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

    def discard(self) -> list[Job]:
        """Removes what nobody waits for any more, and returns it."""
        unwanted = [job for job in self if not job.is_wanted]
        if not unwanted:
            return []
        kept = [job for job in self if job.is_wanted]
        served = {caller: share.served for caller, share in self._shares.items()}
        self._shares = {}
        self.cost = sum(job.cost for job in kept)
        for job in kept:
            self._shares.setdefault(job.caller, _Share(served[job.caller])).push(job)
        return unwanted

    def _next_with(self, kind: Modality | None) -> _Share | None:
        having = (share for share in self._shares.values() if kind in share.waiting)
        return min(having, key=lambda share: share.served, default=None)
