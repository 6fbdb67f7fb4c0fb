"""Graph: every row linked to rows near it, along which a search walks to the nearest ones.

HNSW (Malkov and Yashunin, TPAMI 2020) by FAISS over rows of one byte a number. It is built once:
nothing is ever added to a graph that serves. Among unit vectors the least distance is the largest
inner product. What the walk comes by, the caller scores by the vectors themselves.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexes.base import Chosen, Half
from indexes.derived.clustering import Asked, stop_if
from indexes.derived.effort import Effort, steps
from indexes.derived.structure import Places, Structure
from indexes.derived.threads import use_one_thread

_LINKS = 24
"""Of a row to others; twice as many on the lowest level, where all rows are. Of 100,000 pictures,
32 find 0.002 more in a tenth more time, and take 64 bytes more a row; 22 find 0.004 less."""

_BUILD_BREADTH = 100
"""Rows in view while links are chosen; 400 find a little more and take four times as long."""

_NARROWEST, _WIDEST = 16, 4_096

_PER_ROW_IN_VIEW = 300
"""What a row in view costs, its neighbours' distances included, in codes that could be compared."""

_AT_ONCE = 512
"""Rows between two looks at whether to go on: a tenth of a second or two."""

_SAMPLE = 65_536
"""Rows that tell within which bounds the numbers of a dimension lie."""

_faiss: Any = faiss  # its stubs are incomplete


class Graph(Structure):
    """See `Structure`; its breadth is the number of rows in view, the efSearch of the paper."""

    kind = "graph"

    def __init__(self, data: NDArray[np.uint8]) -> None:
        super().__init__(data)
        reader = _faiss.ZeroCopyIOReader(faiss.swig_ptr(data), len(data))
        self._index: Any = faiss.read_index(reader)

    @classmethod
    def of(cls, rows: Half, seed: int, cancelled: Asked) -> Self:
        """See `Structure.of`; some 0.3 ms a row."""
        use_one_thread()
        index: Any = _faiss.IndexHNSWSQ(rows.shape[1], faiss.ScalarQuantizer.QT_8bit, _LINKS)
        index.hnsw.efConstruction = _BUILD_BREADTH
        chosen = np.random.default_rng(seed).permutation(len(rows))[:_SAMPLE]
        index.train(rows.take(np.sort(chosen), axis=0).astype(np.float32))
        for start in range(0, len(rows), _AT_ONCE):
            stop_if(cancelled)
            index.add(rows[start : start + _AT_ONCE].astype(np.float32))
        return cls(faiss.serialize_index(index))

    @property
    def nbytes(self) -> int:
        """See `Structure.nbytes`: codes and links are read where they lie."""
        return 0

    def breadths(self) -> Sequence[int]:
        """See `Structure.breadths`."""
        return steps(_NARROWEST, min(_WIDEST, int(self._index.ntotal)))

    def cost(self, breadth: int) -> float:
        """See `Structure.cost`."""
        return _PER_ROW_IN_VIEW * breadth

    def searches(
        self, query: NDArray[np.float32], effort: Effort, chosen: Chosen | None, shares: int
    ) -> list[Callable[[], Places]]:
        """See `Structure.searches`; one walk, which cannot be shared."""
        return [partial(self._walk, query, effort, chosen)]

    def words(self, effort: Effort) -> str:
        """See `Structure.words`."""
        return f"efSearch {effort.breadth}, shortlist {min(effort.shortlist, effort.breadth)}"

    def scaled(self, effort: Effort, k: int, selectivity: float) -> Effort:
        """See `Structure.scaled`.

        The walk passes rows that may not answer, so that of those in view only a share may: the
        breadth grows by the root of what it would need, as the rest are met on the way.
        """
        wider = effort.scaled(k, selectivity**2)
        return replace(wider, breadth=max(wider.breadth, 2 * k))

    def _walk(self, query: NDArray[np.float32], effort: Effort, chosen: Chosen | None) -> Places:
        use_one_thread()
        parameters = _faiss.SearchParametersHNSW(efSearch=effort.breadth)
        if chosen is not None:  # FAISS borrows the memory of the bits
            bits = faiss.swig_ptr(chosen.bits)
            parameters.sel = _faiss.IDSelectorBitmap(len(chosen.bits), bits)
        count = min(effort.shortlist, effort.breadth)
        places: Places = self._index.search(query[None], count, params=parameters)[1][0]
        return places[places >= 0]
