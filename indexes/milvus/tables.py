"""The tables of one collection: found, opened and made as they are needed."""

import threading
import time
from collections.abc import Iterable

from indexes.errors import CollectionNotFound, StorageError
from indexes.milvus import media, names, rows
from indexes.milvus.cluster import Cluster, Column
from indexes.milvus.media import Media
from indexes.milvus.table import LARGE, IndexKind, Table, index_parameters

_FRESH = 1.0
"""Seconds after which tables that other processes have made are looked for.

A new one is written to when it is twice as old: by then whoever searches knows it.
"""

_WAITS = {"visible": "Eventually", "strong": "Strong", "bounded": "Bounded"}


class Tables:
    """Every table of a collection. Thread-safe.

    Args:
        cluster: Where they are.
        name: Of the collection.
        key: What they are named after.
        dim: Of their vectors.
    """

    def __init__(self, cluster: Cluster, name: str, key: str, dim: int) -> None:
        self._cluster = cluster
        self._name = name
        self._key = key
        self._dim = dim
        self._open: dict[str, Table] = {}
        self._lock = threading.Lock()
        self._looked: float | None = None
        self._waits = _WAITS[cluster.address.consistency]
        self._media: Media | None = None

    def present(self) -> list[Table]:
        """Returns the table of each modality that has one, in order of the modalities.

        Raises:
            CollectionNotFound: If another process has deleted the collection.
        """
        looked = self._looked
        late = looked is None or time.monotonic() - looked > _FRESH
        # While one thread looks, perhaps for as long as a call may take, others go on.
        if late and self._lock.acquire(blocking=looked is None):
            try:
                self._look()
            finally:
                self._lock.release()
        known = self._open
        return [known[modality] for modality in sorted(known)]

    def of(self, modalities: Iterable[str]) -> dict[str, Table]:
        """Returns the tables of these modalities, making those that do not exist yet."""
        wanted = set(modalities)
        with self._lock:
            missing = sorted(wanted - self._open.keys())
            made = self._cluster.each(self._made, missing)
            self._open = {**self._open, **{table.modality: table for table in made}}
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
        now = time.monotonic()
        present = self._cluster.call("list tables", "list_collections")
        if names.root(self._name) not in present:
            raise CollectionNotFound(f"collection {self._name!r} has been deleted")
        found = (names.modality(self._key, name) for name in names.tables(self._key, present))
        modalities = {modality for modality in found if modality is not None}
        opened = self._cluster.each(self._opened, sorted(modalities - self._open.keys()))
        known = {name: table for name, table in self._open.items() if name in modalities}
        self._open = {**known, **{table.modality: table for table in opened}}
        self._looked = now

    def _made(self, modality: str) -> Table:
        choice = self._cluster.address.index
        kind: IndexKind = "flat" if choice == "auto" else choice
        name = names.table(self._key, modality)
        since = time.monotonic()
        kind = self._create(name, rows.columns(self._dim), kind)
        if not self._cluster.address.lite:
            time.sleep(max(0.0, 2 * _FRESH - (time.monotonic() - since)))
        return Table(self._cluster, name, modality, kind, self._waits)

    def _create(self, name: str, columns: Iterable[Column], kind: IndexKind = "flat") -> IndexKind:
        """Creates a table, unless another process or an attempt cut short has done so.

        Returns:
            What it is indexed with.
        """
        try:
            self._cluster.create(name, tuple(columns))
        except StorageError:
            if not self._cluster.has(name):
                raise
        kind = self._index(name, kind)
        self._cluster.load(name)
        return kind

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
