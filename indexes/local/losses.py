"""Losses: stored items that turn out to be damaged. They cost themselves, and are reported."""

import json
import logging
import threading
from collections.abc import Iterable
from operator import methodcaller
from sqlite3 import Connection

import numpy as np

from indexes.local.revisions import Revisions
from indexes.truth.ledger import Ledger

log = logging.getLogger(__name__)


class Losses:
    """The damaged items of one collection. Thread-safe.

    Args:
        ledger: Where they are stored.
        revisions: Whose indexes are to be without them.
        numbers: Those that are known already, and that no index holds.
    """

    def __init__(self, ledger: Ledger, revisions: Revisions, numbers: Iterable[int]) -> None:
        self._ledger = ledger
        self._revisions = revisions
        self._numbers = set(numbers)
        self._lock = threading.Lock()
        if self._numbers:
            self._tell(self._numbers)

    def add(self, numbers: Iterable[int]) -> None:
        """Takes items out of the indexes, so that they stand in nobody's way."""
        with self._lock:
            fresh = set(numbers) - self._numbers
            if not fresh:
                return
            keys = np.array(sorted(fresh), dtype=np.int64)
            for modality in self._revisions.now.partitions:
                self._revisions.replace(modality, methodcaller("remove", keys))
            self._numbers |= fresh
        self._tell(fresh)

    def ids(self) -> tuple[str, ...]:
        """Returns the ids of those that were not deleted or stored again since, in order."""
        numbers = list(self._numbers)
        if not numbers:
            return ()
        with self._ledger.read() as connection:
            return tuple(sorted(_ids(connection, numbers)))

    def _tell(self, numbers: Iterable[int]) -> None:
        with self._ledger.read() as connection:
            ids = sorted(_ids(connection, numbers))
        log.warning("damaged items of collection %r: %s", self._ledger.path.parent.name, ids)


def _ids(connection: Connection, numbers: Iterable[int]) -> list[str]:
    rows = connection.execute(
        "SELECT id FROM item WHERE seq IN (SELECT value FROM json_each(?))",
        (json.dumps([int(number) for number in numbers]),),
    )
    return [str(item_id) for (item_id,) in rows]
