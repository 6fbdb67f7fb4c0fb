"""Codes: one bit a dimension in inverted lists, which tell where the nearest rows may be.

Rows are turned by a random rotation, sorted into the lists of their nearest centroids and encoded
by RaBitQ (Gao and Long, SIGMOD 2024). Among unit vectors the least distance is the largest inner
product. What the codes propose, the caller scores by the vectors themselves.
"""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexes.base import Chosen, Half, Vectors
from indexes.derived.clustering import Asked, assigned, centroids, stop_if
from indexes.derived.effort import Effort, steps
from indexes.derived.structure import Places, Structure
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
_TURNED_AT_ONCE = 1_024

_FEWEST_PROBED = 8

_PER_CENTROID = 3
"""What it costs to find how far a list is, in codes that could be compared (80 ns; 27 ns)."""

_LIST_BYTES = 128
"""What FAISS keeps of each list beside the codes themselves."""

_faiss: Any = faiss  # its stubs are incomplete
_Index = Any
_Parameters: Any = faiss.IVFRaBitQSearchParameters


class Codes(Structure):
    """See `Structure`; its breadth is the number of lists that are looked through."""

    kind = "ivf"

    def __init__(self, data: NDArray[np.uint8]) -> None:
        super().__init__(data)
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
        """See `Structure.nbytes`: the rotation, and where each list lies."""
        return int(4 * self._lists.d**2 + _LIST_BYTES * self.lists)

    @classmethod
    def of(cls, rows: Half, seed: int, cancelled: Asked) -> Self:
        """See `Structure.of`."""
        use_one_thread()
        dim = rows.shape[1]
        rotation = faiss.RandomRotationMatrix(dim, dim)
        rotation.init(seed)
        lists = max(1, min(int(_LISTS * math.sqrt(len(rows))), len(rows) // _PER_LIST))
        chosen = np.random.default_rng(seed).permutation(len(rows))[: lists * _PER_LIST]
        sample = _turned(rotation, rows.take(np.sort(chosen), axis=0))
        centres = centroids(sample, lists, _ROUNDS, seed, cancelled)
        coarse = faiss.IndexFlatL2(dim)
        coarse.add(centres)
        index: _Index = faiss.IndexIVFRaBitQ(coarse, dim, lists, faiss.METRIC_L2)
        index.qb = _QUERY_BITS
        index.train(sample[:1])  # there is nothing to learn but that it is trained
        for start in range(0, len(rows), _AT_ONCE):
            _add(index, _turned(rotation, rows[start : start + _AT_ONCE]), centres)
            stop_if(cancelled)
        joined = faiss.IndexPreTransform(rotation, index)
        return cls(faiss.serialize_index(joined))

    def breadths(self) -> Sequence[int]:
        """See `Structure.breadths`."""
        return steps(_FEWEST_PROBED, self.lists)

    def cost(self, breadth: int) -> float:
        """See `Structure.cost`."""
        return _PER_CENTROID * self.lists + breadth * self.rows / self.lists

    def searches(
        self, query: NDArray[np.float32], effort: Effort, chosen: Chosen | None, shares: int
    ) -> list[Callable[[], Places]]:
        """See `Structure.searches`; each looks through its share of the lists."""
        probe = self.probe(query, effort.breadth)
        length = -(-effort.shortlist // shares)
        return [
            partial(self.among, probe.share(share, shares), length, chosen)
            for share in range(shares)
        ]

    def words(self, effort: Effort) -> str:
        """See `Structure.words`."""
        return f"nprobe {effort.breadth}, shortlist {effort.shortlist}"

    def probe(self, query: NDArray[np.float32], nprobe: int) -> "Probe":
        """Returns the lists with the nearest centroids, nearest first."""
        use_one_thread()
        turned = (self._rotation @ query)[None]
        distances, lists = self._coarse.search(turned, min(nprobe, self.lists))
        return Probe(turned, lists[0], distances[0])

    def among(self, probe: "Probe", count: int, chosen: Chosen | None = None) -> Places:
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


def _turned(rotation: Any, rows: Half) -> Vectors:  # noqa: ANN401 - see _faiss
    """Returns rows as the codes know them, turned a few at a time.

    BLAS keeps the memory of the widest product that it ever made: of all rows at once, 30 MB.
    """
    turned = np.empty(rows.shape, dtype=np.float32)
    for start in range(0, len(rows), _TURNED_AT_ONCE):
        some = slice(start, start + _TURNED_AT_ONCE)
        turned[some] = rotation.apply(rows[some].astype(np.float32))
    return turned


def _add(index: _Index, rows: Vectors, centres: Vectors) -> None:
    """Adds rows, turned already, to the lists of their nearest centroids."""
    lists = assigned(rows, centres, lambda: False)
    index.add_core(len(rows), faiss.swig_ptr(rows), None, faiss.swig_ptr(lists))
