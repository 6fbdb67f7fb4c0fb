"""JobService: every call is translated, put to the engine and translated back."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import lru_cache
from typing import Any

from kindred.v1 import job_service_pb2 as jobs_pb
from kindred.v1 import job_service_pb2_grpc as jobs_grpc
from service.access.caller import caller
from service.engine import Engine
from service.errors import InvalidRequest
from service.jobs.messages import (
    AliasSwap,
    IngestFolder,
    IngestManifest,
    JobInfo,
    JobState,
    Reembed,
    Task,
)
from service.rpc import answered, asked
from service.rpc.context import Context
from service.rpc.pages import page_of

_STATES: Mapping[JobState, jobs_pb.JobState] = {
    JobState.QUEUED: jobs_pb.JOB_STATE_QUEUED,
    JobState.RUNNING: jobs_pb.JOB_STATE_RUNNING,
    JobState.SUCCEEDED: jobs_pb.JOB_STATE_SUCCEEDED,
    JobState.FAILED: jobs_pb.JOB_STATE_FAILED,
    JobState.CANCELLED: jobs_pb.JOB_STATE_CANCELLED,
}

_MESSAGES: Mapping[type[Task], tuple[str, Callable[..., Any]]] = {
    IngestFolder: ("folder", jobs_pb.IngestFolder),
    IngestManifest: ("manifest", jobs_pb.IngestManifest),
    Reembed: ("reembed", jobs_pb.Reembed),
}
"""Of each kind of task, its field in the `oneof` and its message."""


class Jobs(jobs_grpc.JobServiceServicer):
    """JobService."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def CreateJob(
        self, request: jobs_pb.CreateJobRequest, context: Context
    ) -> jobs_pb.CreateJobResponse:
        """Puts a job in the queue."""
        info = await self._engine.jobs.create(request.collection, _task(request))
        return jobs_pb.CreateJobResponse(job=_job(info))

    async def GetJob(
        self, request: jobs_pb.GetJobRequest, context: Context
    ) -> jobs_pb.GetJobResponse:
        """Gets one job."""
        return jobs_pb.GetJobResponse(job=_job(await self._engine.jobs.get(request.id)))

    async def ListJobs(
        self, request: jobs_pb.ListJobsRequest, context: Context
    ) -> jobs_pb.ListJobsResponse:
        """Lists the jobs."""
        infos = await self._engine.jobs.list()
        page, token = page_of(infos, lambda info: info.id, request)
        return jobs_pb.ListJobsResponse(jobs=map(_job, page), next_page_token=token)

    async def CancelJob(
        self, request: jobs_pb.CancelJobRequest, context: Context
    ) -> jobs_pb.CancelJobResponse:
        """Ends a job."""
        return jobs_pb.CancelJobResponse(job=_job(await self._engine.jobs.cancel(request.id)))

    async def WatchJob(self, request: jobs_pb.WatchJobRequest, context: Context) -> None:
        """Sends a job as it gets on."""
        async for info in await self._engine.jobs.watch(request.id):
            self._engine.guard.require_stay(caller.get())
            await context.write(_told(info))

    async def ListJobErrors(
        self, request: jobs_pb.ListJobErrorsRequest, context: Context
    ) -> jobs_pb.ListJobErrorsResponse:
        """Lists what went wrong with single items."""
        page = await self._engine.jobs.errors(
            request.id,
            page_size=request.page_size if request.HasField("page_size") else 100,
            page_token=request.page_token,
        )
        return jobs_pb.ListJobErrorsResponse(
            errors=[
                jobs_pb.JobError(id=each.id, error=answered.error(each.error))
                for each in page.errors
            ],
            next_page_token=page.next_page_token,
        )


def _task(request: jobs_pb.CreateJobRequest) -> Task:
    match request.WhichOneof("task"):
        case "folder":
            folder = request.folder
            return IngestFolder(folder.path, folder.prefix, folder.windows, folder.prune)
        case "manifest":
            return IngestManifest(request.manifest.path, request.manifest.windows)
        case "reembed":
            again = request.reembed
            return Reembed(
                source=again.source,
                model=asked.optional(again, "model"),
                windows=again.windows,
                alias=asked.optional(again, "alias"),
                allow_failed=again.allow_failed,
                drop_source=again.drop_source,
            )
        case _:
            raise InvalidRequest("a job must have a task: folder, manifest or reembed")


@lru_cache(maxsize=16)
def _told(info: JobInfo) -> jobs_pb.WatchJobResponse:
    """Returns what tells of a job; made once for all who watch, for they may be hundreds."""
    return jobs_pb.WatchJobResponse(job=_job(info))


def _job(info: JobInfo) -> jobs_pb.Job:
    kind, message = _MESSAGES[type(info.task)]
    task: Any = {kind: message(**asdict(info.task))}
    return jobs_pb.Job(
        id=info.id,
        collection=info.collection,
        state=_STATES[info.state],
        counts=jobs_pb.JobCounts(**asdict(info.counts)),
        owner=info.owner,
        create_time=answered.timestamp(info.created),
        start_time=answered.timestamp(info.started),
        end_time=answered.timestamp(info.ended),
        error=answered.error(info.error) if info.error else None,
        swap=_swap(info.swap) if info.swap else None,
        **task,
    )


def _swap(swap: AliasSwap) -> jobs_pb.AliasSwap:
    return jobs_pb.AliasSwap(
        alias=swap.alias,
        collection=swap.collection,
        previous=swap.previous,
        swap_time=answered.timestamp(swap.time),
        source_dropped=swap.source_dropped,
    )
