"""Group commit: writers stand in line, and whoever is first commits for all that wait.

A commit that reaches the disk takes as long for one row as for a thousand. So while one is under
way the others gather, and the next takes them all: many small writers are as fast as a large one.
Writers whose change was just settled mostly come with another, and for these the next commit waits
an instant; else they would fall into two halves, each waiting for the commits of both.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence, Sized
from copy import copy
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from indexes.errors import StorageError

MOST_ROWS = 4_096
"""Of one commit, unless a single change has more; it bounds how long anybody waits."""

_HASTE = 2
"""A commit waits for the writers of the last one for a part in so many of what that one took."""

_Change = TypeVar("_Change", bound=Sized)
_Result = TypeVar("_Result")


def _held() -> threading.Lock:
    """Returns a lock whose release calls who waits for it; an event takes ten times as long."""
    lock = threading.Lock()
    lock.acquire()
    return lock


@dataclass(slots=True, eq=False)
class _Place(Generic[_Change, _Result]):
    """One writer in line, called when its change is settled or when it is first."""

    change: _Change
    called: threading.Lock = field(default_factory=_held)
    results: list[_Result] = field(default_factory=list)
    error: BaseException | None = None

    @property
    def settled(self) -> bool:
        return bool(self.results) or self.error is not None


class Line(Generic[_Change, _Result]):
    """Makes changes one group at a time, in the order in which they came.

    Args:
        commit: Makes these changes, all of them or none, and returns what each comes to.
        most_rows: A group has no more, a change having `len` of them.
    """

    def __init__(
        self,
        commit: Callable[[Sequence[_Change]], Sequence[_Result]],
        most_rows: int = MOST_ROWS,
    ) -> None:
        self._commit = commit
        self._most_rows = most_rows
        self._lock = threading.Lock()
        self._waiting: deque[_Place[_Change, _Result]] = deque()
        self._settled, self._come = 0, 0  # by the last commit, and since then
        self._complete = threading.Event()
        self._patience = 0.0

    def submit(self, change: _Change) -> _Result:
        """Makes a change, with whatever else waits, and returns what it comes to.

        Raises:
            Exception: Whatever the commit of its group raised; then nothing of it has happened.
        """
        own: _Place[_Change, _Result] = _Place(change)
        with self._lock:
            self._waiting.append(own)
            self._come += 1
            if self._come >= self._settled:
                self._complete.set()
            first = self._waiting[0] is own
        if not first:
            own.called.acquire()
        if not own.settled:
            self._lead()
        if own.error is not None:
            raise _retold(own.error) from own.error
        return own.results[0]

    def _lead(self) -> None:
        """Commits for the first in line and those behind it, and calls the next one."""
        self._complete.wait(self._patience)
        group = self._group()
        began = time.perf_counter()
        try:
            results = self._commit([place.change for place in group])
            for place, result in zip(group, results, strict=True):
                place.results.append(result)
        except BaseException as error:  # an interrupt, too, must leave nobody waiting
            for place in group:
                place.error = error
            raise
        finally:
            self._patience = (time.perf_counter() - began) / _HASTE
            self._leave(group)

    def _leave(self, group: Sequence[_Place[_Change, _Result]]) -> None:
        with self._lock:
            for _ in group:
                self._waiting.popleft()
            self._settled, self._come = len(group), 0
            self._complete.clear()
            called = [*group, *list(self._waiting)[:1]]
        for place in called:
            place.called.release()

    def _group(self) -> list[_Place[_Change, _Result]]:
        group: list[_Place[_Change, _Result]] = []
        rows = 0
        with self._lock:
            for place in self._waiting:
                rows += len(place.change)
                if group and rows > self._most_rows:
                    break
                group.append(place)
        return group


def _retold(error: BaseException) -> Exception:
    """Returns an error for one more thread to raise: a traceback belongs to one."""
    if isinstance(error, Exception):
        return copy(error)
    return StorageError(f"the commit was cut short by {type(error).__name__}")
