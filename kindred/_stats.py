"""What a server tells of a collection's indexes."""

from collections.abc import Mapping
from dataclasses import dataclass

from kindred._content import Modality


@dataclass(frozen=True, slots=True)
class SegmentStats:
    """One part of a modality's index.

    Attributes:
        kind: "head" (grows, exact), "flat" (sealed, exact), "ivf" or "graph" (sealed,
            approximate).
        dead: How many of its rows were deleted or replaced since.
    """

    kind: str
    rows: int
    dead: int
    memory_bytes: int
    disk_bytes: int
    build_seconds: float


@dataclass(frozen=True, slots=True)
class RecallStats:
    """How many of the true ten nearest are found, by the modalities of query and items.

    Attributes:
        measured: Mean over the queries that were also searched exactly; None before the first.
        queries: How many those were.
        effort: The setting in use, in words.
    """

    query_modality: Modality
    modality: Modality
    target: float
    measured: float | None
    queries: int
    effort: str


@dataclass(frozen=True, slots=True)
class CollectionStats:
    """A collection's indexes at one moment.

    Attributes:
        segments: The parts of each modality's index.
        recall: What is known of the approximate ones; exact ones need no watching.
        building: Modalities whose index is being built or compacted.
        damaged: Ids of items that cannot be read.
    """

    segments: Mapping[Modality, tuple[SegmentStats, ...]]
    recall: tuple[RecallStats, ...]
    building: tuple[Modality, ...]
    damaged: tuple[str, ...]
