"""Threads that help a search along when they are idle, and FAISS's own, of which it gets one."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, cast

import faiss

T = TypeVar("T")

_limits = threading.local()


def use_one_thread() -> None:
    """Keeps FAISS to the calling thread; its thread count is set per calling thread."""
    if not getattr(_limits, "set", False):
        faiss.omp_set_num_threads(1)
        _limits.set = True


class Helpers:
    """Runs the shares of one task on several threads, of which the caller is one.

    Helpers that are busy with another task are not waited for: the caller then does more itself.

    Args:
        threads: How many threads work on one task, the caller included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._idle = threading.Semaphore(threads - 1)
        self._pool = ThreadPoolExecutor(max(threads - 1, 1), thread_name_prefix="search")

    def run(self, shares: Sequence[Callable[[], T]]) -> list[T]:
        """Returns what each of the shares returned, in their order."""
        results: list[T | None] = [None] * len(shares)
        waiting = deque(enumerate(shares))

        def work() -> None:
            while waiting:
                try:
                    place, share = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                results[place] = share()

        hired = [self._pool.submit(self._help, work) for _ in shares[1:] if self._hire()]
        work()
        for future in hired:
            if future.cancel():  # it has not even begun, and there is nothing left to do
                self._idle.release()
            else:
                future.result()
        return cast(list[T], results)

    def close(self) -> None:
        """Ends the threads."""
        self._pool.shutdown()

    def _hire(self) -> bool:
        return self._idle.acquire(blocking=False)

    def _help(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._idle.release()


ALONE = Helpers(1)
"""No help: the caller does it all."""
