"""hnswlib and usearch: graphs in memory, without metadata or durability, for those who add them."""

import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import numpy as np

from benchmarks.search.data import Rows
from benchmarks.search.engines.base import (
    BUILD_WIDTH,
    CONNECTIVITY,
    NOTHING,
    Batch,
    Engine,
    Trait,
    Where,
)

EFFORTS = (32, 64, 128, 256, 512)


class Hnswlib(Engine):
    """A graph of float32 vectors; a filter is a Python function that it calls for each candidate.

    Searching and adding at a time is not allowed, so both take a lock.
    """

    trait = Trait("hnswlib", "hnswlib", NOTHING, EFFORTS, "ef")

    def __init__(self, folder: Path, dim: int, threads: int) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._columns: dict[str, list[np.ndarray]] = {"modality": [], "bucket": [], "rare": []}
        self._index = import_module("hnswlib").Index(space="ip", dim=dim)
        self._index.init_index(1024, M=CONNECTIVITY, ef_construction=BUILD_WIDTH)
        self._index.set_num_threads(threads)

    def add(self, batch: Batch) -> None:
        """See `Engine.add`."""
        with self._lock:
            needed = self._index.element_count + len(batch.keys)
            if needed > self._index.max_elements:
                self._index.resize_index(2 * needed)
            self._index.add_items(batch.vectors, batch.keys)
        self._columns["modality"].append(np.full(len(batch.keys), batch.modality))
        self._columns["bucket"].append(batch.buckets)
        self._columns["rare"].append(batch.rare)

    def build(self) -> None:
        """See `Engine.build`; a graph is built as rows come."""
        self._columns = {name: [np.concatenate(parts)] for name, parts in self._columns.items()}

    def search(self, query: Rows, asked_with: str, effort: int) -> Sequence[int]:
        """See `Engine.search`."""
        with self._lock:
            self._index.set_ef(effort)
            keys, _ = self._index.knn_query(query, k=10, num_threads=1)
        return [int(key) for key in keys[0]]

    def filtered(self, query: Rows, asked_with: str, effort: int, where: Where) -> Sequence[int]:
        """See `Engine.filtered`; fewer than ten survivors make hnswlib raise, so they are scanned.

        The keys are the rows' numbers in the order of adding.
        """
        allowed = np.ones(self._index.element_count, dtype=np.bool_)
        if where.modality:
            allowed &= self._columns["modality"][0] == where.modality
        if where.below is not None:
            allowed &= self._columns["bucket"][0] < where.below
        if where.tag:
            allowed &= self._columns["rare"][0] == (where.tag == "rare")
        if np.count_nonzero(allowed) < 10:
            return [int(row) for row in np.flatnonzero(allowed)]
        with self._lock:
            self._index.set_ef(effort)
            keys, _ = self._index.knn_query(
                query, k=10, num_threads=1, filter=lambda key: bool(allowed[key])
            )
        return [int(key) for key in keys[0]]

    def close(self) -> None:
        """See `Engine.close`."""
        self._index.save_index(str(self._folder / "index.bin"))


class Usearch(Engine):
    """A graph of float16 vectors; its Python interface has no filters."""

    trait = Trait("usearch", "usearch", NOTHING, EFFORTS, "expansion", filters=False)

    def __init__(self, folder: Path, dim: int, threads: int) -> None:
        self._folder, self._threads = folder, threads
        self._index = import_module("usearch.index").Index(
            ndim=dim,
            metric="ip",
            dtype="f16",
            connectivity=CONNECTIVITY,
            expansion_add=BUILD_WIDTH,
        )

    def add(self, batch: Batch) -> None:
        """See `Engine.add`."""
        self._index.add(batch.keys, batch.vectors, threads=self._threads)

    def build(self) -> None:
        """See `Engine.build`; a graph is built as rows come."""

    def search(self, query: Rows, asked_with: str, effort: int) -> Sequence[int]:
        """See `Engine.search`."""
        self._index.expansion_search = effort
        return [int(key) for key in self._index.search(query, 10, threads=1).keys]

    def filtered(self, query: Rows, asked_with: str, effort: int, where: Where) -> Sequence[int]:
        """See `Engine.filtered`."""
        raise NotImplementedError

    def close(self) -> None:
        """See `Engine.close`."""
        self._index.save(str(self._folder / "index.usearch"))
