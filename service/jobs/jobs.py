"""The use cases of jobs. A job belongs to who created it; admins see every one."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextvars import Context
from datetime import UTC, datetime

from service.access.caller import Scope, caller
from service.access.needs import needs
from service.aliases import Aliases
from service.collections import Collections
from service.errors import JobNotFound, Overloaded
from service.jobs.files import JobFiles
from service.jobs.messages import JobErrorPage, JobInfo, Task
from service.jobs.running import RunningJob
from service.jobs.tasks import Tasks
from service.settings import Settings
from service.stored import time_text
from service.telemetry import request_id
from service.terms import Priority, Terms, terms

RETRY_SECONDS = 60.0
"""After so long another job may be over."""


class Jobs:
    """Everything that is asked of jobs; `Engine.jobs` is the one of a process.

    An async context manager, which a server enters: within, jobs are worked on, first those that a
    process left unfinished, however it ended. Leaving lets go of them for the next one.

    Args:
        collections: Where they store.
        aliases: What they swap.
        settings: What they may read, how many there may be.
    """

    def __init__(self, collections: Collections, aliases: Aliases, settings: Settings) -> None:
        self.names = collections.names
        self._files = JobFiles(settings.jobs_path)
        self._settings = settings
        self._tasks = Tasks(collections, aliases, settings)
        self._jobs: dict[str, RunningJob] = {}
        self._room = asyncio.Semaphore(settings.job_workers)

    async def __aenter__(self) -> "Jobs":
        """Goes on with what is unfinished, in the order it was asked for."""
        kept = await asyncio.to_thread(lambda: list(self._files.read()))
        for info, creator in sorted(kept, key=lambda pair: pair[0].created):
            job = RunningJob(info, creator, self._files, self._settings.job_errors)
            self._jobs[info.id] = job
            if not info.is_over:
                self._start(job)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Lets go of what is unfinished."""
        await asyncio.gather(*(job.leave() for job in self._jobs.values()))

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
        job = RunningJob(info, creator, self._files, self._settings.job_errors)
        await job.save()
        self._jobs[name] = job
        self._start(job)
        return info

    @needs(Scope.READ)
    async def get(self, job: str) -> JobInfo:
        """Returns one job; unknown ones are JobNotFound, as in every method that names one."""
        return self._named(job).info

    @needs(Scope.READ)
    async def list(self) -> tuple[JobInfo, ...]:
        """Returns the jobs of the caller, the newest first."""
        return tuple(job.info for job in reversed(self._jobs.values()) if _sees(job.info))

    @needs(Scope.WRITE)
    async def cancel(self, job: str) -> JobInfo:
        """Ends a job; what it stored stays, and one that is over stays as it is."""
        found = self._named(job)
        await found.cancel()
        return found.info

    @needs(Scope.READ)
    async def watch(self, job: str) -> AsyncIterator[JobInfo]:
        """Returns what tells of a job, as it is and as it gets on, until it is over."""
        return self._named(job).watch()

    @needs(Scope.READ)
    async def errors(self, job: str, *, page_size: int = 100, page_token: str = "") -> JobErrorPage:
        """Returns what went wrong with items, in order; a page is never longer than `max_k`.

        Raises:
            InvalidRequest: If the size is not positive, or the token was not handed out.
        """
        found, size = self._named(job), min(page_size, self._settings.max_k)
        if not found.info.is_over:
            await found.save()
        return await asyncio.to_thread(self._files.errors, job, size, page_token)

    def _start(self, job: RunningJob) -> None:
        # Nothing of the request that created it holds for its job: no deadline, no trace.
        job.worker = asyncio.create_task(self._run(job), context=Context())

    async def _run(self, job: RunningJob) -> None:
        async with self._room:
            caller.set(job.creator)
            terms.set(Terms(priority=Priority.BULK))
            request_id.set(job.info.id)
            await job.run(self._tasks)

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
            await asyncio.to_thread(self._files.remove, oldest)

    def _named(self, name: str) -> RunningJob:
        job = self._jobs.get(name)
        if job is None or not _sees(job.info):
            raise JobNotFound(f"there is no job {name[:80]!r}")
        return job


def _sees(info: JobInfo) -> bool:
    """Tells whether a job is the caller's, or they an admin, of collections that they may see."""
    who = caller.get()
    return (who.id == info.owner or who.may(Scope.ADMIN)) and who.sees(info.collection)
