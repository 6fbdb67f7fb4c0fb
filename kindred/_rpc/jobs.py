"""Jobs, as messages of `kindred.v1`."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from kindred import _answers as answers
from kindred import _jobs as jobs
from kindred._rpc.answered import copied
from kindred.v1 import job_service_pb2 as jobs_pb

_TASKS: Mapping[type[jobs.Task], tuple[str, Callable[..., Any]]] = {
    jobs.IngestFolder: ("folder", jobs_pb.IngestFolder),
    jobs.IngestManifest: ("manifest", jobs_pb.IngestManifest),
    jobs.Reembed: ("reembed", jobs_pb.Reembed),
}
"""Of each kind of task, its field in the `oneof` and its message."""


def create(call: jobs.CreateJob) -> jobs_pb.CreateJobRequest:
    """Asks for a job."""
    kind, message = _TASKS[type(call.task)]
    task: Any = {kind: message(**asdict(call.task))}
    return jobs_pb.CreateJobRequest(collection=call.collection, **task)


def errors(call: jobs.ListJobErrors) -> jobs_pb.ListJobErrorsRequest:
    """Asks what went wrong."""
    return jobs_pb.ListJobErrorsRequest(
        id=call.id, page_size=call.page_size, page_token=call.page_token
    )


def job(message: jobs_pb.Job) -> jobs.Job:
    """Returns a job."""
    counts = {field.name: value for field, value in message.counts.ListFields()}
    names = jobs_pb.JobCounts.DESCRIPTOR.fields_by_name
    return jobs.Job(
        id=message.id,
        collection=message.collection,
        task=_task(message),
        owner=message.owner,
        created=message.create_time.ToDatetime(UTC),
        state=jobs.JobState(
            jobs_pb.JobState.Name(message.state).removeprefix("JOB_STATE_").lower()
        ),
        counts=jobs.JobCounts(**{**dict.fromkeys(names, 0), "total": None, **counts}),
        started=_time(message, "start_time"),
        ended=_time(message, "end_time"),
        error=copied(message.error, answers.ItemError) if message.HasField("error") else None,
        swap=_swap(message.swap) if message.HasField("swap") else None,
    )


def error_page(message: jobs_pb.ListJobErrorsResponse) -> jobs.JobErrorPage:
    """Returns what went wrong."""
    return jobs.JobErrorPage(
        errors=tuple(
            jobs.JobError(each.id, copied(each.error, answers.ItemError)) for each in message.errors
        ),
        next_page_token=message.next_page_token,
    )


def _task(message: jobs_pb.Job) -> jobs.Task:
    match message.WhichOneof("task"):
        case "folder":
            return copied(message.folder, jobs.IngestFolder)
        case "manifest":
            return copied(message.manifest, jobs.IngestManifest)
        case _:
            again = message.reembed
            model = again.model if again.HasField("model") else None
            alias = again.alias if again.HasField("alias") else None
            chosen = (again.allow_failed, again.drop_source)
            return jobs.Reembed(again.source, model, again.windows, alias, *chosen)


def _swap(message: jobs_pb.AliasSwap) -> jobs.AliasSwap:
    return jobs.AliasSwap(
        message.alias,
        message.collection,
        message.previous if message.HasField("previous") else None,
        _time(message, "swap_time"),
        message.source_dropped,
    )


def _time(message: jobs_pb.Job | jobs_pb.AliasSwap, field: str) -> datetime | None:
    time: Timestamp = getattr(message, field)
    return time.ToDatetime(UTC) if message.HasField(field) else None
