"""Courtesy: who writes lets searches go first, now and then and never for long.

A writer and a search share Python's lock, the processors and their caches. Beside a writer that
never rests, the slowest searches took about twice as long, most of it waiting for the lock, which a
search lets go of some twenty times. So a writer stops after every moment of work until a search
that is under way has ended: each search meets one such moment. Where many search at a time, or one
for long, writers wait for the next end, and no longer than they are told.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Courtesy:
    """Between the searches of a store and its writers.

    Args:
        moment: Seconds that a writer works before it lets searches go first.
        patience: Seconds that it then waits at most: beside searches without end, writers have a
            ninth of the time.
    """

    def __init__(self, moment: float = 0.0005, patience: float = 0.004) -> None:
        self._moment, self._patience = moment, patience
        self._ended = threading.Condition()
        self._searches = 0
        self._writer = threading.local()

    @contextmanager
    def search(self) -> Iterator[None]:
        """Says that a search is under way."""
        with self._ended:
            self._searches += 1
        try:
            yield
        finally:
            with self._ended:
                self._searches -= 1
                self._ended.notify_all()

    def give_way(self) -> None:
        """Waits for a search to end, if any is under way and the caller has worked for a moment."""
        rested: float = getattr(self._writer, "rested", 0.0)
        if time.perf_counter() - rested < self._moment:
            return
        with self._ended:
            if self._searches:
                self._ended.wait(self._patience)
        self._writer.rested = time.perf_counter()
