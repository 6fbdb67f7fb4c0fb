"""One job on its way: what it has come to, kept on disk, and told to who watches."""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import fields, replace
from datetime import UTC, datetime
from typing import Any

from service.access.caller import Caller
from service.errors import item_error
from service.ingest.ingest import Fate, Outcome
from service.jobs.files import JobFiles
from service.jobs.messages import (
    AliasSwap,
    JobCounts,
    JobError,
    JobInfo,
    JobState,
    Reached,
    Step,
    counter_of,
)
from service.jobs.tasks import Plan, Tasks
from service.stored import time_text
from service.telemetry import Telemetry

log = logging.getLogger(__name__)

SAVE_SECONDS = 1.0
"""How often counts are written down: after a crash they begin anew anyway."""

TELL_SECONDS = 0.1
"""Who watches is told no more often."""


class RunningJob:
    """A job, whether it waits, is worked on or is over. Belongs to one event loop.

    Args:
        info: What it is by now.
        creator: For whom it works: as what they might do when they created it.
        files: Where it is kept.
        most_errors: Of so many items at most is kept what went wrong.
        telemetry: Where its items and its end are counted.

    Attributes:
        worker: What works on it; None where nothing does.
        is_ours: Whether this process, and no other that shares the data, is to work on it.
    """

    def __init__(
        self,
        info: JobInfo,
        creator: Caller,
        files: JobFiles,
        most_errors: int,
        telemetry: Telemetry,
    ) -> None:
        self.info = info
        self._telemetry = telemetry
        self.creator = creator
        self.worker: asyncio.Task[None] | None = None
        self.is_ours = True
        self._files = files
        self._most_errors = most_errors
        self._unsaved: list[JobError] = []
        self._saved_at = time.monotonic()
        self._writing = threading.Lock()
        self._changed = asyncio.Event()
        self._is_left = False
        self._last: JobInfo | None = None

    def learn(self, info: JobInfo, *, is_ours: bool) -> None:
        """Learns what has become of it, elsewhere, and whether it is this process's now."""
        self.is_ours = is_ours
        if info != self.info:
            self._tell(**{field.name: getattr(info, field.name) for field in fields(info)})

    async def run(self, tasks: Tasks) -> None:
        """Does all of it, or finds out why that can't be."""
        started = self.info.started or _now()
        self._tell(state=JobState.RUNNING, started=started)
        try:
            await self._work(await tasks.plan(self.info))
        except Exception as error:  # noqa: BLE001 - the table knows all; the rest is INTERNAL
            await self._end(JobState.FAILED, error=item_error(error))
        else:
            await self._end(JobState.SUCCEEDED)

    async def _work(self, plan: Plan) -> None:
        if plan.total is not None:
            await asyncio.to_thread(self._files.forget_errors, self.info.id)
            self._tell(counts=JobCounts(total=plan.total))
        await self.save()
        async with aclosing(plan.steps) as steps:
            async for step in steps:
                self._note(step)
                late = time.monotonic() - self._saved_at >= SAVE_SECONDS
                if late or isinstance(step, AliasSwap):
                    await self.save()

    def _note(self, step: Step) -> None:
        match step:
            case Outcome():
                self._count(step)
            case Reached():
                self._tell(cursor=step.cursor)
            case AliasSwap():
                self._tell(swap=step)

    def _count(self, outcome: Outcome) -> None:
        counts, name = self.info.counts, counter_of(outcome.fate)
        self._telemetry.job_items.labels(self.info.kind, name).inc()
        if outcome.fate is Fate.FAILED and outcome.error and counts.failed < self._most_errors:
            self._unsaved.append(JobError(outcome.id, outcome.error))
        counted = replace(counts, **{name: getattr(counts, name) + 1})
        self._tell(counts=replace(counted, total=max(counts.total or 0, counted.done)))

    async def cancel(self) -> None:
        """Ends it; what it has stored stays."""
        if self.worker:
            self.worker.cancel()
            await asyncio.wait({self.worker})
        if not self.info.is_over:
            await self._end(JobState.CANCELLED)

    async def leave(self) -> None:
        """Lets go of it, to be gone on with after the next start; who watches is told no more."""
        self._is_left = True
        self._changed.set()
        if self.worker:
            self.worker.cancel()
            await asyncio.wait({self.worker})

    async def watch(self) -> AsyncIterator[JobInfo]:
        """Yields it as it is, and again whenever it has got on, until it is over or left."""
        while True:
            changed, told = self._changed, self.info
            yield told
            if told.is_over or self._is_left:
                return
            await changed.wait()
            if not self.info.is_over:
                await asyncio.sleep(TELL_SECONDS)

    async def ended(self) -> None:
        """Waits until it is over or left."""
        async for _ in self.watch():
            pass

    async def save(self) -> None:
        """Writes down what it is by now."""
        unsaved, self._unsaved = self._unsaved, []
        self._saved_at = time.monotonic()
        await asyncio.to_thread(self._write, unsaved)

    def _write(self, unsaved: list[JobError]) -> None:
        with self._writing:  # what is written last is the newest, whoever began first
            if unsaved:
                self._files.add_errors(self.info.id, unsaved)
            self._files.write(self._last or self.info, self.creator)

    async def _end(self, state: JobState, **more: Any) -> None:  # noqa: ANN401 - fields of JobInfo
        """Tells that it is over, once that is on disk with everything that went wrong."""
        end = {"state": state, "ended": _now(), **more}
        self._last = replace(self.info, **end)
        self._report(self._last)
        try:
            await self.save()
        finally:
            self._tell(**end)

    def _report(self, info: JobInfo) -> None:
        """Tells the operator how it ended; why items failed, its errors say."""
        self._telemetry.jobs_ended.labels(info.kind, info.state).inc()
        level = logging.ERROR if info.state is JobState.FAILED else logging.INFO
        facts = {
            "job": info.id,
            "task": info.kind,
            "state": info.state,
            "reason": info.error.reason if info.error else "",
            "done": info.counts.done,
            "failed": info.counts.failed,
        }
        log.log(level, "job %s %s", info.id, info.state, extra={"facts": facts})

    def _tell(self, **changes: Any) -> None:  # noqa: ANN401 - fields of JobInfo
        self.info = replace(self.info, **changes)
        self._changed.set()
        self._changed = asyncio.Event()


def _now() -> str:
    return time_text(datetime.now(UTC))
