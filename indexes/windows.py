"""Windows: stretches of an item with vectors of their own, so that a hit can say where it matches.

They are kept beside the item and are no part of any index: a search finds items by their own
vectors, and then tells which window of each is nearest to the question. So an item is one hit
however many windows it has, and an index is no larger for them.
"""

import zlib
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indexes.base import Half, half
from indexes.errors import InvalidItem, InvalidVector

_HEAD = np.dtype([("crc", "<u4"), ("windows", "<u4"), ("dim", "<u4")])
_OFF_UNIT = 1e-2
"""How far from 1 the norm of a row in half precision may be."""


@dataclass(frozen=True, slots=True)
class Window:
    """From one second of an item to another."""

    start: float
    end: float


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """The windows of one item.

    Attributes:
        spans: float64, shape (n, 2): seconds at which each begins and ends.
        vectors: float16, shape (n, dim), of unit norm.
    """

    spans: NDArray[np.float64]
    vectors: Half

    @classmethod
    def of(cls, spans: NDArray[np.float64], vectors: NDArray[np.float32]) -> Self:
        """Returns windows with these vectors, float32 of unit norm.

        Raises:
            InvalidItem: If there is none, or one does not end after it begins.
            InvalidVector: If a vector is not finite or not of unit norm.
        """
        if spans.ndim != 2 or spans.shape[1] != 2 or not len(spans):
            raise InvalidItem(f"windows have a beginning and an end each, got shape {spans.shape}")
        if not np.isfinite(spans).all() or (spans[:, 0] < 0).any() or (np.diff(spans) <= 0).any():
            raise InvalidItem("a window begins at 0 s or later and ends after that")
        if vectors.ndim != 2 or len(vectors) != len(spans):
            raise InvalidVector(
                f"{len(spans)} windows have a vector each, got shape {vectors.shape}"
            )
        if not (np.abs(np.linalg.norm(vectors, axis=1) - 1) < _OFF_UNIT).all():
            raise InvalidVector("the vectors of windows must be of unit norm")
        return cls(spans.astype(np.float64), half(vectors))

    def best(self, query: NDArray[np.float32]) -> Window:
        """Returns the window whose vector is nearest to a query of shape (dim,)."""
        start, end = self.spans[int((self.vectors.astype(np.float32) @ query).argmax())].tolist()
        return Window(start, end)

    def packed(self) -> bytes:
        """Returns all of it as bytes, with a checksum."""
        body = self.spans.astype("<f8").tobytes() + self.vectors.astype("<f2").tobytes()
        head = np.array((zlib.crc32(body), *self.vectors.shape), _HEAD)
        return head.tobytes() + body

    @classmethod
    def unpacked(cls, data: bytes) -> Self | None:
        """Returns what was packed, or None if it is damaged."""
        if len(data) < _HEAD.itemsize:
            return None
        crc, count, dim = np.frombuffer(data, _HEAD, 1)[0].tolist()
        body = data[_HEAD.itemsize :]
        if len(body) != count * (16 + 2 * dim) or zlib.crc32(body) != crc:
            return None
        spans = np.frombuffer(body, "<f8", 2 * count).reshape(count, 2)
        return cls(spans, np.frombuffer(body, "<f2", offset=16 * count).reshape(count, dim))
