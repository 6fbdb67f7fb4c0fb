"""The tables of one collection: found, opened and made as they are needed."""

import threading
import time
from collections.abc import Iterable

from indexes.errors import StorageError
from indexes.milvus import media, names, rows
from indexes.milvus.cluster import Cluster, Column
from indexes.milvus.media import Media
from indexes.milvus.table import LARGE, IndexKind, Table, index_parameters

_FRESH = 1.0
"""Seconds after which tables that other processes have made are looked for."""

_WAITS = {"visible": "Eventually", "strong": "Strong", "bounded": "Bounded"}


class Tables:
    """Every table of a collection. Thread-safe.

    Args:
        cluster: Where they are.
        key: What they are named after.
        dim: Of their vectors.
    """

    def __init__(self, cluster: Cluster, key: str, dim: int) -> None:
        self._cluster = cluster
        self._key = key
        self._dim = dim
        self._open: dict[str, Table] = {}
        self._lock = threading.RLock()
        self._looked = float("-inf")
        self._waits = _WAITS[cluster.address.consistency]
        self._media: Media | None = None

    def present(self) -> list[Table]:
        """Returns the table of each modality that has one, in order of the modalities."""
        with self._lock:
            if time.monotonic() - self._looked > _FRESH:
                self._look()
            return [self._open[modality] for modality in sorted(self._open)]

    def of(self, modalities: Iterable[str]) -> dict[str, Table]:
        """Returns the tables of these modalities, making those that do not exist yet."""
        wanted = set(modalities)
        with self._lock:
            missing = sorted(wanted - self._open.keys())
            for table in self._cluster.each(self._made, missing):
                self._open[table.modality] = table
            return {modality: self._open[modality] for modality in wanted}

    def media(self, *, make: bool) -> Media | None:
        """Returns the table of media; None if there is none and none is to be made."""
        with self._lock:
            name = names.media(self._key)
            if self._media is None and (make or self._cluster.has(name)):
                self._create(name, media.COLUMNS)
                self._media = Media(self._cluster, name, self._waits)
            return self._media

    def _look(self) -> None:
        """Opens tables that others have made, and forgets those they have deleted."""
        present = self._cluster.call("list tables", "list_collections")
        found = (names.modality(self._key, name) for name in names.tables(self._key, present))
        modalities = {modality for modality in found if modality is not None}
        self._open = {name: table for name, table in self._open.items() if name in modalities}
        for table in self._cluster.each(self._opened, sorted(modalities - self._open.keys())):
            self._open[table.modality] = table
        self._looked = time.monotonic()

    def _made(self, modality: str) -> Table:
        choice = self._cluster.address.index
        kind: IndexKind = "flat" if choice == "auto" else choice
        name = names.table(self._key, modality)
        self._create(name, rows.columns(self._dim), kind)
        return Table(self._cluster, name, modality, kind, self._waits)

    def _create(self, name: str, columns: Iterable[Column], kind: IndexKind = "flat") -> None:
        """Creates a table, unless another process or an attempt cut short has done so."""
        try:
            self._cluster.create(name, tuple(columns))
        except StorageError:
            if not self._cluster.has(name):
                raise
        self._index(name, kind)
        self._cluster.load(name)

    def _opened(self, modality: str) -> Table:
        name = names.table(self._key, modality)
        kind = self._index(name, "flat")
        self._cluster.load(name)
        table = Table(self._cluster, name, modality, kind, self._waits)
        if kind == "flat" and self._cluster.address.index == "auto" and table.count() > LARGE:
            self._graph(table)
        return table

    def _index(self, name: str, kind: IndexKind) -> IndexKind:
        """Returns what a table is indexed with, which it is from now on."""
        if not self._cluster.call("look for an index", "list_indexes", name):
            self._cluster.create_index(name, **index_parameters(kind))
            return kind
        found = self._cluster.call("read an index", "describe_index", name, index_name="vector")
        return "flat" if found["index_type"] == "FLAT" else "hnsw"

    def _graph(self, table: Table) -> None:
        """Replaces a flat index by a graph; until that is built, nobody can search the table."""
        self._cluster.call("release a table", "release_collection", table.name)
        self._cluster.call("drop an index", "drop_index", table.name, index_name="vector")
        self._cluster.create_index(table.name, **index_parameters("hnsw"))
        self._cluster.load(table.name)
        table.index = "hnsw"
