"""What a collection tells of its indexes and of how well they find."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SegmentStats:
    """One part of a modality's index.

    Attributes:
        kind: "head" (grows, exact), "flat" (sealed, exact) or "ivf" or
            "graph" (sealed, approximate).
        rows: Rows in it, dead ones included.
        dead: Rows that were deleted or replaced since.
        memory_bytes: What it takes in memory, mapped files left out.
        disk_bytes: What its files take.
        build_seconds: How long it took to build.
    """

    kind: str
    rows: int
    dead: int = 0
    memory_bytes: int = 0
    disk_bytes: int = 0
    build_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RecallStats:
    """How many of the true ten nearest approximate searches find, by pair of modalities.

    Attributes:
        query_modality: What was asked with.
        modality: What was searched.
        target: What the collection promises.
        measured: Mean over the queries that were also searched exactly; None before the first.
        queries: How many those were.
        effort: The setting in use, in words.
    """

    query_modality: str
    modality: str
    target: float
    measured: float | None
    queries: int
    effort: str


@dataclass(frozen=True, slots=True)
class Stats:
    """A collection's indexes at one moment.

    Attributes:
        segments: The parts of each modality's index; together they hold every item.
        recall: What is known of the approximate ones; exact ones need no watching.
        building: Modalities whose index is being built or compacted.
        damaged: Ids of stored items that cannot be read; no search finds them.
    """

    segments: Mapping[str, tuple[SegmentStats, ...]] = field(default_factory=dict)
    recall: tuple[RecallStats, ...] = ()
    building: tuple[str, ...] = ()
    damaged: tuple[str, ...] = ()
