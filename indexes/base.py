"""The contract of every index, on one screen.

An index maps int64 keys to vectors and finds the keys nearest to a query. It is a *value*:
`add` and `remove` return a new version and leave the old one as it was, still searching. A reader
keeps the version it started with and takes no lock; a writer makes the next version beside it and
publishes it by one assignment. So no FAISS object that serves is ever mutated, and a searching
loop cannot starve a writer.
"""

import math
import threading
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Protocol, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from indexes.errors import InvalidVector

Vectors = NDArray[np.float32]
"""float32, shape (n, dim), C-contiguous, rows of unit L2 norm."""

Half = NDArray[np.float16]
"""float16, shape (n, dim), C-contiguous: unit vectors as they are stored, norms near 1."""

Keys = NDArray[np.int64]
"""int64, shape (n,), strictly increasing, positive."""

NORM_TOLERANCE = 1e-3
"""How far from 1 a norm may be; beyond it, the sender means something else by a vector."""

_EXACT_ENOUGH = 1e-6


class Sealed(Protocol):
    """Rows of an index that never change; compared by identity."""

    @property
    def keys(self) -> Keys:
        """The keys of its rows, dead or alive; at least one."""

    @property
    def rows(self) -> Half:
        """Its vectors, in the order of the keys."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbors:
    """The nearest keys of each query, best first; equal scores are ordered by key.

    Attributes:
        keys: int64, shape (queries, k); -1 where fewer than k were found.
        scores: float32 inner products, shape (queries, k); -inf where fewer than k were found.
    """

    keys: NDArray[np.int64]
    scores: NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """Which rows of one part may answer.

    Attributes:
        bits: uint8, one bit a row, the lowest bit first.
        count: How many they are.
    """

    bits: NDArray[np.uint8]
    count: int


class Allowed:
    """The keys that may answer a search, and where they lie in parts that never change.

    Worth keeping between searches: the first one finds the rows in each sealed part, later ones
    know them. What was found for a part is forgotten with the part.

    Args:
        keys: Keys that may answer; those that no index holds do no harm.
    """

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self._chosen: WeakKeyDictionary[Sealed, Chosen] = WeakKeyDictionary()
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        """What it takes in memory, in bytes."""
        return self.keys.nbytes + sum(chosen.bits.nbytes for _, chosen in self._known())

    def extended(self, newer: Keys) -> "Allowed":
        """Returns this with more keys, all larger than any key that was in an index so far."""
        more = Allowed(np.concatenate([self.keys, newer]))
        first = newer[0] if len(newer) else np.inf
        for part, chosen in self._known():
            if part.keys[-1] < first:
                more._chosen[part] = chosen
        return more

    def among(self, keys: Keys) -> NDArray[np.bool_]:
        """Returns which of these keys are allowed, shape (n,)."""
        inside = self.keys[slice(*np.searchsorted(self.keys, keys[[0, -1]] + [0, 1]))]
        return np.isin(keys, inside, assume_unique=True)

    def chosen(self, part: Sealed) -> Chosen:
        """Returns the allowed rows of a part, dead or alive."""
        with self._lock:
            chosen = self._chosen.get(part)
        if chosen is None:
            mask = self.among(part.keys)
            chosen = Chosen(np.packbits(mask, bitorder="little"), int(np.count_nonzero(mask)))
            with self._lock:
                self._chosen[part] = chosen
        return chosen

    def _known(self) -> list[tuple[Sealed, Chosen]]:
        with self._lock:
            return list(self._chosen.items())


class Index(ABC):
    """Keys and vectors of one modality of one space.

    Every version may be searched from any number of threads. New versions are derived by one
    thread at a time.
    """

    dim: int

    @abstractmethod
    def add(self, keys: Keys, rows: Half) -> Self:
        """Returns this index with more rows; keys increase and exceed every key added before.

        Raises:
            InvalidVector: If the rows are not float16 of shape (len(keys), dim).
            ValueError: If a key is not larger than the one before it.
        """

    @abstractmethod
    def remove(self, keys: Keys) -> Self:
        """Returns this index without these keys; unknown ones are ignored."""

    @abstractmethod
    def search(
        self,
        queries: Vectors,
        k: int,
        *,
        allowed: Allowed | None = None,
        asked: str = "",
        exact: bool = False,
    ) -> Neighbors:
        """Returns the k nearest rows of each query among the allowed keys.

        Never fewer than k when k live rows are allowed. Scores have the same bits wherever a row
        lies: alone and in a batch, filtered or not, before and after a restart.

        Args:
            queries: float32, shape (n, dim), of unit norm.
            k: How many.
            allowed: Which keys may answer; None means all.
            asked: Modality of the queries; where search is approximate, each has its own effort.
            exact: Whether every row must be compared.

        Raises:
            InvalidVector: If the queries are not float32 of shape (n, dim).
        """

    @abstractmethod
    def has(self, keys: Keys) -> NDArray[np.bool_]:
        """Returns which of these keys are live, shape (n,)."""

    @abstractmethod
    def rows(self, keys: Keys) -> Half:
        """Returns the vectors of live keys, shape (len(keys), dim), in their order.

        Raises:
            KeyError: If one of them is not live.
        """

    @abstractmethod
    def keys(self) -> Keys:
        """Returns the live keys, in order."""

    @abstractmethod
    def __len__(self) -> int:
        """Returns the number of live rows."""


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


def half(vectors: Vectors) -> Half:
    """Returns the vectors as they are stored; what is stored differs by at most 5e-4 of a number.

    Scores of stored vectors are within 1e-3 of those of the vectors that were given.
    """
    return np.ascontiguousarray(vectors, dtype=np.float16)


def unit_vector(vector: NDArray[np.float32]) -> Vectors:
    """Returns one vector, shape (dim,), as `unit_vectors` would.

    Raises:
        InvalidVector: If it has another shape, is not finite, or is not of unit norm.
    """
    if vector.ndim != 1:
        raise InvalidVector(f"a vector is of shape (dim,), got {vector.shape}")
    if vector.dtype == np.float32 and abs(_norm(vector) - 1) <= _EXACT_ENOUGH / 2:
        return np.ascontiguousarray(vector)
    return unit_vectors(vector[None], len(vector)).reshape(-1)


def _norm(vector: NDArray[np.float32]) -> float:
    """Returns the norm of one vector, in single precision, without letting other threads run.

    Most of NumPy lets them for an instant, `@` does not. Who makes many items one after another
    would do so every few microseconds, too briefly for another thread to wake up, which then never
    waits long enough to be given its turn: searches were held up for all of a batch, some 40 ms.
    """
    with np.errstate(all="ignore"):  # what overflows is looked at again
        return math.sqrt(vector @ vector)
