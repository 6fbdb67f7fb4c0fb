"""Threads that help a search along when they are idle, and FAISS's own, of which it gets one."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import faiss

T = TypeVar("T")

_limits = threading.local()


def use_one_thread() -> None:
    """Keeps FAISS to the calling thread; its thread count is set per calling thread."""
    if not getattr(_limits, "set", False):
        faiss.omp_set_num_threads(1)
        _limits.set = True


class Helpers:
    """Runs the shares of one task on several threads; whoever asks does a share of its own.

    A share that finds no idle helper is done by the caller, so that nobody waits in a queue while
    it could work.

    Args:
        threads: How many threads work on one task, the caller included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._idle = threading.Semaphore(threads - 1)
        self._pool = ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="search")

    def run(self, shares: Sequence[Callable[[], T]]) -> list[T]:
        """Returns what each of the shares returned, in their order."""
        taken = [self._pool.submit(self._help, share) for share in shares[1:] if self._hire()]
        alone = [share() for share in (*shares[:1], *shares[1 + len(taken) :])]
        return [*alone[:1], *(future.result() for future in taken), *alone[1:]]

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def _hire(self) -> bool:
        return self._idle.acquire(blocking=False)

    def _help(self, share: Callable[[], T]) -> T:
        try:
            return share()
        finally:
            self._idle.release()


ALONE = Helpers(1)
"""No help: the caller does it all."""
