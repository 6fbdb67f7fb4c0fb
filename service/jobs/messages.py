"""What can be asked of jobs and what is answered; see `service.messages`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

from service.ingest.ingest import Fate, Outcome
from service.messages import ItemError


class JobState(StrEnum):
    """What a job has come to."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OVER = frozenset({JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED})


@dataclass(frozen=True, slots=True)
class IngestFolder:
    """Brings in the files below a folder of the server.

    Attributes:
        path: The folder, absolute.
        prefix: Put before every id.
        windows: Whether hits are to tell where in a long sound or film they match.
        prune: Whether items that an earlier such job brought in are removed where their files are
            gone.
    """

    path: str
    prefix: str = ""
    windows: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True)
class IngestManifest:
    """Brings in the files that a list on the server names: JSON lines of path, id, metadata."""

    path: str
    windows: bool = False


@dataclass(frozen=True, slots=True)
class Reembed:
    """Embeds the kept media of a collection again, into a new one.

    Attributes:
        source: The collection to read.
        model: Whose space the new collection is in; None means the default one.
        windows: Whether hits are to tell where in a long sound or film they match.
        alias: Made to stand for the new collection at the end, in one step; it may stand for
            nothing yet. None leaves aliases as they are.
        allow_failed: Whether that is done though items could not be embedded again.
        drop_source: Whether the collection that was read is deleted then.
    """

    source: str
    model: str | None = None
    windows: bool = False
    alias: str | None = None
    allow_failed: bool = False
    drop_source: bool = False


Task = IngestFolder | IngestManifest | Reembed

TASKS: Mapping[str, type[Task]] = {
    "folder": IngestFolder,
    "manifest": IngestManifest,
    "reembed": Reembed,
}
"""What each kind of task is called, in files and in JSON."""


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many items met which fate; after a restart they are counted anew.

    Attributes:
        total: How many there are in all, those included that are stored meanwhile; None until that
            is known.
        removed: Those whose files are gone.
    """

    total: int | None = None
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    passed_by: int = 0
    failed: int = 0
    removed: int = 0

    @property
    def done(self) -> int:
        """How many have met one; twice those that were stored again meanwhile."""
        stored = self.added + self.changed + self.unchanged
        return stored + self.passed_by + self.failed + self.removed


def counter_of(fate: Fate) -> str:
    """Returns the name of the count of a fate."""
    return fate.name.lower()


@dataclass(frozen=True, slots=True)
class AliasSwap:
    """What became of an alias at the end of a job.

    Attributes:
        alias: Its name.
        collection: What it stands for since.
        previous: What it stood for before; None for nothing, or as long as it is under way.
        time: When it was swapped, RFC 3339, UTC; None while it is under way.
        source_dropped: Whether the collection that was read is deleted.
    """

    alias: str
    collection: str
    previous: str | None = None
    time: str | None = None
    source_dropped: bool = False


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a job has read a collection: the token of the page that comes next."""

    cursor: str


Step = Outcome | Reached | AliasSwap
"""What a job tells of as it goes."""


@dataclass(frozen=True, slots=True)
class JobInfo:
    """A job as it is at one moment.

    Attributes:
        id: Names it.
        collection: The collection that it fills.
        owner: Who created it: the id of a key.
        created: RFC 3339, UTC, as are the others; None for what has not happened.
        error: Why it could not be gone on with, if it failed.
        swap: What became of the alias that it swaps, from the moment that it is about to.
        cursor: What was stored in the source before it has been copied; for whoever goes on.
    """

    id: str
    collection: str
    task: Task
    owner: str
    created: str
    state: JobState = JobState.QUEUED
    counts: JobCounts = field(default_factory=JobCounts)
    started: str | None = None
    ended: str | None = None
    error: ItemError | None = None
    swap: AliasSwap | None = None
    cursor: str = ""

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in OVER

    @property
    def kind(self) -> str:
        """What its task is called."""
        return next(name for name, cls in TASKS.items() if isinstance(self.task, cls))

    def as_json(self) -> dict[str, Any]:
        """Returns it as JSON, in which the task has its `type`."""
        return {**asdict(self), "task": {"type": self.kind, **asdict(self.task)}}


@dataclass(frozen=True, slots=True)
class JobError:
    """What went wrong with one item."""

    id: str
    error: ItemError


@dataclass(frozen=True, slots=True)
class JobErrorPage:
    """One page of them; an empty token means that it is the last."""

    errors: tuple[JobError, ...]
    next_page_token: str
