"""Partition: the index of one modality, exact while it is small, segmented when it is large.

New rows go into *chunks*, matrices in memory that are scanned whole. When they are many, a build
beside serving (`building`) makes an approximate *segment* of them, files on disk, which takes their
place. Every score, wherever its row lies, comes from one kernel (`scan`) over the float16 rows, so
that it has the same bits in each.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indexes.base import Allowed, Half, Index, Keys, Neighbors, Vectors
from indexes.derived.chunk import Chunk
from indexes.derived.chunks import extended, reduced
from indexes.derived.nearest import Question, nearest
from indexes.derived.part import Part
from indexes.derived.segment import Segment
from indexes.derived.threads import ALONE, Helpers
from indexes.errors import InvalidVector
from indexes.stats import SegmentStats


@dataclass(frozen=True, slots=True)
class Layout:
    """How many rows are kept how.

    Attributes:
        chunk: Rows of a full chunk.
        exact: Up to so many live rows, a partition has no segments. Codes are compared as soon as
            rows are at 20,000; here a scan takes a millisecond and a half on two threads.
        tail: Beyond `exact`, chunks of so many rows are made a segment, or of a fortieth of the
            partition if that is more, but of no more than `longest_tail`.
        segments: With more segments than this, the latest ones are made one.
        dead: When more than this share of the rows of segments is dead, all are made one.
    """

    chunk: int = 32_768
    exact: int = 50_000
    tail: int = 20_000
    longest_tail: int = 50_000
    segments: int = 4
    dead: float = 0.2


class Partition(Index):
    """See `Index`; its parts are values, too.

    Attributes:
        dim: Length of the vectors.
        layout: How many rows are kept how.
        chunks: Its exact parts, in the order of their keys.
        parts: Its approximate parts, in the order of their keys.
        newest: The largest key that was ever added, 0 if none was.
    """

    def __init__(self, dim: int, layout: Layout, helpers: Helpers) -> None:
        self.dim = dim
        self.layout = layout
        self.chunks: tuple[Part[Chunk], ...] = ()
        self.parts: tuple[Part[Segment], ...] = ()
        self.newest = 0
        self._helpers = helpers

    @classmethod
    def empty(cls, dim: int, layout: Layout | None = None, helpers: Helpers = ALONE) -> Self:
        """Returns a partition without rows."""
        return cls(dim, layout or Layout(), helpers)

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its segments, in the order of their keys."""
        return tuple(part.held for part in self.parts)

    def with_segments(self, segments: Sequence[Segment]) -> Self:
        """Returns this partition and what the segments hold; for start-up.

        First `add` the rows that the segments lack (`segment.uncovered` says which keys those
        are), oldest first, then call this, then `remove` what is dead.
        """
        parts = (*self.parts, *(Part.of(segment) for segment in segments))
        return self.with_parts(self.chunks, sorted(parts, key=_first))

    def all_parts(self) -> list[Part[Chunk] | Part[Segment]]:
        """Returns its parts in the order of their keys."""
        parts: list[Part[Chunk] | Part[Segment]] = [*self.parts, *self.chunks]
        return sorted(parts, key=_first)

    def with_parts(self, chunks: Sequence[Part[Chunk]], parts: Sequence[Part[Segment]]) -> Self:
        """Returns a version that consists of these, each in the order of their keys."""
        version = copy(self)
        version.chunks = tuple(chunks)
        version.parts = tuple(part for part in parts if part.live.count)
        ends = [int(part.held.keys[-1]) for part in chunks]
        ends += [part.held.covers.upto for part in parts]
        version.newest = max([self.newest, *ends])
        return version

    def add(self, keys: Keys, rows: Half) -> Self:
        """See `Index.add`."""
        _require_shape(rows, np.float16, (len(keys), self.dim))
        if np.any(np.diff(keys, prepend=self.newest) <= 0):
            raise ValueError(f"keys must increase and be larger than {self.newest}")
        chunks = extended(self.chunks, keys, rows, self.layout.chunk)
        return self.with_parts(chunks, self.parts)

    def remove(self, keys: Keys) -> Self:
        """See `Index.remove`."""
        chunks = reduced(self.chunks, keys, self.layout.chunk)
        return self.with_parts(chunks, [part.without(keys) for part in self.parts])

    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        allowed: Allowed | None = None,
        asked: str = "",
        exact: bool = False,
    ) -> Neighbors:
        """See `Index.search`."""
        _require_shape(queries, np.float32, (len(queries), self.dim))
        neighbors = Neighbors(
            np.full((len(queries), k), -1, dtype=np.int64),
            np.full((len(queries), k), -np.inf, dtype=np.float32),
        )
        for i, query in enumerate(np.ascontiguousarray(queries)):
            question = Question(query, k, allowed, asked, exact)
            found = nearest(question, self.chunks, self.parts, self._helpers)
            neighbors.keys[i, : len(found.places)] = found.places
            neighbors.scores[i, : len(found.scores)] = found.scores
        return neighbors

    def rows(self, keys: Keys) -> Half:
        """See `Index.rows`."""
        rows = np.empty((len(keys), self.dim), dtype=np.float16)
        missing = np.ones(len(keys), dtype=np.bool_)
        for part in self.all_parts():
            places, known = part.find(keys)
            rows[known] = part.held.rows[places[known]]
            missing &= ~known
        if missing.any():
            raise KeyError(f"no live row has the key {keys[missing][0]}")
        return rows

    def has(self, keys: Keys) -> NDArray[np.bool_]:
        """See `Index.has`."""
        live = np.zeros(len(keys), dtype=np.bool_)
        for part in self.all_parts():
            live |= part.find(keys)[1]
        return live

    def keys(self) -> Keys:
        """See `Index.keys`."""
        keys = [part.keys() for part in self.all_parts()]
        return np.concatenate(keys) if keys else np.empty(0, dtype=np.int64)

    def sample(self, count: int) -> Keys:
        """Returns up to `count` live keys, in order, spread evenly; takes microseconds.

        A removed row is skipped, not replaced, so that they may be fewer.
        """
        live = len(self)
        found: list[Keys] = []
        for part in self.all_parts():
            size = len(part.held.keys)
            share = min(round(count * part.live.count / live), size) if live else 0
            keys = part.held.keys[np.arange(share) * size // max(share, 1)]
            found.append(keys[part.find(keys)[1]])
        return np.concatenate(found) if found else np.empty(0, dtype=np.int64)

    def __len__(self) -> int:
        return sum(part.live.count for part in self.all_parts())

    def dead(self) -> Keys:
        """Returns the keys that files of segments hold, but that were removed since."""
        gone = [part.held.keys[~part.find(part.held.keys)[1]] for part in self.parts if part.dead]
        return np.concatenate(gone) if gone else np.empty(0, dtype=np.int64)

    def is_exact(self) -> bool:
        """Returns whether every search is exact, there being no segments."""
        return not self.parts

    def with_segment(self, segment: Segment) -> Self:
        """Returns this with a segment in place of its namesake, as after a calibration."""
        parts = [
            Part(segment, part.live) if part.held.folder == segment.folder else part
            for part in self.parts
        ]
        return self.with_parts(self.chunks, parts)

    def stats(self) -> tuple[SegmentStats, ...]:
        """Describes the parts, approximate ones first."""
        return (
            *(part.held.stats(part.dead, part.live.bits.nbytes) for part in self.parts),
            *(self._chunk_stats(part) for part in self.chunks),
        )

    def _chunk_stats(self, part: Part[Chunk]) -> SegmentStats:
        memory = part.held.nbytes + part.live.bits.nbytes
        kind = "head" if part is self.chunks[-1] else "flat"
        return SegmentStats(kind, len(part.held.keys), part.dead, memory)


def _first(part: Part[Chunk] | Part[Segment]) -> int:
    return int(part.held.keys[0])


def _require_shape(
    vectors: NDArray[np.floating], dtype: type[np.floating], shape: tuple[int, int]
) -> None:
    if vectors.dtype != dtype or vectors.shape != shape:
        raise InvalidVector(
            f"vectors must be {np.dtype(dtype)} of shape {shape}, "
            f"got {vectors.dtype} of shape {vectors.shape}"
        )
