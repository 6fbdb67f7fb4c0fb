"""What calibration needs to know of each table: how many rows there are, and a sample of them.

Reading it for each search would double what a search costs. So it is kept, and read again after
this process has written to the table, or after a while, since other processes write too.
"""

import threading
import time
from dataclasses import dataclass

from indexes.base import Half
from indexes.milvus.table import Table
from indexes.ranking import SAMPLE

_FRESH = 10.0
"""Seconds after which the rows are counted again."""

_GROWTH = 0.1
"""By how much of itself a table may change before another sample is drawn."""


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """A table as it was a moment ago.

    Attributes:
        population: Its rows.
        sample: Vectors of up to `SAMPLE` of them, drawn by lot.
        drawn_from: How many rows there were when they were drawn.
        writes: How often this process had written to the table before.
        taken: When, by the monotonic clock.
    """

    population: int
    sample: Half
    drawn_from: int
    writes: int
    taken: float


class Surveys:
    """The latest survey of each table of a collection. Thread-safe."""

    def __init__(self) -> None:
        self._latest: dict[str, Survey] = {}
        self._writes: dict[str, int] = {}
        self._lock = threading.Lock()

    def written(self, table: Table) -> None:
        """Makes the next look at a table a fresh one."""
        with self._lock:
            self._writes[table.name] = self._writes.get(table.name, 0) + 1

    def of(self, table: Table) -> Survey:
        """Returns a survey that knows all writes of this process that were acknowledged."""
        with self._lock:
            writes, latest = self._writes.get(table.name, 0), self._latest.get(table.name)
        now = time.monotonic()
        stale = latest is None or latest.writes != writes or now - latest.taken > _FRESH
        if latest is None or stale or not latest.population:  # an empty table is not searched
            latest = _survey(table, latest, writes, now)
            with self._lock:
                self._latest[table.name] = latest
        return latest


def _survey(table: Table, before: Survey | None, writes: int, now: float) -> Survey:
    count = table.count()
    if before is not None and count > SAMPLE:
        changed = abs(count - before.drawn_from)
        if before.drawn_from > SAMPLE and changed <= _GROWTH * before.drawn_from:
            return Survey(count, before.sample, before.drawn_from, writes, now)
    return Survey(count, table.sample(SAMPLE, count), count, writes, now)
