"""The contract of every index, on one screen.

An index maps int64 keys to unit vectors and finds the keys nearest to a query. It is a *value*:
`add` and `remove` return a new version and leave the old one as it was, still searching. A reader
keeps the version it started with and takes no lock; a writer makes the next version beside it and
publishes it by one assignment. So no FAISS object that serves is ever mutated, and a searching
loop cannot starve a writer.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indexes.errors import InvalidVector

Vectors = NDArray[np.float32]
"""float32, shape (n, dim), C-contiguous, rows of unit L2 norm."""

Keys = NDArray[np.int64]
"""int64, shape (n,), strictly increasing, not negative."""

NORM_TOLERANCE = 1e-3
"""How far from 1 a norm may be; beyond it, the sender means something else by a vector."""

_EXACT_ENOUGH = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The nearest keys of each query, best first; equal scores are ordered by key.

    Attributes:
        keys: int64, shape (queries, k); -1 where fewer than k were found.
        scores: float32 inner products, shape (queries, k); -inf where fewer than k were found.
    """

    keys: NDArray[np.int64]
    scores: NDArray[np.float32]


class Index(ABC):
    """Keys and unit vectors of one modality of one space.

    Every version may be searched from any number of threads. New versions are derived by one
    thread at a time.
    """

    dim: int

    @abstractmethod
    def add(self, keys: Keys, vectors: Vectors) -> Self:
        """Returns this index with more rows; keys increase and exceed every key added before.

        Raises:
            InvalidVector: If the vectors are not of shape (len(keys), dim).
            ValueError: If a key is not larger than the one before it.
        """

    @abstractmethod
    def remove(self, keys: Keys) -> Self:
        """Returns this index without these keys; unknown ones are ignored."""

    @abstractmethod
    def search(self, queries: Vectors, k: int, *, allowed: Keys | None = None) -> Neighbors:
        """Returns the k nearest rows of each query, shape (n, dim), among the allowed keys.

        Raises:
            InvalidVector: If the queries are not of shape (n, dim).
        """

    @abstractmethod
    def keys(self) -> Keys:
        """Returns the live keys."""

    @abstractmethod
    def __len__(self) -> int:
        """Returns the number of live rows."""

    @abstractmethod
    def save(self, path: Path) -> None:
        """Writes the live rows to one checksummed file, all of it or nothing.

        Raises:
            StorageError: If it cannot be written.
        """

    @classmethod
    @abstractmethod
    def load(cls, path: Path) -> Self:
        """Returns the index that was saved in the file.

        Raises:
            StorageError: If the file is missing, damaged, or not one of this kind.
        """


def unit_vectors(vectors: NDArray[np.float32], dim: int) -> Vectors:
    """Returns the rows, shape (n, dim), with norms within `NORM_TOLERANCE` of 1 made 1.

    Rows whose norm is 1 within float32's own error are returned bit for bit.

    Raises:
        InvalidVector: If a row has a wrong length, is not finite, or is not of unit norm.
    """
    if vectors.ndim != 2 or vectors.shape[1] != dim:
        raise InvalidVector(f"vectors must be of shape (n, {dim}), got {vectors.shape}")
    with np.errstate(over="ignore"):  # what overflows float32 is refused as not finite
        rows = np.ascontiguousarray(vectors, dtype=np.float32)
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    good = np.abs(norms - 1) <= NORM_TOLERANCE
    if not good.all():
        raise InvalidVector(f"vectors must be of unit norm, got {norms[np.argmin(good)]:.6g}")
    off = np.abs(norms - 1) > _EXACT_ENOUGH
    if off.any():
        rows = rows.copy()
        rows[off] = (rows[off] / norms[off, None]).astype(np.float32)
    return rows


def unit_vector(vector: NDArray[np.float32]) -> Vectors:
    """Returns one vector, shape (dim,), as `unit_vectors` would.

    Raises:
        InvalidVector: If it has another shape, is not finite, or is not of unit norm.
    """
    if vector.ndim != 1:
        raise InvalidVector(f"a vector is of shape (dim,), got {vector.shape}")
    return unit_vectors(vector[None], len(vector)).reshape(-1)
