"""The use cases of jobs. A job belongs to who created it; admins see every one."""

import asyncio
import logging
import uuid
from collections.abc import AsyncIterator, Container, Iterator, Sequence
from contextlib import suppress
from contextvars import Context
from datetime import UTC, datetime
from functools import partial
from itertools import product

from service.access.caller import Caller, Scope, caller
from service.access.needs import needs
from service.aliases import Aliases
from service.collections import Collections
from service.errors import JobNotFound, Overloaded
from service.jobs.claims import Claims
from service.jobs.files import JobFiles
from service.jobs.messages import OVER, TASKS, JobErrorPage, JobInfo, JobState, Task
from service.jobs.running import RunningJob
from service.jobs.tasks import Tasks
from service.settings import Settings
from service.stored import time_text
from service.telemetry import Telemetry, request_id
from service.terms import Priority, Terms, terms
from service.tracing import Origin, conclude

log = logging.getLogger(__name__)

LEFT_SECONDS = 60.0
"""Another server may be about to create the job of which there is nothing but a folder so long."""

LOOK_SECONDS = 2.0
"""How often servers that share their data look at what the others do."""

CANCEL_SECONDS = 10.0
"""How long another server is waited for that is to end a job: it looks, and then this one does."""

RETRY_SECONDS = 60.0
"""After so long another job may be over."""


class Jobs:
    """Everything that is asked of jobs; `Engine.jobs` is the one of a process.

    An async context manager, which a server enters: within, jobs are worked on, first those that a
    process left unfinished, however it ended. Leaving lets go of them for the next one. Of servers
    that share their data, each job is one's, and all tell of it.

    Args:
        collections: Where they store.
        aliases: What they swap.
        settings: What they may read, how many there may be.
        telemetry: Where they are counted and traced.
    """

    def __init__(
        self,
        collections: Collections,
        aliases: Aliases,
        settings: Settings,
        telemetry: Telemetry,
    ) -> None:
        self._telemetry = telemetry
        self.names = collections.names
        self._files = JobFiles(settings.jobs_path)
        self._claims = Claims(settings.jobs_path)
        self._settings = settings
        self._tasks = Tasks(collections, aliases, settings)
        self._jobs: dict[str, RunningJob] = {}
        self._room = asyncio.Semaphore(settings.job_workers)
        self._shares = collections.names.shared
        self._look_lock = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        for state in (JobState.QUEUED, JobState.RUNNING):
            telemetry.jobs.labels(state).set_function(partial(self._count, state))
        for ended in product(TASKS, OVER):
            telemetry.jobs_ended.labels(*ended)  # a count that is first seen as 1 has not risen

    async def __aenter__(self) -> "Jobs":
        """Goes on with what is unfinished and nobody's, in the order it was asked for."""
        await self._look()
        if self._shares:
            self._looking = asyncio.create_task(self._look_again())
        return self

    async def __aexit__(self, *_: object) -> None:
        """Lets go of what is unfinished."""
        if self._looking:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        await asyncio.gather(*(job.leave() for job in self._jobs.values()))
        await asyncio.to_thread(self._claims.release_all)

    async def _look_again(self) -> None:
        """Takes over what servers leave that share the data, and learns of what they do."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                await self._look()
            except OSError as error:
                log.error("the jobs cannot be looked at", exc_info=error)

    async def _look(self) -> None:
        async with self._look_lock:  # a job that is found twice would be taken for another's
            known = {name for name, job in self._jobs.items() if job.info.is_over}
            found = await asyncio.to_thread(lambda: list(self._found(known)))
            for info, creator, is_ours in sorted(found, key=lambda each: each[0].created):
                job = self._jobs.get(info.id)
                if job is None:
                    job = self._job(info, creator)
                    self._jobs[info.id] = job
                job.learn(info, is_ours=is_ours)
                if is_ours and not info.is_over:
                    self._start(job)
            for name in await asyncio.to_thread(self._forgotten, list(self._jobs)):
                if job := self._jobs.pop(name, None):
                    await job.leave()
        await self._cancel_those_asked_elsewhere()

    def _forgotten(self, known: Sequence[str]) -> Sequence[str]:
        """Returns the jobs that another server has made room of."""
        names = set(self._files.names())
        return [name for name in known if name not in names and not self._claims.has(name)]

    async def _cancel_those_asked_elsewhere(self) -> None:
        """Ends this process's jobs that another server was asked to end."""
        ours = [job for job in self._jobs.values() if job.is_ours and not job.info.is_over]
        asked = await asyncio.to_thread(
            lambda: [job for job in ours if self._files.is_to_cancel(job.info.id)]
        )
        await asyncio.gather(*map(self._cancel, asked))

    async def _cancel(self, job: RunningJob) -> None:
        await job.cancel()
        self._claims.release(job.info.id)

    def _found(self, known: Container[str]) -> Iterator[tuple[JobInfo, Caller, bool]]:
        """Yields jobs that others work on, or did; what a crash left of a creation is removed."""
        for name in self._files.names():
            if name in known or self._claims.has(name):
                continue
            if self._files.is_left(name, LEFT_SECONDS if self._shares else 0.0):
                self._files.remove(name)
                continue
            is_ours = self._claims.take(name)  # before it is read: whoever had it may have ended it
            kept = self._files.read(name)
            if kept:
                yield *kept, is_ours
            if is_ours and (kept is None or kept[0].is_over):
                self._claims.release(name)

    @needs(Scope.WRITE, of="collection")
    async def create(self, collection: str, task: Task) -> JobInfo:
        """Puts a job in the queue.

        Args:
            collection: The collection to fill.
            task: What is to be done.

        Raises:
            PermissionDenied: If a path is where jobs may not read.
            InvalidRequest: If there is nothing at it.
            CollectionNotFound: If there is nothing to read, or nothing to bring files into.
            CollectionExists: If the collection to embed into is there already.
            AliasMoved: If the alias to swap stands for another collection than the one to read.
            Overloaded: If there are as many jobs as there may be, and none of them is over.
        """
        await self._make_room()
        prepared = await self._tasks.prepare(collection, task)
        now, creator = datetime.now(UTC), caller.get()
        name = f"{now:%Y%m%dt%H%M%S}-{uuid.uuid4().hex[:8]}"
        info = JobInfo(name, collection, prepared, creator.id, time_text(now))
        job = self._job(info, creator)
        while not await asyncio.to_thread(self._claims.take, name):
            await asyncio.sleep(0)  # somebody is looking what it is
        await job.save()
        self._jobs[name] = job
        log.info("job %s created", name, extra={"facts": {"job": name, "task": info.kind}})
        self._start(job)
        return info

    @needs(Scope.READ)
    async def get(self, job: str) -> JobInfo:
        """Returns one job; unknown ones are JobNotFound, as in every method that names one."""
        return (await self._named(job)).info

    @needs(Scope.READ)
    async def list(self) -> tuple[JobInfo, ...]:
        """Returns the jobs of the caller, the newest first."""
        newest = sorted(self._jobs.values(), key=lambda job: job.info.created, reverse=True)
        return tuple(job.info for job in newest if _sees(job.info))

    @needs(Scope.WRITE)
    async def cancel(self, job: str) -> JobInfo:
        """Ends a job; what it stored stays, and one that is over stays as it is.

        One that another server works on is ended as soon as that looks, or whoever takes it over.
        If that takes long, the job is answered as it is, and ended later.
        """
        found = await self._named(job)
        if found.is_ours or found.info.is_over:
            await self._cancel(found)
        else:
            await asyncio.to_thread(self._files.ask_to_cancel, job)
            with suppress(TimeoutError):
                await asyncio.wait_for(found.ended(), CANCEL_SECONDS)
        return found.info

    @needs(Scope.READ)
    async def watch(self, job: str) -> AsyncIterator[JobInfo]:
        """Returns what tells of a job, as it is and as it gets on, until it is over."""
        return (await self._named(job)).watch()

    @needs(Scope.READ)
    async def errors(self, job: str, *, page_size: int = 100, page_token: str = "") -> JobErrorPage:
        """Returns what went wrong with items, in order; a page is never longer than `max_k`.

        Raises:
            InvalidRequest: If the size is not positive, or the token was not handed out.
        """
        found, size = await self._named(job), min(page_size, self._settings.max_k)
        if found.is_ours and not found.info.is_over:
            await found.save()
        return await asyncio.to_thread(self._files.errors, job, size, page_token)

    def _job(self, info: JobInfo, creator: Caller) -> RunningJob:
        return RunningJob(info, creator, self._files, self._settings.job_errors, self._telemetry)

    def _count(self, state: JobState) -> int:
        """Returns how many of this process's jobs are in a state."""
        return sum(job.is_ours and job.info.state is state for job in self._jobs.values())

    def _start(self, job: RunningJob) -> None:
        # Nothing of the request that created it holds for its job: no deadline, no caller's terms.
        # Its trace is its own, too, and tells what it came from.
        job.worker = asyncio.create_task(
            self._run(job, self._telemetry.traces.origin()), context=Context()
        )

    async def _run(self, job: RunningJob, origin: Origin) -> None:
        async with self._room:
            caller.set(job.creator)
            terms.set(Terms(priority=Priority.BULK))
            request_id.set(job.info.id)
            kind = f"job {job.info.kind}"
            with self._telemetry.traces.job(
                kind, origin, {"kindred.request_id": job.info.id}
            ) as span:
                await job.run(self._tasks)
                info = job.info
                reason = info.error.reason if info.error else ""
                conclude(span, {"kindred.items": info.counts.done}, reason, is_fault=bool(reason))
            self._claims.release(job.info.id)

    async def _make_room(self) -> None:
        """Forgets the oldest jobs that are over, as far as there are too many.

        Raises:
            Overloaded: If none is.
        """
        limit = self._settings.max_jobs
        while len(self._jobs) >= limit:
            over = (name for name, job in self._jobs.items() if job.info.is_over)
            oldest = next(over, None)
            if oldest is None:
                raise Overloaded(f"there may be at most {limit} jobs", RETRY_SECONDS)
            del self._jobs[oldest]
            self._claims.release(oldest)
            await asyncio.to_thread(self._files.remove, oldest)

    async def _named(self, name: str) -> RunningJob:
        if self._shares and name not in self._jobs:
            await self._look()  # another server may have created it this moment
        job = self._jobs.get(name)
        if job is None or not _sees(job.info):
            raise JobNotFound(f"there is no job {name[:80]!r}")
        return job


def _sees(info: JobInfo) -> bool:
    """Tells whether a job is the caller's, or they an admin, of collections that they may see."""
    who = caller.get()
    return (who.id == info.owner or who.may(Scope.ADMIN)) and who.sees(info.collection)
