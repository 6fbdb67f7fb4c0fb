"""One engine in a process of its own, and what is measured there."""

import itertools
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ParamSpec

import numpy as np

from benchmarks.search import host
from benchmarks.search.engines import ENGINES
from benchmarks.search.engines.base import WRITTEN, Batch
from benchmarks.search.workload import Question, Workload

_P = ParamSpec("_P")

_WARM_UP = 5
_FEWEST = 60
"""Queries that a slow engine is asked, which then gets `_LONGER` turns; no more than `_LONGEST`."""

_LONGER, _LONGEST = 5, 30

_SUPPLY = 20_000
"""Rows that are made before a turn in which they are added; then they come again as new ones."""

_PRACTICE = 10.0
"""Most seconds of practice."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What it took to store rows.

    Attributes:
        rows: How many.
        adding: Seconds in `add`, in batches of 1,000.
        syncing: Seconds until each of these was on disk, for an engine that leaves that to others.
        building: Seconds in `build`.
        memory: Bytes by which the process grew, mapped files left out.
    """

    rows: int
    adding: float
    syncing: float
    building: float
    memory: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Answers to a question, and what they took.

    Attributes:
        found: Keys for each query, the first time it was asked.
        seconds: Of every query, one at a time.
        cpu: Mean seconds of processor that a query took, on all threads.
    """

    found: list[list[int]]
    seconds: list[float]
    cpu: float


@dataclass(frozen=True, slots=True)
class UnderAdds:
    """Seconds of queries with nothing else going on and with adds beside; rows added a second."""

    idle: list[float]
    busy: list[float]
    rate: float


class Contestant:
    """An engine with the workload's rows."""

    def __init__(self, name: str, folder: Path, workload: Workload, threads: int) -> None:
        self._workload = workload
        self._folder = folder
        self._next = workload.sounds  # the first row that is only there to be added
        self._taking = threading.Lock()
        dim = workload.vectors.queries["text"].shape[1]
        self._before = host.memory()
        self._engine = ENGINES[name](folder, dim, threads)
        self._syncs = ENGINES[name].trait.kept == WRITTEN
        host.shorten_pauses()

    def load(self, modality: str) -> Loaded:
        """Stores all rows of a modality and builds.

        Kindred chooses its effort by the queries that it was asked, so it then practises with some
        that are asked by none else, and builds once more.
        """
        rows, adding, syncing = 0, 0.0, 0.0
        host.sync(self._folder)  # what others left to be written
        for batch in self._workload.batches(modality, 1_000):
            adding += _seconds(self._engine.add, batch)
            syncing += _seconds(self._sync)
            rows += len(batch.keys)
        building = _seconds(self._engine.build)
        if self._engine.trait.adapts:
            self._practise()
            building += _seconds(self._engine.build)
        building += _seconds(self._sync)
        return Loaded(rows, adding, syncing, building, host.memory() - self._before)

    def ask(self, question: Question, effort: int, seconds: float) -> Asked:
        """Asks all queries once, then again until the seconds are over.

        The first time counts for the answers; slow engines end it early.
        """
        queries = len(self._workload.vectors.queries[question.asked_with])
        for number in range(_WARM_UP):
            self._ask(question, number % queries, effort)
        found: list[list[int]] = []
        taken: list[float] = []
        began, began_cpu = time.perf_counter(), time.process_time()
        while len(taken) < queries or time.perf_counter() - began < seconds:
            turns = (time.perf_counter() - began) / seconds
            if turns > (_LONGER if len(taken) >= _FEWEST else _LONGEST):
                break
            start = time.perf_counter()
            keys = self._ask(question, len(taken) % queries, effort)
            taken.append(time.perf_counter() - start)
            if len(found) < queries:
                found.append(list(keys))
        return Asked(found, taken, (time.process_time() - began_cpu) / len(taken))

    def ask_under_adds(
        self, question: Question, effort: int, seconds: float, batch: int
    ) -> UnderAdds:
        """Asks for some seconds idle, then while another thread adds batches one after another."""
        idle = self.ask(question, effort, seconds).seconds
        stop = threading.Event()
        added = [0]
        writer = threading.Thread(target=self._add_until, args=(stop, self._further(batch), added))
        began = time.perf_counter()
        writer.start()
        busy = self.ask(question, effort, seconds).seconds
        stop.set()
        writer.join()
        return UnderAdds(idle, busy, added[0] / (time.perf_counter() - began))

    def ingest(self, batch: int, writers: int, seconds: float, *, synced: bool = False) -> float:
        """Returns rows a second stored by so many threads in batches of so many rows.

        Args:
            batch: Rows of a batch.
            writers: Threads.
            seconds: After which no further batch is begun.
            synced: Whether each batch is to be on disk before the next, if the engine does not
                see to that itself.
        """
        host.sync(self._folder)
        stop, batches = threading.Event(), self._further(batch)
        after = self._sync if synced else lambda: None
        counts = [[0] for _ in range(writers)]
        threads = [
            threading.Thread(target=self._add_until, args=(stop, batches, count, after))
            for count in counts
        ]
        began = time.perf_counter()
        for thread in threads:
            thread.start()
        stop.wait(seconds)
        stop.set()
        for thread in threads:
            thread.join()
        return sum(count[0] for count in counts) / (time.perf_counter() - began)

    def close(self) -> int:
        """Closes the engine and returns the bytes on disk of each row that was stored."""
        self._engine.close()
        return round(host.disk(self._folder) / (self._workload.images + self._next))

    def _sync(self) -> None:
        if self._syncs:
            host.sync(self._folder)

    def _practise(self) -> None:
        effort, deadline = self._engine.trait.efforts[0], time.perf_counter() + _PRACTICE
        for asked_with, queries in self._workload.vectors.practice.items():
            for query in queries:
                if time.perf_counter() < deadline:
                    self._engine.search(query, asked_with, effort)

    def _ask(self, question: Question, number: int, effort: int) -> Sequence[int]:
        query = self._workload.vectors.queries[question.asked_with][number]
        if question.where is None:
            return self._engine.search(query, question.asked_with, effort)
        return self._engine.filtered(query, question.asked_with, effort, question.where)

    def _add_until(
        self,
        stop: threading.Event,
        batches: Iterator[Batch],
        added: list[int],
        after: Callable[[], None] = lambda: None,
    ) -> None:
        while not stop.is_set():
            with self._taking:
                batch = next(batches)
            self._engine.add(batch)
            after()
            added[0] += len(batch.keys)

    def _further(self, size: int) -> Iterator[Batch]:
        """Returns batches of rows that are only there to be added, without end.

        They are made beforehand: to make rows takes as long as to store them.
        """
        made = self._workload.batch("audio", 0, _SUPPLY)
        starts = itertools.cycle(range(0, _SUPPLY - size + 1, size))
        return (self._renumbered(made.part(start, start + size)) for start in starts)

    def _renumbered(self, batch: Batch) -> Batch:
        first = self._workload.images + self._next
        self._next += len(batch.keys)
        return replace(batch, keys=np.arange(first, self._workload.images + self._next))


def _seconds(call: Callable[_P, object], *args: _P.args, **kwargs: _P.kwargs) -> float:
    """Returns what a call took."""
    began = time.perf_counter()
    call(*args, **kwargs)
    return time.perf_counter() - began
