"""How long forward passes take, learnt from those of late, and so how large the next should be."""

import math

from embedder.media import Modality

WASTE = 0.1
"""Part that a pass may take longer for its cost than the best size does: a larger one would save
less than that, and whoever comes meanwhile waits for all of it."""

SHORT_SECONDS = 0.01
"""What nobody minds waiting for: a batch that takes no longer needs not pay. How a small model's
passes compare can't be told while others want the processor."""

TRY_EVERY = 16
"""Passes, of which one is twice as large: what larger ones took under load may be out of date."""

_STEP = 0.05
_QUANTILE = 0.3
"""Of passes of one size, which share is to be faster than what is typical of them. Less than half:
what else the machine does only ever makes a pass slower."""


class Pace:
    """How fast forward passes have been."""

    def __init__(self) -> None:
        self.seconds_per_item = 0.01  # a first guess; every forward pass corrects it
        self._sizes: dict[Modality | None, _Sizes] = {}
        self._least: dict[Modality | None, float] = {}

    def observe(self, kind: Modality | None, cost: float, items: int, seconds: float) -> None:
        """Learns from a pass of so many items of a kind, of so much cost together."""
        self._sizes.setdefault(kind, _Sizes()).add(cost, seconds)
        self._least[kind] = min(seconds, self._least.get(kind, seconds))
        self.seconds_per_item += 0.2 * (seconds / items - self.seconds_per_item)

    def cost_within(self, seconds: float, kind: Modality | None) -> float:
        """Returns the cost that takes so long; before the first pass, a single item's."""
        return self._sizes[kind].within(seconds) if kind in self._sizes else 0.0

    def paying_cost(self, seconds: float, kind: Modality | None) -> float:
        """Returns the cost beyond which a batch saves little, or takes longer than so.

        Before there were passes of two sizes, it may be anything.
        """
        sizes = self._sizes.get(kind)
        if sizes is None or sizes.is_one:
            return 1.0
        paying = max(sizes.paying, sizes.within(SHORT_SECONDS))
        return min(2 * paying if sizes.is_time_to_try else paying, sizes.within(seconds))

    def least_seconds(self, kind: Modality | None) -> float:
        """Returns what the shortest pass so far took: an average would let no hurried one by."""
        return self._least.get(kind, 0.0)


class _Sizes:
    """What passes take for their cost, typically, by their size: costs up to each power of two."""

    def __init__(self) -> None:
        self._rates: dict[float, float] = {}
        self._passes = 0

    def add(self, cost: float, seconds: float) -> None:
        self._passes += 1
        cost = max(cost, 1e-9)
        size = 2.0 ** math.ceil(math.log2(cost))
        rate = self._rates.setdefault(size, seconds / cost)
        # A running quantile, which a pass that was interrupted moves no further than any other.
        up = seconds / cost > rate
        self._rates[size] = rate * (1 + _STEP * (_QUANTILE if up else _QUANTILE - 1))

    @property
    def is_one(self) -> bool:
        """Whether all passes had the same size."""
        return len(self._rates) == 1

    @property
    def is_time_to_try(self) -> bool:
        """Whether the next pass is to try what a larger one takes by now."""
        return self._passes % TRY_EVERY == 0

    @property
    def paying(self) -> float:
        """The least size that is about as good as the best; one that nobody tried may be better."""
        good = (1 + WASTE) * min(self._rates.values())
        size = min(size for size, rate in self._rates.items() if rate <= good)
        return min(1.0, 2 * size if size == max(self._rates) else size)

    def within(self, seconds: float) -> float:
        """Returns the cost that takes so long, at most twice of what was tried."""
        costs = {size: seconds / rate for size, rate in self._rates.items()}
        # A rate holds for costs of about its size; of the least size, for what is smaller too.
        fitting = [min(2 * size, cost) for size, cost in costs.items() if 2 * cost > size]
        return min(1.0, max(fitting, default=costs[min(costs)]))
