"""Caretaker: the one thread of a store that looks after its collections, beside serving."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Protocol

from indexes.errors import CollectionNotFound, StorageError

log = logging.getLogger(__name__)

_NICE = 10
"""How far the thread stands back for searches where processors are short."""

_NICEST = 19


class Charge(Protocol):
    """What is looked after."""

    name: str

    def maintain(self) -> None:
        """Does what is due."""


class Caretaker:
    """Calls `maintain` of every collection, when it is nudged and every few seconds.

    Args:
        charges: Returns the collections there are.
        pause: Seconds between two rounds without a nudge.
    """

    def __init__(self, charges: Callable[[], Iterable[Charge]], pause: float) -> None:
        self._charges = charges
        self._pause = pause
        self._due = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="caretaker", daemon=True)
        self._thread.start()

    def nudge(self) -> None:
        """Says that something is due."""
        self._due.set()

    def close(self) -> None:
        """Ends the thread; collections that are closed keep it no longer than an instant."""
        self._ended.set()
        self._due.set()
        self._thread.join()

    def _run(self) -> None:
        if sys.platform == "linux":  # elsewhere this would slow the whole process down
            thread = threading.get_native_id()
            nice = os.getpriority(os.PRIO_PROCESS, thread)
            os.setpriority(os.PRIO_PROCESS, thread, min(nice + _NICE, _NICEST))
        while not self._ended.is_set():
            self._due.wait(self._pause)
            self._due.clear()
            well = [_maintain(charge) for charge in self._charges() if not self._ended.is_set()]
            if not all(well):
                self._ended.wait(self._pause)  # what failed is not tried again at once


def _maintain(charge: Charge) -> bool:
    """Tells whether all went well."""
    try:
        charge.maintain()
    except CollectionNotFound:  # it was closed just now
        return True
    except StorageError as error:
        log.warning("collection %r could not be looked after: %s", charge.name, error)
        return False
    return True
