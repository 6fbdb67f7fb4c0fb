"""Codes: one bit a dimension in inverted lists, which tell where the nearest rows may be.

Rows are turned by a random rotation, sorted into the lists of their nearest centroids and encoded
by RaBitQ (Gao and Long, SIGMOD 2024). Among unit vectors the least distance is the largest inner
product. What the codes propose, the caller scores by the vectors themselves.
"""

import math
from typing import Any, NamedTuple, Self

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

_LIST_BYTES = 128
"""What FAISS keeps of each list beside the codes themselves."""

_faiss: Any = faiss  # its stubs are incomplete
_Index = Any
_Parameters: Any = faiss.IVFRaBitQSearchParameters


class Codes:
    """Codes of rows, which are known by their positions; immutable.

    Args:
        data: All of them as bytes. They stay where they lie, which need not be memory: those of a
            mapped file take none.

    Attributes:
        data: The same.
    """

    def __init__(self, data: NDArray[np.uint8]) -> None:
        self.data = data
        index: _Index = faiss.read_index(_faiss.ZeroCopyIOReader(faiss.swig_ptr(data), len(data)))
        rotation: _Index = faiss.downcast_VectorTransform(index.chain.at(0))
        self._index = index  # owns the lists
        self._rotation = faiss.vector_to_array(rotation.A).reshape(-1, index.d)
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
        """What they take in memory beside `data`: the rotation, and where each list lies."""
        return int(4 * self._lists.d**2 + _LIST_BYTES * self.lists)

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
        return cls(faiss.serialize_index(joined))

    def nearest(self, query: NDArray[np.float32], count: int, nprobe: int) -> NDArray[np.int64]:
        """Returns positions of up to `count` rows whose codes are nearest, nearest first.

        Args:
            query: float32, shape (dim,).
            count: How many.
            nprobe: How many lists are looked through, those with the nearest centroids.
        """
        return self.among(self.probe(query, nprobe), count)

    def probe(self, query: NDArray[np.float32], nprobe: int) -> "Probe":
        """Returns the lists with the nearest centroids, nearest first."""
        use_one_thread()
        turned = (self._rotation @ query)[None]
        distances, lists = self._coarse.search(turned, min(nprobe, self.lists))
        return Probe(turned, lists[0], distances[0])

    def among(self, probe: "Probe", count: int, chosen: Chosen | None = None) -> NDArray[np.int64]:
        """Returns positions of up to `count` rows of some lists whose codes are nearest.

        Args:
            probe: The lists.
            count: How many.
            chosen: Which rows may answer; None means all.
        """
        if not len(probe.lists):
            return np.empty(0, dtype=np.int64)
        use_one_thread()
        selector = None
        if chosen is not None:  # FAISS borrows the memory of the bits
            selector = faiss.IDSelectorBitmap(len(chosen.bits), faiss.swig_ptr(chosen.bits))
        found = np.full(count, -1, dtype=np.int64)
        estimates = np.empty(count, dtype=np.float32)
        arrays = (probe.lists, probe.distances, estimates, found)
        parameters = _Parameters(
            nprobe=len(probe.lists), qb=_QUERY_BITS, centered=False, sel=selector
        )
        query, *pointers = [faiss.swig_ptr(array) for array in (probe.turned, *arrays)]
        self._lists.search_preassigned_c(1, query, count, *pointers, False, parameters)
        return found[found >= 0]


class Probe(NamedTuple):
    """A query and the lists that are to be looked through for it.

    Attributes:
        turned: The query as the codes know it, float32, shape (1, dim).
        lists: Which lists, int64, shape (n,).
        distances: Squared distances of their centroids, float32, shape (n,).
    """

    turned: NDArray[np.float32]
    lists: NDArray[np.int64]
    distances: NDArray[np.float32]

    def share(self, first: int, step: int) -> "Probe":
        """Returns every so many-th of the lists, from the first on."""
        return Probe(
            self.turned,
            np.ascontiguousarray(self.lists[first::step]),
            np.ascontiguousarray(self.distances[first::step]),
        )


def _add(index: _Index, rows: Vectors, centres: Vectors) -> None:
    """Adds rows, turned already, to the lists of their nearest centroids."""
    lists = assigned(rows, centres, lambda: False)
    index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(lists))
