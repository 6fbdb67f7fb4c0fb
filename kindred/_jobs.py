"""Jobs, long work of the server, and the calls about them. See `kindred._calls`."""

from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum

from kindred._answers import ItemError
from kindred._calls import Call


class JobState(StrEnum):
    """What a job has come to."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class IngestFolder:
    """Brings in the files below a folder of the server: only what is new.

    Attributes:
        path: Absolute, in one of the folders that the server's setting `job_folders` names.
        prefix: Put before every id.
        windows: Whether hits are to tell where in a long sound or film they match.
        prune: Whether items that an earlier such job brought in, of the same path and prefix, are
            removed where their files are gone. The job fails, and does nothing, where none of their
            files is left: the disk will not be mounted.
    """

    path: str
    prefix: str = ""
    windows: bool = False
    prune: bool = False


@dataclass(frozen=True, slots=True)
class IngestManifest:
    """Brings in the files that a list on the server names: only what is new.

    Attributes:
        path: As of `IngestFolder`: a file of JSON lines, each with a `path`, and if wanted an `id`
            and `metadata`.
        windows: Whether hits are to tell where in a long sound or film they match.
    """

    path: str
    windows: bool = False


@dataclass(frozen=True, slots=True)
class Reembed:
    """Embeds the kept media of a collection again, into a new one of another model's space.

    Attributes:
        source: The collection to read.
        model: Whose space the new one is in; None means the default one.
        windows: Whether hits are to tell where in a long sound or film they match.
        alias: Made to stand for the new collection at the end, in one step, when every item went
            over; it may stand for nothing yet. What is written to the old collection meanwhile goes
            over as well. None leaves aliases as they are.
        allow_failed: Whether that is done though items could not be embedded again.
        drop_source: Whether the old collection is deleted then.
    """

    source: str
    model: str | None = None
    windows: bool = False
    alias: str | None = None
    allow_failed: bool = False
    drop_source: bool = False


Task = IngestFolder | IngestManifest | Reembed


@dataclass(frozen=True, slots=True)
class JobCounts:
    """How many items met which fate.

    They are counted anew after a restart of the server: what was stored before is unchanged then.

    Attributes:
        total: How many there are in all, those included that are stored meanwhile; None until that
            is known.
        passed_by: Files that hold nothing to embed and don't claim to.
        removed: Items that were deleted, for their files are gone.
    """

    total: int | None
    added: int
    changed: int
    unchanged: int
    passed_by: int
    failed: int
    removed: int = 0

    @property
    def done(self) -> int:
        """How many have met their fate."""
        stored = self.added + self.changed + self.unchanged
        return stored + self.passed_by + self.failed + self.removed


@dataclass(frozen=True, slots=True)
class AliasSwap:
    """What became of an alias at the end of a job.

    Attributes:
        alias: Its name.
        collection: What it stands for since.
        previous: What it stood for before; None for nothing, or while it is under way.
        time: When it was swapped; None while it is under way.
        source_dropped: Whether the collection that was read is deleted.
    """

    alias: str
    collection: str
    previous: str | None
    time: datetime | None
    source_dropped: bool


@dataclass(frozen=True, slots=True)
class Job:
    """Long work of the server, as it is at one moment.

    Attributes:
        collection: The collection that it fills.
        owner: Who created it: the id of a key.
        error: Why it failed as a whole.
        swap: What became of the alias that it swaps; None before it is about to.
    """

    id: str
    collection: str
    task: Task
    owner: str
    created: datetime
    state: JobState
    counts: JobCounts
    started: datetime | None
    ended: datetime | None
    error: ItemError | None
    swap: AliasSwap | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state not in (JobState.QUEUED, JobState.RUNNING)


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


@dataclass(frozen=True)
class CreateJob(Call[Job]):
    """Has the server do long work by itself; it goes on after a restart.

    Args:
        collection: To fill: one that exists, or a new one to embed into.
        task: What is to be done.

    Raises:
        PermissionDenied: If a path is where the server's jobs may not read.
        NotFound: If there is no such collection.
        Conflict: If the collection to embed into exists.
    """

    collection: str
    task: Task


@dataclass(frozen=True)
class GetJob(Call[Job]):
    """Returns one job.

    Raises:
        NotFound: If there is none of this id.
    """

    id: str


@dataclass(frozen=True)
class ListJobs(Call[tuple[Job, ...]]):
    """Returns the jobs of who asks, the newest first; an admin sees every one."""


@dataclass(frozen=True)
class CancelJob(Call[Job]):
    """Ends a job; what it stored stays, and one that is over stays as it is.

    Raises:
        NotFound: If there is none of this id.
    """

    id: str


@dataclass(frozen=True)
class WatchJob(Call[Job]):
    """Yields a job as it is and whenever it gets on: its answer comes in pieces."""

    id: str


@dataclass(frozen=True)
class ListJobErrors(Call[JobErrorPage]):
    """Returns one page of what went wrong with items of a job, in the order it happened.

    Raises:
        NotFound: If there is no such job.
    """

    id: str
    _: KW_ONLY
    page_size: int = 100
    page_token: str = ""
