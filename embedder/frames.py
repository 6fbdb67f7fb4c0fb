"""Which frames of a film are looked at."""

from collections.abc import Callable, Sequence

Pick = Callable[[float, int], Sequence[int]]
"""From a film's rate (frames a second) and its count of frames to the numbers of those to see."""

MOST_PICKED = 240
"""Of any film, however long: each costs a forward pass."""


def evenly(rate: float, count: int) -> Sequence[int]:
    """Picks one frame a second, fewer in films of more than 240 s, evenly.

    Each is the middle one of its share of the film: the very first and last are often black.
    """
    frames = min(max(1, round(count / rate)), MOST_PICKED, count)
    return [int((i + 0.5) * count / frames) for i in range(frames)]
