"""Codes: one bit a dimension in inverted lists, which tell where the nearest rows may be.

Rows are turned by a random rotation, sorted into the lists of their nearest centroids and encoded
by RaBitQ (Gao and Long, SIGMOD 2024). Among unit vectors the least distance is the largest inner
product. What the codes propose, the caller scores by the vectors themselves.
"""

import math
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexes.base import Chosen, Half, Vectors
from indexes.derived.clustering import Asked, assigned, centroids, stop_if
from indexes.derived.threads import use_one_thread

_QUERY_BITS = 4
"""Bits of a query's numbers; 8 find as much and take half as long again."""

_LISTS = 2
"""So many times the root of the number of rows; 4 times finds no more in a millisecond, and takes
three times as long to build."""

_ROUNDS = 5
_PER_LIST = 32
"""Training: rounds of k-means, and rows for each list."""

_AT_ONCE = 8_192

_Index = Any
"""Of FAISS, whose stubs are incomplete."""

_Parameters: Any = faiss.IVFRaBitQSearchParameters


class Codes:
    """Codes of rows, which are known by their positions; immutable once built."""

    def __init__(self, index: _Index) -> None:
        self._index = index
        self._rotation = index.chain.at(0)
        self._lists: _Index = faiss.extract_index_ivf(index)
        self._coarse: _Index = faiss.downcast_index(self._lists.quantizer)

    @property
    def lists(self) -> int:
        """Into how many lists the rows are sorted."""
        return int(self._lists.nlist)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return int(self._lists.ntotal)

    @property
    def nbytes(self) -> int:
        """What they take in memory: codes, numbers of rows, centroids and rotation."""
        dim = self._lists.d
        return int(self.rows * (self._lists.code_size + 8) + 4 * dim * (self.lists + dim))

    @classmethod
    def of(cls, rows: Half, seed: int, cancelled: Asked) -> Self:
        """Builds the codes of these rows, shape (n, dim), n >= 1.

        Raises:
            Cancelled: If asked to stop.
        """
        use_one_thread()
        dim = rows.shape[1]
        rotation = faiss.RandomRotationMatrix(dim, dim)
        rotation.init(seed)
        lists = max(1, min(int(_LISTS * math.sqrt(len(rows))), len(rows) // _PER_LIST))
        chosen = np.random.default_rng(seed).permutation(len(rows))[: lists * _PER_LIST]
        sample = rotation.apply(rows.take(np.sort(chosen), axis=0).astype(np.float32))
        centres = centroids(sample, lists, _ROUNDS, seed, cancelled)
        coarse = faiss.IndexFlatL2(dim)
        coarse.add(centres)
        index: _Index = faiss.IndexIVFRaBitQ(coarse, dim, lists, faiss.METRIC_L2)
        index.qb = _QUERY_BITS
        index.train(sample[:1])  # there is nothing to learn but that it is trained
        for start in range(0, len(rows), _AT_ONCE):
            _add(index, rotation.apply(rows[start : start + _AT_ONCE].astype(np.float32)), centres)
            stop_if(cancelled)
        joined = faiss.IndexPreTransform(rotation, index)
        return cls.from_bytes(faiss.serialize_index(joined))  # a copy that owns all its parts

    @classmethod
    def from_bytes(cls, data: NDArray[np.uint8]) -> Self:
        """Returns what `to_bytes` gave; the bytes must be those, bit for bit."""
        return cls(faiss.deserialize_index(data))

    def to_bytes(self) -> NDArray[np.uint8]:
        """Returns all as bytes."""
        data: NDArray[np.uint8] = faiss.serialize_index(self._index)
        return data

    def nearest(
        self,
        query: NDArray[np.float32],
        count: int,
        nprobe: int,
        chosen: Chosen | None = None,
        share: tuple[int, int] = (0, 1),
    ) -> NDArray[np.int64]:
        """Returns positions of up to `count` rows whose codes are nearest, nearest first.

        Args:
            query: float32, shape (dim,).
            count: How many.
            nprobe: How many lists are looked through, those with the nearest centroids.
            chosen: Which rows may answer; None means all.
            share: (i, n): look through every n-th of the lists only, from the i-th on.
        """
        use_one_thread()
        turned = self._rotation.apply(query[None])
        distances, lists = self._coarse.search(turned, min(nprobe, self.lists))
        lists = np.ascontiguousarray(lists[:, share[0] :: share[1]])
        distances = np.ascontiguousarray(distances[:, share[0] :: share[1]])
        if not lists.size:
            return np.empty(0, dtype=np.int64)
        selector = None
        if chosen is not None:  # FAISS borrows the memory of the bits
            selector = faiss.IDSelectorBitmap(len(chosen.bits), faiss.swig_ptr(chosen.bits))
        found = np.full((1, count), -1, dtype=np.int64)
        estimates = np.empty((1, count), dtype=np.float32)
        pointers = [faiss.swig_ptr(array) for array in (lists, distances, estimates, found)]
        parameters = _Parameters(
            nprobe=lists.shape[1], qb=_QUERY_BITS, centered=False, sel=selector
        )
        self._lists.search_preassigned_c(
            1, faiss.swig_ptr(turned), count, *pointers, False, parameters
        )
        return found[found >= 0]


def _add(index: _Index, rows: Vectors, centres: Vectors) -> None:
    """Adds rows, turned already, to the lists of their nearest centroids."""
    lists = assigned(rows, centres, lambda: False)
    index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(lists))
