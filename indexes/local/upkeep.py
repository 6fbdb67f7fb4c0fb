"""Upkeep: what keeps the indexes of a collection small, fast and right, beside serving.

A round checks the files that serve, builds the segments that are due and puts them in the place of
what they were built from, calibrates what is unknown or found too little, and measures the recall
of live queries. It may be broken off at any moment, by a crash too: what was built and not yet
written down is swept away, and what was written down serves.
"""

import logging
from dataclasses import dataclass
from functools import partial
from itertools import chain
from operator import methodcaller

import numpy as np

from indexes.base import Vectors
from indexes.derived.building import Order, Plan, adopt, build, plan
from indexes.derived.clustering import Asked
from indexes.derived.heap import give_back
from indexes.derived.partition import Partition
from indexes.derived.segment import Segment
from indexes.derived.structure import Structure
from indexes.errors import StorageError
from indexes.local.loading import Loader
from indexes.local.losses import Losses
from indexes.local.revisions import Revisions
from indexes.local.shelf import Shelf, listed, names_of, record
from indexes.local.tuning import Tuning
from indexes.local.watch import RecallWatch
from indexes.queries import RecentQueries
from indexes.truth import dead, records

log = logging.getLogger(__name__)

_AT_ONCE = 10_000
"""Rows that one transaction deletes: writers wait for it."""


@dataclass(frozen=True, slots=True)
class Charge:
    """What upkeep looks after: the parts of one collection, and what its segments are to be."""

    loader: Loader
    revisions: Revisions
    shelf: Shelf
    queries: RecentQueries
    watch: RecallWatch
    losses: Losses
    structure: type[Structure]


class Upkeep:
    """Looks after one collection, on whatever thread calls it, one at a time.

    Attributes:
        building: The modality whose index is being built, if any.
    """

    def __init__(self, charge: Charge, tuning: Tuning) -> None:
        self.building: tuple[str, ...] = ()
        self._loader, self._revisions, self._shelf = charge.loader, charge.revisions, charge.shelf
        self._queries, self._watch = charge.queries, charge.watch
        self._losses, self._structure = charge.losses, charge.structure
        self._tuning = tuning
        self._checked = 0
        self._sequence = -1
        self._verified: set[str] = set()

    def due(self) -> bool:
        """Tells whether anything is to be built; takes microseconds."""
        return any(plan(partition) for partition in self._revisions.now.partitions.values())

    def round(self, cancelled: Asked) -> None:
        """Does all that is due; if nothing has changed since the round before, what can wait, too.

        Raises:
            Cancelled: If it was broken off while building.
            StorageError: If something cannot be read or written; what serves goes on serving.
        """
        now = self._revisions.now
        idle, self._sequence = now.sequence == self._sequence, now.sequence
        for modality in sorted(now.partitions):
            self._verify(modality, cancelled)
            self._build(modality, cancelled, idle=idle)
            self._calibrate(modality, cancelled)
        self._judge(cancelled)
        self._check()

    def _verify(self, modality: str, cancelled: Asked) -> None:
        """Reads files that serve and were not read yet, and drops those that are damaged."""
        for segment in self._partition(modality).segments:
            if segment.folder.name in self._verified:
                continue
            try:
                segment.verify(cancelled)
            except StorageError as error:
                log.warning("a segment is dropped, to be built again from the database: %s", error)
                self._revisions.replace(
                    modality, partial(self._without, modality, segment), record(modality)
                )
                self._sweep()
            if cancelled():
                return
            self._verified.add(segment.folder.name)

    def _without(self, modality: str, damaged: Segment, partition: Partition) -> Partition:
        rest = [segment for segment in partition.segments if segment is not damaged]
        with self._revisions.moment() as (connection, _):
            return self._loader.partition(connection, modality, rest)[0]

    def _build(self, modality: str, cancelled: Asked, *, idle: bool) -> None:
        while not cancelled() and (task := plan(self._partition(modality), idle=idle)):
            self.building = (modality,)
            try:
                self._make(modality, task, cancelled)
            finally:
                self.building = ()

    def _make(self, modality: str, task: Plan, cancelled: Asked) -> None:
        order = Order(
            folder=self._shelf.room(modality),
            modality=modality,
            queries=self._known_queries(),
            target=self._watch.target(("", modality)),
            structure=self._structure,
            cancelled=cancelled,
        )
        segment = build(task, order)
        self._verified.add(segment.folder.name)
        self._revisions.replace(
            modality, lambda partition: adopt(partition, task, segment), record(modality)
        )
        self._watch.start_over(modality)
        self._sweep()
        self._prune(modality)
        give_back()

    def _prune(self, modality: str) -> None:
        """Forgets deletions of rows that no file holds any longer."""
        with self._revisions.moment() as (connection, revision):
            held = revision.partitions[modality].dead()
            stale = np.setdiff1d(dead.read(connection, modality), held)
        for start in range(0, len(stale), _AT_ONCE):
            with self._revisions.write() as connection:
                dead.remove(connection, stale[start : start + _AT_ONCE])

    def _calibrate(self, modality: str, cancelled: Asked) -> None:
        for asked, vectors in self._known_queries().items():
            pair = (asked, modality)
            misses = self._watch.misses(pair)
            if misses:
                self._watch.aim_higher(pair)
            for segment in self._partition(modality).segments:
                if asked in segment.efforts and not misses:
                    continue
                better = segment.calibrated(asked, vectors, self._watch.aim(pair), cancelled)
                if cancelled():
                    return
                self._revisions.replace(modality, methodcaller("with_segment", better))
                self._watch.start_over(modality, asked)

    def _judge(self, cancelled: Asked) -> None:
        for asked, vector in self._queries.live():
            for modality, partition in self._revisions.now.partitions.items():
                if not partition.is_exact() and not cancelled():
                    self._watch.judge((asked, modality), partition, vector)

    def _check(self) -> None:
        """Holds some items against their checksums: the next ones, over and over."""
        first, most = self._checked, self._tuning.checked_items
        self._checked = first + most  # should these rows be unreadable, others come next
        with self._revisions.moment() as (connection, _):
            rows = list(records.rows(connection, first, most))
        self._checked = rows[-1].seq if len(rows) == most else 0
        self._losses.add(row.seq for row in rows if not records.intact(row))

    def _known_queries(self) -> dict[str, Vectors]:
        fewest = self._tuning.fewest_queries
        return {asked: rows for asked, rows in self._queries.all().items() if len(rows) >= fewest}

    def _partition(self, modality: str) -> Partition:
        return self._revisions.now.partitions[modality]

    def _sweep(self) -> None:
        """Deletes files that serve nobody; of segments that lost their last row, this is told."""
        with self._revisions.moment() as (connection, _):
            known = listed(connection)
        for modality, partition in self._revisions.now.partitions.items():
            if known.get(modality, []) != names_of(partition):
                self._revisions.replace(modality, lambda same: same, record(modality))
        with self._revisions.moment() as (connection, _):
            self._shelf.sweep(chain.from_iterable(listed(connection).values()))
