"""Windows: stretches of a sound or a film, so that a part of it can be embedded and pointed at."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedder.media import Audio, Media, Video


@dataclass(frozen=True, slots=True)
class Window:
    """From one second to another."""

    start: float
    end: float


WHOLE = Window(0.0, 0.0)
"""Of what has no duration, words and pictures: they have one window, themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Windowing:
    """How a sound or a film is cut.

    Windows overlap by half: what one of them cuts in two, its neighbour has whole.

    Attributes:
        seconds: Length of a window. What is not longer has one window, itself.
        most: Windows of one item. What is so long that it would have more has longer ones.
    """

    seconds: float = 5.0
    most: int = 256

    def __post_init__(self) -> None:
        """Refuses what would cut nothing.

        Raises:
            ValueError: If the length is not positive and finite, or `most` is less than two.
        """
        if not 0 < self.seconds < math.inf:
            raise ValueError(f"seconds must be positive and finite, got {self.seconds}")
        if self.most < 2:
            raise ValueError(f"most must be at least 2, got {self.most}")

    def windows(self, duration: float) -> list[Window]:
        """Returns the windows of what lasts so many seconds; the last one ends with it."""
        if duration <= self.seconds:
            return [Window(0.0, duration)]
        # n windows that overlap by half reach as far as (n + 1) / 2 of them side by side.
        size = max(self.seconds, 2 * duration / (self.most + 1))
        count = min(math.ceil(2 * (duration - size) / size), self.most - 1)
        starts = [i * size / 2 for i in range(count)]
        return [Window(at, at + size) for at in starts] + [Window(duration - size, duration)]


DEFAULT_WINDOWING = Windowing()


@dataclass(frozen=True, slots=True, eq=False)
class WindowVectors:
    """The windows of one item and their vectors, in order of time.

    Attributes:
        windows: At least one.
        vectors: float32, shape (len(windows), dim), unit rows.
    """

    windows: tuple[Window, ...]
    vectors: NDArray[np.float32]


def cuts(item: Media, how: Windowing = DEFAULT_WINDOWING) -> list[tuple[Window, Media]]:
    """Returns the windows of an item, each with what is heard or seen in it, at least one.

    Windows of a film in which none of its frames lies are left out.
    """
    if not isinstance(item, Audio | Video):
        return [(WHOLE, item)]
    windows = how.windows(item.seconds)
    if len(windows) == 1:
        return [(windows[0], item)]
    parts = ((window, item.cut(window.start, window.end)) for window in windows)
    return [(window, part) for window, part in parts if part is not None]
