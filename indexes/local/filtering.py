"""What filters let through, remembered: an item never changes under its number.

A filter that was evaluated once need be evaluated only on items that are newer. Those that were
deleted since are masked by the indexes. So a filter that is asked again costs next to nothing,
however large the collection is.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from sqlite3 import Connection

from indexes.base import Allowed
from indexes.filters.language import Filter
from indexes.truth import selection

_SPARE = 4_096
"""A result may gather so many deleted items, and as many again as it had, until it is renewed."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What a filter lets through.

    Attributes:
        upto: Number of the last change that this takes into account.
        renewed: How many keys there were when all items were asked.
    """

    upto: int
    allowed: Allowed
    renewed: int


class FilterCache:
    """Results of recent filters on one collection, the least recently used forgotten first.

    Args:
        limit: Bytes that all results together may take.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._known: OrderedDict[str, _Known] = OrderedDict()

    def allowed(self, connection: Connection, sequence: int, condition: Filter) -> Allowed:
        """Returns what the filter lets through in the state that the connection sees.

        Args:
            connection: Sees one unchanging state.
            sequence: The number of that state.
            condition: The filter.
        """
        name = repr(condition)  # equal filters may differ: 1 == True
        with self._lock:
            known = self._known.get(name)
        if known is not None and known.upto == sequence:
            fresh = known
        elif known is not None and known.upto < sequence and not _stale(known):
            newer = selection.numbers(connection, condition, after=known.upto)
            allowed = known.allowed.extended(newer) if len(newer) else known.allowed
            fresh = _Known(sequence, allowed, known.renewed)
        else:  # also where another search has seen a later state, in which others are deleted
            keys = selection.numbers(connection, condition)
            fresh = _Known(sequence, Allowed(keys), len(keys))
        self._keep(name, fresh)
        return fresh.allowed

    def _keep(self, name: str, fresh: _Known) -> None:
        with self._lock:
            known = self._known.get(name)
            if known is None or known.upto < fresh.upto:
                self._known[name] = fresh
            self._known.move_to_end(name)
            size = sum(each.allowed.nbytes for each in self._known.values())
            while size > self._limit:
                size -= self._known.popitem(last=False)[1].allowed.nbytes


def _stale(known: _Known) -> bool:
    return len(known.allowed.keys) > 2 * known.renewed + _SPARE
