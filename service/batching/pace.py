"""How long forward passes take, learnt from those of late, and so how large the next should be."""

from embedder.media import Modality

WASTE = 0.05
"""Part of a pass that may be its fixed cost: a larger batch would save less than that."""

_KEPT = 0.95
"""Weight of what was known before, at each pass: about the last twenty count."""

_ALIKE = 0.05
"""Sizes that differ by less, relatively, tell nothing of what is fixed and what grows."""


class Pace:
    """How fast forward passes have been."""

    def __init__(self) -> None:
        self.seconds_per_item = 0.01  # a first guess; every forward pass corrects it
        self._lines: dict[Modality | None, _Line] = {}
        self._least: dict[Modality | None, float] = {}

    def observe(self, kind: Modality | None, cost: float, items: int, seconds: float) -> None:
        """Learns from a pass of so many items of a kind, of so much cost together."""
        self._lines.setdefault(kind, _Line()).add(cost, seconds)
        self._least[kind] = min(seconds, self._least.get(kind, seconds))
        self.seconds_per_item += 0.2 * (seconds / items - self.seconds_per_item)

    def cost_within(self, seconds: float, kind: Modality | None) -> float:
        """Returns the cost that takes so long; before the first pass, a single item's."""
        if kind not in self._lines:
            return 0.0
        fixed, slope = self._lines[kind].fitted or (0.0, self._lines[kind].ratio)
        return min(1.0, max(0.0, seconds - fixed) / slope)

    def paying_cost(self, seconds: float, kind: Modality | None) -> float:
        """Returns the cost beyond which a batch saves nothing, or takes longer than so.

        Before there were passes of two sizes, it may be anything.
        """
        line = self._lines.get(kind)
        if line is None or line.fitted is None:
            return 1.0
        fixed, slope = line.fitted
        return min(self.cost_within(seconds, kind), (1 / WASTE - 1) * fixed / slope)

    def least_seconds(self, kind: Modality | None) -> float:
        """Returns what the shortest pass so far took: an average would let no hurried one by."""
        return self._least.get(kind, 0.0)


class _Line:
    """Seconds of a pass as a fixed part and one that grows with its cost, by least squares."""

    def __init__(self) -> None:
        self._sums: tuple[float, ...] = (0.0,) * 5
        self._slope: float | None = None

    def add(self, cost: float, seconds: float) -> None:
        new = (1.0, cost, seconds, cost * cost, cost * seconds)
        self._sums = tuple(_KEPT * old + value for old, value in zip(self._sums, new, strict=True))
        weight, *sums = self._sums
        x, y, xx, xy = (each / weight for each in sums)
        if xx - x * x > (_ALIKE * x) ** 2:
            self._slope = (xy - x * y) / (xx - x * x)

    @property
    def ratio(self) -> float:
        """Seconds by cost."""
        _, cost, seconds, _, _ = self._sums
        return seconds / max(cost, 1e-12)

    @property
    def fitted(self) -> tuple[float, float] | None:
        """The fixed seconds and those by cost; None while all passes were of one size."""
        if self._slope is None:
            return None
        weight, cost, seconds, _, _ = self._sums
        # Noise may make either part negative; none is, nor is a pass ever for nothing.
        slope = min(max(self._slope, WASTE * self.ratio), self.ratio)
        return max(0.0, seconds - slope * cost) / weight, slope
