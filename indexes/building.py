"""Plans and builds segments beside serving; the builder's thread is the caller's.

    task = plan(partition)
    if task:
        segment = build(task, Order(folder, modality, queries=..., target=0.97))
        partition = adopt(partition, task, segment)      # the newest version, by the one writer

What was added or removed meanwhile stays added or removed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from indexes.base import Vectors
from indexes.partition import Partition
from indexes.segment import Segment


class Cancelled(Exception):
    """The build was asked to stop; its files are gone."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Which rows are to become one segment, and why.

    Attributes:
        reason: "first", "tail", "merge", "dead", "grown" or "gap" (a damaged segment's rows).
        rows: How many rows that is.
        upto: The largest key of the partition when this was planned.
        replaced: Segments whose rows these are; their folders may go after `adopt`.
    """

    reason: str
    rows: int
    upto: int
    replaced: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """How a segment is to be made.

    Attributes:
        folder: Where it will be; must not exist. Beside it a `.partial` one is filled first.
        modality: Of its rows.
        queries: Vectors to calibrate with, by modality of the query, shape (n, dim); its own rows
            serve for its own modality where none are given.
        target: Recall to calibrate for; at least 0.99 is always asked of its own modality.
        seed: Of the clustering.
        cancelled: Asked several times a second; yes ends the build.
    """

    folder: Path
    modality: str
    queries: Mapping[str, Vectors] = field(default_factory=dict)
    target: float = 0.97
    seed: int = 0
    cancelled: Callable[[], bool] = lambda: False


def plan(partition: Partition) -> Plan | None:
    """Returns what should be built next, None if the partition is in good shape; microseconds."""
    raise NotImplementedError


def build(task: Plan, order: Order) -> Segment:
    """Makes a segment, all of its files or none; 0.05-0.1 ms a row, calibration included.

    Raises:
        Cancelled: If the order was cancelled.
        StorageError: If its files cannot be written.
    """
    raise NotImplementedError


def adopt(partition: Partition, task: Plan, segment: Segment) -> Partition:
    """Returns the partition with the segment in place of the parts it was planned from.

    `partition` is the one the task was planned from or any later version of it.
    """
    raise NotImplementedError
