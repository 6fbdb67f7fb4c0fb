"""FlatIndex compares the query with every row: exact, and right up to about 130,000 rows."""

import threading
import zipfile
from copy import copy
from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from indexes.base import Index, Keys, Neighbors, Vectors
from indexes.errors import InvalidVector, StorageError

_SMALLEST = 64
"""Rows of the first buffer."""

_QUERIES_AT_ONCE = 16
"""FAISS scores more than 19 queries by matrix products, whose last bits depend on the batch."""

_FEW = 8
"""Allowed rows are gathered when they are fewer than a part in so many, else masked."""

_DEAD_SHARE = 4
"""Rows are copied together when more than a part in so many of at least `_SMALLEST` is dead."""

_threads = threading.local()


class _Rows:
    """Rows that versions of an index share: a version sees the first n and never a change in those.

    Attributes:
        keys: int64, shape (capacity,).
        vectors: float32, shape (capacity, dim).
        used: How many rows any version has claimed.
    """

    def __init__(self, capacity: int, dim: int) -> None:
        self.keys = np.empty(capacity, dtype=np.int64)
        self.vectors = np.empty((capacity, dim), dtype=np.float32)
        self.used = 0


class FlatIndex(Index):
    """Exact inner products by FAISS over a growing matrix, in the order of the keys.

    Scores are deterministic: the same bits alone and in a batch, filtered or not, before and after
    a restart. Rows are appended behind those that older versions see, and removed rows are masked
    until a quarter is dead.
    """

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._rows = _Rows(_SMALLEST, dim)
        self._size = 0
        self._alive: NDArray[np.bool_] | None = None  # None: all of them
        self._live = 0
        self._last_key = -1

    def add(self, keys: Keys, vectors: Vectors) -> Self:
        """See `Index.add`."""
        _require_shape(vectors, len(keys), self.dim)
        if np.any(np.diff(keys, prepend=self._last_key) <= 0):
            raise ValueError(f"keys must increase and be larger than {self._last_key}")
        size = self._size + len(keys)
        rows = self._room_for(size)
        rows.keys[self._size : size] = keys
        rows.vectors[self._size : size] = vectors
        rows.used = size
        alive = self._alive
        if alive is not None:
            alive = np.concatenate([alive, np.ones(len(keys), dtype=np.bool_)])
        return self._version(rows, size, alive)

    def remove(self, keys: Keys) -> Self:
        """See `Index.remove`."""
        positions = self._positions(keys)
        if not positions.size:
            return self
        alive = np.ones(self._size, np.bool_) if self._alive is None else self._alive.copy()
        alive[positions] = False
        dead = self._size - int(np.count_nonzero(alive))
        if dead >= _SMALLEST and dead * _DEAD_SHARE > self._size:
            return self._compacted(alive)
        return self._version(self._rows, self._size, alive)

    def search(self, queries: Vectors, k: int, *, allowed: Keys | None = None) -> Neighbors:
        """See `Index.search`."""
        _require_shape(queries, len(queries), self.dim)
        found = Neighbors(
            np.full((len(queries), k), -1, dtype=np.int64),
            np.full((len(queries), k), -np.inf, dtype=np.float32),
        )
        positions = None if allowed is None else self._positions(allowed)
        count = self._live if positions is None else len(positions)
        width = min(k, count)
        if not width:
            return found
        queries = np.ascontiguousarray(queries)
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            some = slice(start, start + _QUERIES_AT_ONCE)
            best, scores = self._nearest(queries[some], width, count, positions)
            found.keys[some, :width] = self._rows.keys[best]
            found.scores[some, :width] = scores
        return found

    def keys(self) -> Keys:
        """See `Index.keys`."""
        keys = self._rows.keys[: self._size]
        return keys if self._alive is None else keys[self._alive]

    def __len__(self) -> int:
        return self._live

    def save(self, path: Path) -> None:
        """See `Index.save`."""
        partial = path.with_name(path.name + ".partial")
        vectors = self._rows.vectors[: self._size]
        vectors = vectors if self._alive is None else vectors[self._alive]
        try:
            with partial.open("wb") as file:
                np.savez(file, keys=self.keys(), vectors=vectors)
            partial.replace(path)
        except OSError as error:
            raise StorageError(f"cannot write the index {path.name}: {error.strerror}") from error

    @classmethod
    def load(cls, path: Path) -> Self:
        """See `Index.load`."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                keys, vectors = arrays["keys"], arrays["vectors"]
            return cls(vectors.shape[1]).add(keys, vectors)
        except OSError as error:
            raise StorageError(f"cannot read the index {path.name}: {error}") from error
        except (zipfile.BadZipFile, KeyError, ValueError, IndexError, EOFError) as error:
            raise StorageError(f"the index {path.name} is damaged: {error}") from error

    def _room_for(self, size: int) -> _Rows:
        """Returns rows with room: these, unless they are full or another version grew from here."""
        rows = self._rows
        if rows.used == self._size and size <= len(rows.keys):
            return rows
        larger = _Rows(max(size, self._size + self._size // 2, _SMALLEST), self.dim)
        larger.keys[: self._size] = rows.keys[: self._size]
        larger.vectors[: self._size] = rows.vectors[: self._size]
        return larger

    def _compacted(self, alive: NDArray[np.bool_]) -> Self:
        size = int(np.count_nonzero(alive))
        rows = _Rows(max(size, _SMALLEST), self.dim)
        rows.keys[:size] = self._rows.keys[: self._size][alive]
        rows.vectors[:size] = self._rows.vectors[: self._size][alive]
        rows.used = size
        return self._version(rows, size, None)

    def _version(self, rows: _Rows, size: int, alive: NDArray[np.bool_] | None) -> Self:
        version = copy(self)
        version._rows, version._size, version._alive = rows, size, alive
        version._live = size if alive is None else int(np.count_nonzero(alive))
        newest = int(rows.keys[size - 1]) if size else -1
        version._last_key = max(self._last_key, newest)
        return version

    def _positions(self, keys: Keys) -> NDArray[np.int64]:
        """Returns where the live ones of these keys are, in order."""
        own = self._rows.keys[: self._size]
        places: NDArray[np.int64] = np.searchsorted(own, keys)
        inside = places < self._size
        places = places[inside]
        known = own[places] == keys[inside]
        if self._alive is not None:
            known &= self._alive[places]
        live: NDArray[np.int64] = places[known]
        return live

    def _nearest(
        self, queries: Vectors, width: int, count: int, positions: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Returns positions and scores of the best `width` of `count` rows, ties by position.

        FAISS leaves it open which of equal scores survive at the end of its list, so one more is
        asked for, and more again while the list ends in a tie.
        """
        asked = min(width + 1, count)
        best, scores = self._scan(queries, asked, positions)
        while asked < count and np.any(scores[:, -1] == scores[:, width - 1]):
            asked = min(4 * asked, count)
            best, scores = self._scan(queries, asked, positions)
        order = np.lexsort((best, -scores))[:, :width]
        return np.take_along_axis(best, order, 1), np.take_along_axis(scores, order, 1)

    def _scan(
        self, queries: Vectors, k: int, positions: NDArray[np.int64] | None
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        _use_one_thread()
        chosen = self._chosen(positions)  # FAISS borrows this memory
        selector = None
        if chosen is not None:
            kind = faiss.IDSelectorArray if chosen.dtype == np.int64 else faiss.IDSelectorBitmap
            selector = kind(len(chosen), faiss.swig_ptr(chosen))
        best = np.empty((len(queries), k), dtype=np.int64)
        scores = np.empty((len(queries), k), dtype=np.float32)
        faiss.knn_inner_product(
            faiss.swig_ptr(queries),
            faiss.swig_ptr(self._rows.vectors),
            self.dim,
            len(queries),
            self._size,
            k,
            faiss.swig_ptr(scores),
            faiss.swig_ptr(best),
            selector,
        )
        return best, scores

    def _chosen(
        self, positions: NDArray[np.int64] | None
    ) -> NDArray[np.int64] | NDArray[np.uint8] | None:
        """Returns the rows to scan: positions when they are few, else a bitmap, None for all."""
        if positions is None and self._alive is None:
            return None
        if positions is not None and len(positions) * _FEW < self._size:
            return np.ascontiguousarray(positions, dtype=np.int64)
        mask = self._alive
        if positions is not None:
            mask = np.zeros(self._size, dtype=np.bool_)
            mask[positions] = True
        return np.packbits(np.asarray(mask), bitorder="little")


def _require_shape(vectors: Vectors, rows: int, dim: int) -> None:
    if vectors.dtype != np.float32 or vectors.shape != (rows, dim):
        raise InvalidVector(
            f"vectors must be float32 of shape ({rows}, {dim}), "
            f"got {vectors.dtype} of shape {vectors.shape}"
        )


def _use_one_thread() -> None:
    """Keeps FAISS to the calling thread; its thread count is set per calling thread."""
    if not getattr(_threads, "limited", False):
        faiss.omp_set_num_threads(1)
        _threads.limited = True
