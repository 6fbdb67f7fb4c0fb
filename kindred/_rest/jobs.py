"""Jobs, as JSON."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from kindred import _answers as answers
from kindred import _jobs as jobs
from kindred._rest.answered import copied
from kindred._rest.asked import given

JsonObject = dict[str, Any]

_TASKS: Mapping[str, type[jobs.Task]] = {
    "folder": jobs.IngestFolder,
    "manifest": jobs.IngestManifest,
    "reembed": jobs.Reembed,
}


def create(call: jobs.CreateJob) -> JsonObject:
    """Asks for a job."""
    kind = next((name for name, cls in _TASKS.items() if isinstance(call.task, cls)), "")
    return {"collection": call.collection, "task": given(type=kind, **asdict(call.task))}


def errors(call: jobs.ListJobErrors) -> dict[str, str]:
    """Asks what went wrong, as a query string."""
    return {"page_size": str(call.page_size), "page_token": call.page_token}


def job(found: JsonObject) -> jobs.Job:
    """Returns a job."""
    made = {
        "task": copied(found["task"], _TASKS[found["task"]["type"]]),
        "created": datetime.fromisoformat(found["created"]),
        "state": jobs.JobState(found["state"]),
        "counts": copied({"total": None, **found["counts"]}, jobs.JobCounts),
        "started": _time(found.get("started")),
        "ended": _time(found.get("ended")),
        "error": copied(found["error"], answers.ItemError) if "error" in found else None,
        "swap": _swap(found["swap"]) if "swap" in found else None,
    }
    return copied({**found, **made}, jobs.Job)


def error_page(found: JsonObject) -> jobs.JobErrorPage:
    """Returns what went wrong."""
    return jobs.JobErrorPage(
        errors=tuple(
            jobs.JobError(each["id"], copied(each["error"], answers.ItemError))
            for each in found["errors"]
        ),
        next_page_token=found["next_page_token"],
    )


def _swap(found: JsonObject) -> jobs.AliasSwap:
    made = {"previous": found.get("previous"), "time": _time(found.get("time"))}
    return copied({**found, **made}, jobs.AliasSwap)


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
