"""How long forward passes take, learnt from those of late, and so how large the next should be."""

from embedder.media import Modality

_STEP = 0.05
_QUANTILE = 0.3
"""Of passes, which share is to be faster than what is typical of them. Less than half: what else
the machine does only ever makes a pass slower."""


class Pace:
    """How fast forward passes have been."""

    def __init__(self) -> None:
        self.seconds_per_item = 0.01  # a first guess; every forward pass corrects it
        self._rates: dict[Modality | None, float] = {}
        self._least: dict[Modality | None, float] = {}

    def observe(self, kind: Modality | None, cost: float, items: int, seconds: float) -> None:
        """Learns from a pass of so many items of a kind, of so much cost together."""
        taken = seconds / max(cost, 1e-9)
        rate = self._rates.setdefault(kind, taken)
        # A running quantile, which a pass that was interrupted moves no further than any other.
        self._rates[kind] = rate * (1 + _STEP * (_QUANTILE if taken > rate else _QUANTILE - 1))
        self._least[kind] = min(seconds, self._least.get(kind, seconds))
        self.seconds_per_item += 0.2 * (seconds / items - self.seconds_per_item)

    def cost_within(self, seconds: float, kind: Modality | None) -> float:
        """Returns the cost that typically takes so long; before the first pass, a single item's."""
        return seconds / self._rates[kind] if kind in self._rates else 0.0

    def least_seconds(self, kind: Modality | None) -> float:
        """Returns what the shortest pass so far took: an average would let no hurried one by."""
        return self._least.get(kind, 0.0)
