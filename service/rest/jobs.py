"""Jobs: long work of the server, followed over server-sent events."""

import asyncio
from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field
from starlette.responses import StreamingResponse

from service.access.caller import caller
from service.access.guard import Guard
from service.jobs import messages
from service.jobs.messages import JobInfo, JobState
from service.rest.wire import (
    Answer,
    JsonRoute,
    PathText,
    Question,
    TheEngine,
    WrongItem,
    json_response,
    reply,
)

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=JsonRoute)

EVENTS = "text/event-stream"

QUIET_SECONDS = 15.0
"""After so long without news a comment is sent, so that nobody on the way gives up."""


class FolderTask(Question):
    """Brings in the files below a folder of the server, as `kindred index` does."""

    type: Literal["folder"]
    path: str = Field(description="Absolute, in one of the server's `job_folders`.")
    prefix: str = Field("", description="Put before every id.")
    windows: bool = Field(False, description="Whether hits are to tell where they match.")
    prune: bool = Field(
        False,
        description="Whether items that an earlier such job brought in are removed where their "
        "files are gone; refused where none of them is left.",
    )


class ManifestTask(Question):
    """Brings in the files that a list names: JSON lines of `path`, `id` and `metadata`."""

    type: Literal["manifest"]
    path: str = Field(description="Absolute, in one of the server's `job_folders`.")
    windows: bool = Field(False, description="Whether hits are to tell where they match.")


class ReembedTask(Question):
    """Embeds the kept media of a collection again, into a new one of a model's space."""

    type: Literal["reembed"]
    source: str = Field(description="The collection to read.")
    model: str | None = Field(None, description="By default the first model.")
    windows: bool = Field(False, description="Whether hits are to tell where they match.")
    alias: str | None = Field(
        None,
        description="Made to stand for the new collection at the end, in one step, when every item "
        "went over; it may stand for nothing yet. What is written to the old collection meanwhile "
        "goes over as well. By default aliases stay as they are.",
    )
    allow_failed: bool = Field(
        False, description="Whether that is done though items could not be embedded again."
    )
    drop_source: bool = Field(False, description="Whether the old collection is deleted then.")


Task = Annotated[FolderTask | ManifestTask | ReembedTask, Field(discriminator="type")]


class JobQuestion(Question):
    """A job to create."""

    collection: str = Field(description="To fill: one that exists, or a new one to embed into.")
    task: Task

    def job_task(self) -> messages.Task:
        """Returns what the engine is asked to do."""
        said = self.task.model_dump()
        return messages.TASKS[said.pop("type")](**said)


class Counts(Answer):
    """How many items met which fate; after a restart they are counted anew."""

    total: int | None = Field(None, description="Absent until it is known.")
    added: int
    changed: int
    unchanged: int
    passed_by: int
    failed: int
    removed: int = Field(description="Those whose files are gone.")


class Swap(Answer):
    """What became of an alias at the end of a job."""

    alias: str
    collection: str = Field(description="What it stands for since.")
    previous: str | None = Field(None, description="What it stood for before.")
    time: str | None = Field(None, description="Absent while it is under way.")
    source_dropped: bool = Field(description="Whether the collection that was read is deleted.")


class Job(Answer):
    """Long work."""

    id: str
    collection: str
    task: Task
    owner: str = Field(description="Who created it: the id of a key.")
    created: str
    state: JobState
    counts: Counts
    started: str | None = None
    ended: str | None = None
    error: WrongItem | None = Field(None, description="Why it failed as a whole.")
    swap: Swap | None = Field(None, description="Of the alias that it swaps, at the end.")


class Jobs(Answer):
    """Jobs, the newest first."""

    jobs: list[Job]


class JobError(Answer):
    """What went wrong with one item."""

    id: str
    error: WrongItem


class JobErrors(Answer):
    """A page of what went wrong, in the order it happened."""

    errors: list[JobError]
    next_page_token: str = Field(description="Asks for the next page; empty after the last.")


@router.post("", response_model=Job, status_code=201)
async def create_job(question: JobQuestion, engine: TheEngine) -> Response:
    """Puts a job in the queue."""
    info = await engine.jobs.create(question.collection, question.job_task())
    return reply(_job(info), status=201)


@router.get("", response_model=Jobs)
async def list_jobs(engine: TheEngine) -> Response:
    """Lists the caller's jobs; an admin's list has all."""
    return reply(Jobs(jobs=[_job(info) for info in await engine.jobs.list()]))


@router.get("/{job}", response_model=Job)
async def get_job(job: PathText, engine: TheEngine) -> Response:
    """Gets one job."""
    return reply(_job(await engine.jobs.get(job)))


@router.post("/{job}:cancel", response_model=Job)
async def cancel_job(job: PathText, engine: TheEngine) -> Response:
    """Ends a job; what it stored stays."""
    return reply(_job(await engine.jobs.cancel(job)))


@router.get("/{job}/errors", response_model=JobErrors)
async def list_job_errors(
    job: PathText,
    engine: TheEngine,
    page_size: Annotated[int, Query()] = 100,
    page_token: Annotated[str, Query()] = "",
) -> Response:
    """Lists what went wrong with single items."""
    page = await engine.jobs.errors(job, page_size=page_size, page_token=page_token)
    return reply(JobErrors.model_validate(page))


@router.get(
    "/{job}/events",
    response_class=StreamingResponse,
    responses={200: {"content": {EVENTS: {"schema": {"type": "string"}}}}},
)
async def watch_job(job: PathText, engine: TheEngine) -> Response:
    """Sends an event `job` with the job, as it is and whenever it gets on, until it is over."""
    events = _events(await engine.jobs.watch(job), engine.guard)
    return StreamingResponse(events, media_type=EVENTS, headers={"cache-control": "no-store"})


async def _events(infos: AsyncIterator[JobInfo], guard: Guard) -> AsyncIterator[bytes]:
    news = asyncio.ensure_future(anext(infos, None))
    try:
        while True:
            done, _ = await asyncio.wait({news}, timeout=QUIET_SECONDS)
            if not done:
                yield b": still here\n\n"
                continue
            if (info := news.result()) is None or not guard.lets_stay(caller.get()):
                return
            yield _event(info)
            news = asyncio.ensure_future(anext(infos, None))
    finally:
        news.cancel()


def _job(info: JobInfo) -> Job:
    return Job.model_validate(info.as_json())


@lru_cache(maxsize=16)
def _event(info: JobInfo) -> bytes:
    """Returns what tells of a job; made once for all who watch, for they may be hundreds."""
    fields = _job(info).model_dump(exclude_none=True)
    return b"event: job\ndata: " + bytes(json_response(fields).body) + b"\n\n"
