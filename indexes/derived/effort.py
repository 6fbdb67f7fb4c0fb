"""How hard an approximate segment searches: chosen by measuring it against exact search.

One search with the longest shortlist tells for each true neighbour from which length on it is
found. So bisection finds how broad a search must be at least, and of the pairs of breadth and
length near there that reach the target, the cheapest is taken.
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
PER_ROW = 6
"""What it costs to score a row, in codes that could be compared meanwhile (0.15 us; 27 ns)."""

_WIDER = 4
"""Queries of another modality need about so many times the breadth, and at least..."""

_LONGER = 2_560
"""...so long a shortlist."""


@dataclass(frozen=True, slots=True)
class Effort:
    """How much of a segment is looked at.

    Attributes:
        breadth: Lists whose codes are compared, or rows of a graph that are kept in view.
        shortlist: Rows with the best codes, whose vectors are compared.
        recall: Share of the true ten nearest that was found so in calibration; None if this is a
            guess, made before any.
        queries: How many queries calibration used.
        target: The recall it was to reach.
    """

    breadth: int
    shortlist: int
    recall: float | None = None
    queries: int = 0
    target: float | None = None

    def wider(self) -> "Effort":
        """Returns a guess for queries of another modality than these were."""
        return Effort(_WIDER * self.breadth, max(self.shortlist, _LONGER))

    def scaled(self, k: int, selectivity: float) -> "Effort":
        """Returns the effort for the best k among this share of the rows.

        Neighbours of a higher rank lie farther off, in more lists; so do those of a rank if most
        rows may not answer.
        """
        deeper = max(1.0, k / TRUE) ** 0.5
        sparser = min(4.0, selectivity**-0.25)
        return replace(
            self,
            breadth=round(self.breadth * deeper**0.5 * sparser),
            shortlist=max(round(self.shortlist * deeper), 2 * k),
        )


class Proposer(Protocol):
    """What is calibrated; see `indexes.derived.structure.Structure`."""

    def breadths(self) -> Sequence[int]:
        """Returns the breadths to try, the most thorough last."""

    def cost(self, breadth: int) -> float:
        """Returns what a search of this breadth costs."""

    def nearest(self, query: NDArray[np.float32], count: int, breadth: int) -> NDArray[np.int64]:
        """Returns positions of up to `count` rows, most promising first."""


def cheapest(
    proposer: Proposer,
    queries: NDArray[np.float32],
    truth: Sequence[NDArray[np.int64]],
    target: float,
    tick: Callable[[], None] = lambda: None,
) -> Effort:
    """Returns the cheapest effort that finds the target share of the true neighbours.

    Of the target's distance from 1, a quarter is left for the queries' being a sample.

    Args:
        proposer: What proposes rows.
        queries: float32, shape (n, dim).
        truth: Positions of the true neighbours of each.
        target: Share that is to be found; the most thorough effort is taken if none reaches it.
        tick: Called before every query.
    """
    goal = target + (1 - target) / 4
    rungs = proposer.breadths()

    @cache
    def shares(breadth: int) -> NDArray[np.float64]:
        return _found(proposer, queries, truth, breadth, tick)

    first = bisect_left(rungs, goal, key=lambda breadth: shares(breadth)[-1])
    efforts = [
        Effort(breadth, length, float(share), len(queries), target)
        for breadth in rungs[first : first + 3]  # broader than needed, fewer rows: may be cheaper
        for length, share in zip(_SHORTLISTS, shares(breadth), strict=True)
    ]
    good = [effort for effort in efforts if (effort.recall or 0) >= goal]
    most = Effort(rungs[-1], _SHORTLISTS[-1], float(shares(rungs[-1])[-1]), len(queries), target)
    return min(good, key=lambda effort: cost(proposer, effort), default=most)


def steps(first: int, last: int) -> list[int]:
    """Returns breadths to try: in steps of about the root of two, up to the last."""
    count = math.floor(2 * math.log2(last / first)) if last > first else -1
    return [*(round(first * 2 ** (step / 2)) for step in range(count + 1)), last]


def _found(
    proposer: Proposer,
    queries: NDArray[np.float32],
    truth: Sequence[NDArray[np.int64]],
    breadth: int,
    tick: Callable[[], None],
) -> NDArray[np.float64]:
    """Returns the share of true neighbours in shortlists of each length."""
    found = np.zeros(len(_SHORTLISTS))
    for query, expected in zip(queries, truth, strict=True):
        tick()
        near = proposer.nearest(query, _SHORTLISTS[-1], breadth)
        found += np.searchsorted(np.flatnonzero(np.isin(near, expected)), _SHORTLISTS)
    return found / max(sum(len(expected) for expected in truth), 1)


def cost(proposer: Proposer, effort: Effort) -> float:
    """Returns what a search costs, in codes compared."""
    return proposer.cost(effort.breadth) + PER_ROW * effort.shortlist
