"""Partition: the index of one modality, exact while it is small, segmented when it is large.

New rows go into *chunks*, matrices in memory that are scanned whole. When they are many, a build
beside serving (`indexes.building`) makes an approximate *segment* of them, files on disk, which
takes their place by `adopt`. Every score, wherever its row lies, comes from one kernel
(`indexes.scan`) over the float16 rows, so that it has the same bits in each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indexes.base import Allowed, Half, Keys, Neighbors, Vectors
from indexes.segment import Segment
from indexes.stats import SegmentStats
from indexes.threads import ALONE, Helpers


@dataclass(frozen=True, slots=True)
class Layout:
    """How many rows are kept how.

    Attributes:
        chunk: Rows of a full chunk.
        exact: Up to so many live rows, a partition has no segments.
        tail: Beyond `exact`, chunks of so many rows are made a segment, or of a tenth of the
            partition if that is more, but of no more than `longest_tail`.
        segments: With more segments than this, all are made one.
        dead: So are they when more than this share of their rows is dead.
    """

    chunk: int = 16_384
    exact: int = 130_000
    tail: int = 20_000
    longest_tail: int = 100_000
    segments: int = 4
    dead: float = 0.2


class Partition:
    """Keys and vectors of one modality of one space; a value, see `indexes.base.Index`.

    Attributes:
        dim: Length of the vectors.
        segments: Its approximate parts, in the order of their keys.
    """

    dim: int
    segments: tuple[Segment, ...]

    @classmethod
    def empty(cls, dim: int, layout: Layout = Layout(), helpers: Helpers = ALONE) -> Self:
        """Returns a partition without rows."""
        raise NotImplementedError

    def with_segments(self, segments: Sequence[Segment]) -> Self:
        """Returns this partition and what the segments hold; for start-up.

        First `add` the rows that the segments lack (`indexes.segment.uncovered` says which keys
        those are), oldest first, then call this, then `remove` what is dead.
        """
        raise NotImplementedError

    def add(self, keys: Keys, rows: Half) -> Self:
        """Returns this partition with more rows; keys increase and exceed all that were added.

        Raises:
            InvalidVector: If the rows are not float16 of shape (len(keys), dim).
            ValueError: If a key is not larger than the one before it.
        """
        raise NotImplementedError

    def remove(self, keys: Keys) -> Self:
        """Returns this partition without these keys; unknown ones are ignored."""
        raise NotImplementedError

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        allowed: Allowed | None = None,
        asked: str = "",
        exact: bool = False,
    ) -> Neighbors:
        """Returns the k nearest rows of each query, shape (n, dim), among the allowed keys.

        Never fewer than k when k live rows are allowed.

        Args:
            queries: float32, shape (n, dim), of unit norm.
            k: How many.
            allowed: Which keys may answer; None means all.
            asked: Modality of the queries; each has an effort of its own in each segment.
            exact: Whether every row must be compared.

        Raises:
            InvalidVector: If the queries are not of shape (n, dim).
        """
        raise NotImplementedError

    def rows(self, keys: Keys) -> Half:
        """Returns the vectors of live keys, shape (len(keys), dim), in their order.

        Raises:
            KeyError: If one of them is not live.
        """
        raise NotImplementedError

    def has(self, keys: Keys) -> NDArray[np.bool_]:
        """Returns which of these keys are live, shape (n,)."""
        raise NotImplementedError

    def sample(self, count: int) -> Keys:
        """Returns up to `count` live keys, spread evenly over the partition, cheaply."""
        raise NotImplementedError

    def keys(self) -> Keys:
        """Returns the live keys, in order."""
        raise NotImplementedError

    def __len__(self) -> int:
        """Returns the number of live rows."""
        raise NotImplementedError

    def dead(self) -> Keys:
        """Returns the keys that files of segments hold, but that were removed since."""
        raise NotImplementedError

    def is_exact(self) -> bool:
        """Returns whether every search is exact, there being no segments."""
        raise NotImplementedError

    def with_segment(self, segment: Segment) -> Self:
        """Returns this with a segment in place of its namesake, as after a calibration."""
        raise NotImplementedError

    def stats(self) -> tuple[SegmentStats, ...]:
        """Describes the parts."""
        raise NotImplementedError
