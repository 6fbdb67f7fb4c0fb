"""How hard an approximate segment searches: chosen by measuring it against exact search.

One search with the longest shortlist tells for each true neighbour from which length on it is
found. So bisection finds how many lists are needed at least, and of the pairs of lists and length
near there that reach the target, the cheapest is taken.
"""

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

TRUE = 10
"""Recall is counted among so many true neighbours."""

FEWEST_QUERIES = 32
"""Fewer queries say too little about an effort."""

OWN_TARGET = 0.99
"""Least recall that is asked for where queries and rows are of one modality: there it is cheap."""

_SHORTLISTS = (40, 60, 80, 120, 160, 240, 320, 480, 640, 960, 1_280, 1_920, 2_560, 3_840, 5_120)
_FIRST_NPROBE = 8
PER_ROW = 6
_PER_CENTROID = 3
"""What it costs to score a row and to find how far a list is, in codes that could be compared
meanwhile (0.15 us, 80 ns; 27 ns)."""

_WIDER = 4
"""Queries of another modality need about so many times the lists, and at least..."""

_LONGER = 2_560
"""...so long a shortlist."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of a segment is looked at.

    Attributes:
        nprobe: Lists whose codes are compared.
        shortlist: Rows with the best codes, whose vectors are compared.
        recall: Share of the true ten nearest that was found so in calibration; None if this is a
            guess, made before any.
        queries: How many queries calibration used.
        target: The recall it was to reach.
    """

    nprobe: int
    shortlist: int
    recall: float | None = None
    queries: int = 0
    target: float | None = None

    def wider(self) -> "Effort":
        """Returns a guess for queries of another modality than these were."""
        return Effort(_WIDER * self.nprobe, max(self.shortlist, _LONGER))

    def scaled(self, k: int, selectivity: float) -> "Effort":
        """Returns the effort for the best k among this share of the rows.

        Neighbours of a higher rank lie farther off, in more lists; so do those of a rank if most
        rows may not answer.
        """
        deeper = max(1.0, k / TRUE) ** 0.5
        sparser = min(4.0, selectivity**-0.25)
        return replace(
            self,
            nprobe=round(self.nprobe * deeper**0.5 * sparser),
            shortlist=max(round(self.shortlist * deeper), 2 * k),
        )


class Lists(Protocol):
    """What is calibrated; see `indexes.derived.codes.Codes`."""

    @property
    def lists(self) -> int:
        """How many lists there are."""

    @property
    def rows(self) -> int:
        """How many rows."""

    def nearest(self, query: NDArray[np.float32], count: int, nprobe: int) -> NDArray[np.int64]:
        """Returns positions of up to `count` rows, most promising first."""


def cheapest(
    codes: Lists,
    queries: NDArray[np.float32],
    truth: Sequence[NDArray[np.int64]],
    target: float,
    tick: Callable[[], None] = lambda: None,
) -> Effort:
    """Returns the cheapest effort that finds the target share of the true neighbours.

    Of the target's distance from 1, a quarter is left for the queries' being a sample.

    Args:
        codes: What proposes rows.
        queries: float32, shape (n, dim).
        truth: Positions of the true neighbours of each.
        target: Share that is to be found; the most thorough effort is taken if none reaches it.
        tick: Called before every query.
    """
    goal = target + (1 - target) / 4
    rungs = _nprobes(codes.lists)

    @cache
    def shares(nprobe: int) -> NDArray[np.float64]:
        return _found(codes, queries, truth, nprobe, tick)

    first = bisect_left(rungs, goal, key=lambda nprobe: shares(nprobe)[-1])
    efforts = [
        Effort(nprobe, length, float(share), len(queries), target)
        for nprobe in rungs[first : first + 3]  # more lists than needed, fewer rows: may be cheaper
        for length, share in zip(_SHORTLISTS, shares(nprobe), strict=True)
    ]
    good = [effort for effort in efforts if (effort.recall or 0) >= goal]
    most = Effort(rungs[-1], _SHORTLISTS[-1], float(shares(rungs[-1])[-1]), len(queries), target)
    return min(good, key=lambda effort: cost(codes, effort), default=most)


def _nprobes(lists: int) -> list[int]:
    """Returns how many lists to try: in steps of about the root of two, up to all."""
    steps = math.floor(2 * math.log2(lists / _FIRST_NPROBE)) if lists > _FIRST_NPROBE else -1
    return [*(round(_FIRST_NPROBE * 2 ** (step / 2)) for step in range(steps + 1)), lists]


def _found(
    codes: Lists,
    queries: NDArray[np.float32],
    truth: Sequence[NDArray[np.int64]],
    nprobe: int,
    tick: Callable[[], None],
) -> NDArray[np.float64]:
    """Returns the share of true neighbours in shortlists of each length."""
    found = np.zeros(len(_SHORTLISTS))
    for query, expected in zip(queries, truth, strict=True):
        tick()
        ranks = np.flatnonzero(np.isin(codes.nearest(query, _SHORTLISTS[-1], nprobe), expected))
        found += np.searchsorted(ranks, _SHORTLISTS)
    return found / max(sum(len(expected) for expected in truth), 1)


def cost(codes: Lists, effort: Effort) -> float:
    """Returns what a search costs, in codes compared."""
    compared = _PER_CENTROID * codes.lists + effort.nprobe * codes.rows / codes.lists
    return compared + PER_ROW * effort.shortlist
