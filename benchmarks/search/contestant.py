"""One engine in a process of its own, and what is measured there."""

import ctypes
import gc
import itertools
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import numpy as np

from benchmarks.search.engines import ENGINES
from benchmarks.search.engines.base import Batch
from benchmarks.search.workload import Question, Workload

_P = ParamSpec("_P")
_R = TypeVar("_R")

_WARM_UP = 5
_FEWEST = 60
"""Queries that a slow engine is asked, which then gets `_LONGER` turns; no more than `_LONGEST`."""

_LONGER, _LONGEST = 5, 30

_SUPPLY = 20_000
"""Rows that are made before a turn in which they are added; then they come again as new ones."""

_LIBC = ctypes.CDLL(None)

_PRACTICE = 10.0
"""Most seconds of practice."""

_PATIENCE = 1_800.0
"""Seconds after which an engine counts as stuck, unless it is told otherwise."""


class Failed(Exception):
    """An engine's process ended or did not answer."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What it took to store rows.

    Attributes:
        rows: How many.
        adding: Seconds in `add`, in batches of 1,000.
        building: Seconds in `build`.
        memory: Bytes by which the process grew, mapped files left out.
    """

    rows: int
    adding: float
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
        self._before = _anonymous_bytes()
        self._engine = ENGINES[name](folder, dim, threads)
        _shorten_pauses()

    def load(self, modality: str) -> Loaded:
        """Stores all rows of a modality and builds; then practises and builds once more.

        Kindred chooses its effort by the queries that it was asked; these are asked by none else.
        """
        rows, adding = 0, 0.0
        for batch in self._workload.batches(modality, 1_000):
            began = time.perf_counter()
            self._engine.add(batch)
            adding += time.perf_counter() - began
            rows += len(batch.keys)
        building = self._build()
        self._practise()
        building += self._build()
        _LIBC.malloc_trim(0)  # what was freed is not what is needed
        return Loaded(rows, adding, building, _anonymous_bytes() - self._before)

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

    def ingest(self, batch: int, writers: int, seconds: float) -> float:
        """Returns rows a second stored by so many threads in batches of so many rows."""
        stop, batches = threading.Event(), self._further(batch)
        counts = [[0] for _ in range(writers)]
        threads = [
            threading.Thread(target=self._add_until, args=(stop, batches, count))
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
        taken = sum(file.stat().st_blocks * 512 for file in self._folder.rglob("*"))
        return round(taken / (self._workload.images + self._next))

    def _build(self) -> float:
        began = time.perf_counter()
        self._engine.build()
        return time.perf_counter() - began

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

    def _add_until(self, stop: threading.Event, batches: Iterator[Batch], added: list[int]) -> None:
        while not stop.is_set():
            with self._taking:
                batch = next(batches)
            self._engine.add(batch)
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


class Remote:
    """A contestant in another process, asked by sending it one of its methods.

    Attributes:
        name: Of the engine.
        patience: Seconds after which it counts as stuck, and is killed.
    """

    def __init__(self, name: str, folder: Path, workload: Workload, threads: int) -> None:
        self.name, self.patience = name, _PATIENCE
        os.environ["OMP_NUM_THREADS"] = str(threads)  # BLAS reads it when the process starts
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, name, folder, workload, threads), name=name
        )
        self._process.start()
        theirs.close()

    def ask(
        self,
        method: Callable[Concatenate[Contestant, _P], _R],
        *args: _P.args,
        **kwargs: _P.kwargs,
    ) -> _R:
        """Calls a method of the contestant over there.

        Raises:
            Failed: If the process ended or does not answer.
        """
        try:
            self._connection.send((method, args, kwargs))
            patience = min(self.patience, _PATIENCE)
            if not self._connection.poll(patience):
                self._process.kill()
                raise Failed(f"{self.name} took longer than {patience:.0f} s in {method.__name__}")
            answer: _R = self._connection.recv()
        except (EOFError, ConnectionError) as error:
            raise Failed(f"{self.name} ended in {method.__name__}; its trace is above") from error
        return answer

    def end(self) -> None:
        """Ends the process."""
        self._connection.close()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(
    connection: Connection, name: str, folder: Path, workload: Workload, threads: int
) -> None:
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-threads:])
    contestant = Contestant(name, folder, workload, threads)
    for method, args, kwargs in _messages(connection):
        connection.send(method(contestant, *args, **kwargs))


def _messages(connection: Connection) -> Iterator[Any]:
    while True:
        try:
            yield connection.recv()
        except EOFError:
            return


def _shorten_pauses() -> None:
    """Keeps Python from looking for cycles in what is there already, as `kindred serve` does.

    That takes 30 ms, which would be the slowest answers of whoever makes most objects.
    """
    gc.freeze()
    gc.set_threshold(10_000, *gc.get_threshold()[1:])


def _anonymous_bytes() -> int:
    """Returns this process's memory that no file backs (Linux)."""
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024
