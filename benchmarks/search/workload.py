"""What is stored, and the questions that are asked of it."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.data import Vectors, widened
from benchmarks.search.engines.base import BUCKETS, Batch, Where
from benchmarks.search.truth import Nearest, exact

RARE = 7
"""So many images carry the tag "rare"."""


@dataclass(frozen=True, slots=True)
class Question:
    """A kind of query.

    Attributes:
        name: What tables call it.
        asked_with: Modality of the queries.
        where: What hits must satisfy; None asks without a filter.
        mixed: Asked of images and sounds together; otherwise images are all there is.
    """

    name: str
    asked_with: str
    where: Where | None = None
    mixed: bool = False


CROSS, WITHIN = "text -> images", "image -> images"
PLAIN = (Question(CROSS, "text"), Question(WITHIN, "image"))
FILTERED = (
    Question("text -> images, 1 %", "text", Where(below=1)),
    Question("text -> images, 10 %", "text", Where(below=10)),
    Question("text -> images, 50 %", "text", Where(below=50)),
    Question(f"text -> images, {RARE} rows", "text", Where(tag="rare")),
)
MIXED = (
    Question("text -> sounds of a mixed collection", "text", Where(modality="audio"), mixed=True),
    Question("text -> images of a mixed collection", "text", Where(modality="image"), mixed=True),
    Question("text -> all of a mixed collection", "text", mixed=True),
)


@dataclass(frozen=True, slots=True)
class Workload:
    """The rows of one run. Keys number images first, then sounds.

    Attributes:
        vectors: Where they come from.
        images: How many images are stored.
        sounds: How many sounds are stored beside them for the mixed questions.
    """

    vectors: Vectors
    images: int
    sounds: int

    def batches(self, modality: str, size: int) -> Iterator[Batch]:
        """Returns all rows of a modality, so many at a time."""
        count = self.images if modality == "image" else self.sounds
        for start in range(0, count, size):
            yield self.batch(modality, start, min(size, count - start))

    def batch(self, modality: str, start: int, size: int) -> Batch:
        """Returns rows from a number on; beyond the last one, vectors come again as new rows."""
        rows = self.vectors.rows(modality)
        count = self.images if modality == "image" else self.sounds
        places = np.arange(start, start + size)
        keys = places if modality == "image" else places + self.images
        vectors = widened(rows[places % count])
        return Batch(keys, modality, vectors, _buckets(keys), self._rare(keys))

    def truth(self, question: Question) -> Nearest:
        """Returns the ten nearest of each query by exact search."""
        queries = self.vectors.queries[question.asked_with]
        where = question.where or Where()
        found = None
        for modality, first, count in (
            ("image", 0, self.images),
            ("audio", self.images, self.sounds if question.mixed else 0),
        ):
            if where.modality in ("", modality) and count:
                allowed = self._allowed(np.arange(first, first + count), where)
                nearest = exact(queries, self.vectors.rows(modality)[:count], allowed=allowed)
                nearest.keys[nearest.keys >= 0] += first
                found = found.merged(nearest) if found else nearest
        if found is None:
            raise ValueError(f"nothing can answer {question.name!r}")
        return found

    def _allowed(self, keys: NDArray[np.int64], where: Where) -> NDArray[np.bool_] | None:
        if where.below is not None:
            return _buckets(keys) < where.below
        return self._rare(keys) if where.tag else None

    def _rare(self, keys: NDArray[np.int64]) -> NDArray[np.bool_]:
        places = np.arange(RARE) * self.images // RARE + self.images // (2 * RARE)
        return np.isin(keys, places)


def _buckets(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    """Returns a bucket for each key, every bucket for the same share of keys, in no order."""
    return keys * 7_919 // 64 % BUCKETS
