"""Plans and builds segments beside serving; the builder's thread is the caller's.

    task = plan(partition)
    if task:
        segment = build(task, Order(folder, modality, queries=..., target=0.97))
        partition = adopt(partition, task, segment)      # the newest version, by the one writer

What was added or removed meanwhile stays added or removed.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from indexes.base import Half, Keys, Vectors
from indexes.derived import files
from indexes.derived.chunk import Chunk
from indexes.derived.chunks import since
from indexes.derived.clustering import Asked, Cancelled, stop_if
from indexes.derived.codes import Codes
from indexes.derived.effort import FEWEST_QUERIES, OWN_TARGET, Effort
from indexes.derived.part import Part
from indexes.derived.partition import Partition
from indexes.derived.scan import best, positions
from indexes.derived.segment import FORMAT, KeyRange, Segment, measured, write_efforts
from indexes.derived.structure import Structure

__all__ = ["Cancelled", "Order", "Plan", "adopt", "build", "plan"]

_OWN_QUERIES = 200
"""Queries made from rows of a segment to calibrate it for its own modality: as many as a hundredth
of them, but no more than this."""

_TAIL = 40
"""Chunks are made a segment when they hold more than a part in so many of all rows."""

_AT_ONCE = 8_192


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Which rows are to become one segment, and why.

    Attributes:
        reason: "first"; "tail": many new rows; "merge": many segments; "idle": segments of like
            size, and time to make one of them; "dead": many rows were removed; "grown": most rows
            are newer than the segments; "gap": those of a damaged segment are old.
        covers: The keys whose rows it will hold.
        sources: The parts they are in now, in the order of their keys.
        replaced: Segments among those; their folders may go after `adopt`.
    """

    reason: str
    covers: KeyRange
    sources: tuple[Part[Chunk] | Part[Segment], ...]
    replaced: tuple[Segment, ...]

    @property
    def rows(self) -> int:
        """How many rows that is."""
        return sum(part.live.count for part in self.sources)


@dataclass(frozen=True, slots=True)
class Order:
    """How a segment is to be made.

    Attributes:
        folder: Where it will be; must not exist. Beside it a `.partial` one is filled first.
        modality: Of its rows.
        queries: Vectors to calibrate with, by modality of the query, shape (n, dim); too few are
            not used. Its own rows serve for its own modality where none are given.
        target: Recall to calibrate for; at least `effort.OWN_TARGET` for its own modality.
        structure: What is to propose rows.
        seed: Of what is random in it.
        cancelled: Asked several times a second; yes ends the build.
    """

    folder: Path
    modality: str
    queries: Mapping[str, Vectors] = field(default_factory=dict)
    target: float = 0.97
    structure: type[Structure] = Codes
    seed: int = 0
    cancelled: Asked = lambda: False


def plan(partition: Partition, *, idle: bool = False) -> Plan | None:
    """Returns what should be built next, None if the partition is in good shape; microseconds.

    Args:
        partition: The newest version.
        idle: Whether there is time for what makes searches faster and can wait.
    """
    layout, parts = partition.layout, partition.parts
    if not parts:
        return _since(partition, 0, "first") if len(partition) > layout.exact else None
    reason = _reason_for_all(partition)
    if reason:
        return _since(partition, 0, reason)
    new = sum(part.live.count for part in partition.chunks)
    rows = [part.live.count for part in parts]
    if len(parts) > layout.segments:
        return _since(partition, _first_to_merge(rows), "merge")
    if new >= max(layout.tail, min(len(partition) // _TAIL, layout.longest_tail)):
        return _since(partition, len(parts), "tail")
    if idle and any(size < 2 * sum(rows[i + 1 :]) for i, size in enumerate(rows)):
        return _since(partition, _first_to_merge(rows), "idle")
    return None


def build(task: Plan, order: Order) -> Segment:
    """Makes a segment, all of its files or none; about 0.1 ms a row (a graph: 0.4), all included.

    Raises:
        Cancelled: If the order was cancelled.
        StorageError: If its files cannot be written.
    """
    began = time.monotonic()
    with files.new_folder(order.folder) as folder:
        facts = {
            "keys.i64": files.write(folder / "keys.i64", _keys(task)),
            "rows.f16": files.write(folder / "rows.f16", _rows(task, order.cancelled)),
        }
        dim = task.sources[0].held.rows.shape[1]
        rows: Half = np.memmap(folder / "rows.f16", dtype="<f2", mode="r").reshape(-1, dim)
        structure = order.structure.of(rows, order.seed, order.cancelled)
        facts["codes.faiss"] = files.write(folder / "codes.faiss", [structure.data])
        write_efforts(folder, _efforts(rows, structure, order))
        manifest = {
            "format": FORMAT,
            "structure": order.structure.kind,
            "modality": order.modality,
            "dim": dim,
            "rows": task.rows,
            "after": task.covers.after,
            "upto": task.covers.upto,
            "seed": order.seed,
            "files": facts,
            "build_seconds": round(time.monotonic() - began, 3),
        }
        files.write_document(folder / "manifest.json", manifest)
    return Segment.open(order.folder)


def adopt(partition: Partition, task: Plan, segment: Segment) -> Partition:
    """Returns the partition with the segment in place of the parts it was planned from.

    `partition` is the one the task was planned from or any later version of it.
    """
    removed = segment.keys[~np.isin(segment.keys, partition.keys(), assume_unique=True)]
    replaced = {old.folder for old in task.replaced}
    kept = [part for part in partition.parts if part.held.folder not in replaced]
    parts = [*kept, Part.of(segment).without(removed)]
    return partition.with_parts(since(partition.chunks, task.covers.upto), parts)


def _since(partition: Partition, first: int, reason: str) -> Plan:
    """Returns the plan to make the segments from the `first` one on and all chunks one segment."""
    before, sources = partition.parts[:first], (*partition.parts[first:], *partition.chunks)
    after = before[-1].held.covers.upto if before else 0
    in_order = tuple(part for part in partition.all_parts() if part in sources)
    replaced = tuple(part.held for part in partition.parts[first:])
    return Plan(reason, KeyRange(after, partition.newest), in_order, replaced)


def _first_to_merge(rows: Sequence[int]) -> int:
    """Returns from which segment on to merge: each is to hold twice as many rows as all later ones.

    So a row is merged a number of times that is logarithmic in the rows there are.
    """
    keeps = (i for i in range(len(rows) - 2, 0, -1) if rows[i - 1] >= 2 * sum(rows[i:]))
    return next(keeps, 0)


def _reason_for_all(partition: Partition) -> str:
    """Returns why all rows should become one segment, if they should."""
    parts, layout = partition.parts, partition.layout
    rows = sum(len(part.held.keys) for part in parts)
    if any(part.held.keys[0] <= parts[-1].held.covers.upto for part in partition.chunks):
        return "gap"
    if sum(part.dead for part in parts) > layout.dead * rows:
        return "dead"
    return "grown" if len(partition) >= 2 * rows else ""


def _keys(task: Plan) -> Sequence[Keys]:
    return [part.keys() for part in task.sources]


def _rows(task: Plan, cancelled: Asked) -> Iterator[Half]:
    """Yields the rows to keep, some at a time."""
    for part in task.sources:
        places = positions(part.live.bits)
        for start in range(0, len(places), _AT_ONCE):
            stop_if(cancelled)
            yield part.held.rows.take(places[start : start + _AT_ONCE], axis=0)


def _efforts(rows: Half, structure: Structure, order: Order) -> dict[str, Effort]:
    """Calibrates for each modality of which there are enough queries, and always for its own."""
    efforts = {}
    for asked, queries in order.queries.items():
        if len(queries) >= FEWEST_QUERIES:
            target = max(order.target, OWN_TARGET) if asked == order.modality else order.target
            efforts[asked] = measured(rows, structure, queries, target, order.cancelled)
    if order.modality not in efforts:
        efforts[order.modality] = _own_effort(rows, structure, order)
    return efforts


def _own_effort(rows: Half, structure: Structure, order: Order) -> Effort:
    """Calibrates with queries made from the rows."""
    count = min(_OWN_QUERIES, max(len(rows) // 100, FEWEST_QUERIES))
    queries = _strangers(rows, count, order)
    return measured(rows, structure, queries, max(order.target, OWN_TARGET), order.cancelled)


def _strangers(rows: Half, count: int, order: Order) -> Vectors:
    """Returns up to so many vectors like the rows, none of which is one.

    Each is a row moved as far as its nearest neighbour lies, in a direction in which two rows
    differ. Rows themselves are too easy: a graph leads to them, and from there to all of their
    neighbours. On new vectors of one modality a search finds what it finds on these, within 0.01.
    """
    random = np.random.default_rng(order.seed)
    own, one, other = (random.permutation(len(rows))[:count] for _ in range(3))
    vectors = rows[own].astype(np.float32)
    apart = np.empty(len(own))
    for i, vector in enumerate(vectors):
        stop_if(order.cancelled)
        apart[i] = max(2 - 2 * best(vector, rows, 2).scores[-1], 0) ** 0.5
    moved = vectors + apart[:, None] * _unit(rows[one].astype(np.float32) - rows[other])
    return _unit(moved)


def _unit(vectors: NDArray[np.floating]) -> Vectors:
    """Returns the vectors, shape (n, dim), with norms of 1; those of no length stay so."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: Vectors = (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)
    return units
