"""Structure: what proposes rows of a segment, which are then scored by the vectors themselves."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from indexes.base import Chosen, Half
from indexes.derived.clustering import Asked
from indexes.derived.effort import Effort

Places = NDArray[np.int64]
"""int64, shape (n,): positions of rows, most promising first."""


class Structure(ABC):
    """Rows, known by their positions, and which of them may be near a query; immutable.

    Args:
        data: All of it as bytes. They stay where they lie, which need not be memory: those of a
            mapped file take none.

    Attributes:
        kind: What statistics and options call it.
        data: The same.
    """

    kind: ClassVar[str]

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.data = data

    @classmethod
    @abstractmethod
    def of(cls, rows: Half, seed: int, cancelled: Asked) -> Self:
        """Builds the structure of these rows, shape (n, dim), n >= 1.

        Raises:
            Cancelled: If asked to stop.
        """

    @property
    @abstractmethod
    def nbytes(self) -> int:
        """What it takes in memory beside `data`."""

    @abstractmethod
    def breadths(self) -> Sequence[int]:
        """Returns the breadths that calibration tries, the most thorough last."""

    @abstractmethod
    def cost(self, breadth: int) -> float:
        """Returns what a search of this breadth costs, in codes compared: some 27 ns each."""

    @abstractmethod
    def searches(
        self, query: NDArray[np.float32], effort: Effort, chosen: Chosen | None, shares: int
    ) -> list[Callable[[], Places]]:
        """Returns searches, at most `shares`, that together propose the rows of the shortlist.

        Args:
            query: float32, shape (dim,).
            effort: How much is looked at.
            chosen: Which rows may answer; None means all.
            shares: Among how many threads the work may be shared.
        """

    @abstractmethod
    def words(self, effort: Effort) -> str:
        """Returns an effort in the words of the field."""

    def scaled(self, effort: Effort, k: int, selectivity: float) -> Effort:
        """Returns the effort for the best k among this share of the rows."""
        return effort.scaled(k, selectivity)

    def nearest(self, query: NDArray[np.float32], count: int, breadth: int) -> Places:
        """Returns positions of up to `count` rows, found by a search of this breadth."""
        (search,) = self.searches(query, Effort(breadth, count), None, 1)
        return search()
