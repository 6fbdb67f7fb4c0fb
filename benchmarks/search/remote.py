"""A contestant in a process of its own, and how it is asked."""

import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

from benchmarks.search.contestant import Contestant
from benchmarks.search.workload import Workload

_P = ParamSpec("_P")
_R = TypeVar("_R")

_PATIENCE = 1_800.0
"""Seconds after which an engine counts as stuck, unless it is told otherwise."""


class Failed(Exception):
    """An engine's process ended or did not answer."""


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
