"""What is kept of jobs: for each a folder with what it is, and with what went wrong.

`job.json` is written whole and moved into place, by the server that works on the job and no other.
`errors.jsonl` grows line by line; a last line that a crash cut short is passed by.
"""

import json
import logging
import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

from service.access.caller import Caller, Scope
from service.errors import InvalidRequest
from service.jobs.messages import (
    TASKS,
    AliasSwap,
    JobCounts,
    JobError,
    JobErrorPage,
    JobInfo,
    JobState,
)
from service.messages import ItemError

log = logging.getLogger(__name__)

RECORD, ERRORS = "job.json", "errors.jsonl"

TO_CANCEL = "to-cancel"
"""Beside them where a server was asked to end a job that another one works on."""


class JobFiles:
    """The folder of the jobs.

    Args:
        folder: Made when the first job is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, info: JobInfo, creator: Caller) -> None:
        """Keeps a job as it is: what is answered after that outlives a crash."""
        kept = {"info": info.as_json(), "creator": _creator_as_json(creator)}
        folder = self._folder / info.id
        folder.mkdir(parents=True, exist_ok=True)
        part = folder / f".{RECORD}"
        with part.open("w", encoding="utf-8") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / RECORD)

    def names(self) -> Iterator[str]:
        """Yields the id of each job that is kept, and of each that is about to be."""
        if self._folder.is_dir():
            yield from (folder.name for folder in self._folder.glob("[!.]*"))

    def read(self, job: str) -> tuple[JobInfo, Caller] | None:
        """Returns a job with who created it; None if there is none, or none that can be read."""
        try:
            kept = json.loads((self._folder / job / RECORD).read_text(encoding="utf-8"))
            return _info_of(kept["info"]), _creator_of(kept["creator"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, OSError) as error:
            log.error("job %s cannot be read", job, exc_info=error)
            return None

    def ask_to_cancel(self, job: str) -> None:
        """Leaves word for the server that works on a job to end it; for one that is gone, none."""
        with suppress(FileNotFoundError):
            (self._folder / job / TO_CANCEL).touch()

    def is_to_cancel(self, job: str) -> bool:
        """Tells whether such word was left."""
        return (self._folder / job / TO_CANCEL).exists()

    def is_left(self, job: str, seconds: float) -> bool:
        """Tells whether a crash left nothing of a job but its folder, so long ago at least."""
        folder = self._folder / job
        with suppress(FileNotFoundError):
            is_old = folder.stat().st_mtime <= time.time() - seconds
            return is_old and not (folder / RECORD).exists()
        return False

    def remove(self, job: str) -> None:
        """Forgets a job."""
        shutil.rmtree(self._folder / job, ignore_errors=True)

    def forget_errors(self, job: str) -> None:
        """Forgets what went wrong with its items."""
        (self._folder / job / ERRORS).unlink(missing_ok=True)

    def add_errors(self, job: str, errors: Sequence[JobError]) -> None:
        """Keeps what went wrong with items."""
        with (self._folder / job / ERRORS).open("a", encoding="utf-8") as file:
            file.writelines(f"{json.dumps(asdict(each))}\n" for each in errors)

    def errors(self, job: str, page_size: int, page_token: str) -> JobErrorPage:
        """Returns one page of it.

        Raises:
            InvalidRequest: If the size is not positive, or the token was not handed out.
        """
        if page_size < 1:
            raise InvalidRequest(f"page_size must be at least 1, got {page_size}")
        if page_token and not re.fullmatch(r"[1-9][0-9]{0,17}", page_token):
            raise InvalidRequest(f"page_token {page_token[:80]!r} is not one that was handed out")
        start = int(page_token or 0)
        lines = list(islice(self._lines(job), start, start + page_size + 1))
        found = tuple(_error_of(json.loads(line)) for line in lines[:page_size])
        return JobErrorPage(found, str(start + page_size) if len(lines) > page_size else "")

    def _lines(self, job: str) -> Iterator[str]:
        try:
            with (self._folder / job / ERRORS).open(encoding="utf-8") as file:
                yield from (line for line in file if line.endswith("\n"))
        except FileNotFoundError:
            return


def _info_of(kept: dict[str, Any]) -> JobInfo:
    task = dict(kept["task"])
    made = {
        "task": TASKS[task.pop("type")](**task),
        "state": JobState(kept["state"]),
        "counts": JobCounts(**kept["counts"]),
        "error": ItemError(**kept["error"]) if kept["error"] else None,
        "swap": AliasSwap(**kept["swap"]) if kept.get("swap") else None,
    }
    return JobInfo(**{**kept, **made})


def _creator_as_json(creator: Caller) -> dict[str, Any]:
    limits = None if creator.collections is None else sorted(creator.collections)
    return {"id": creator.id, "scopes": sorted(creator.scopes), "collections": limits}


def _creator_of(kept: dict[str, Any]) -> Caller:
    limits = kept["collections"]
    scopes = frozenset(map(Scope, kept["scopes"]))
    return Caller(kept["id"], scopes, None if limits is None else frozenset(limits))


def _error_of(kept: dict[str, Any]) -> JobError:
    return JobError(kept["id"], ItemError(**kept["error"]))
