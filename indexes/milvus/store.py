"""MilvusStore: the collections of one Milvus."""

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from indexes.aliases import require_unaliased
from indexes.collection import Collection
from indexes.errors import CollectionExists, CollectionNotFound, Unsupported
from indexes.milvus import aliases, moving, names, root
from indexes.milvus.address import parse_address
from indexes.milvus.cluster import Cluster
from indexes.milvus.collection import MilvusCollection
from indexes.milvus.root import Facts
from indexes.progress import Progress, silent
from indexes.store import DEFAULT_OPTIONS, Options, Store, check_dim, check_name


class MilvusStore(Store):
    """The collections of a Milvus cluster, which many processes may share, or of a file.

    What `indexes.milvus` stores begins with `kindred_`; whatever else is there is left alone.
    """

    shared = True

    def __init__(self, address: str) -> None:
        """Connects; see `indexes.milvus.address` for the forms of an address.

        Raises:
            StorageError: If the address is none, or nothing usable is there.
        """
        self._cluster = Cluster(parse_address(address))
        self._open: dict[str, MilvusCollection] = {}
        self._lock = threading.Lock()
        self._closed = False

    def create(
        self,
        name: str,
        *,
        space_id: str,
        dim: int,
        model: str,
        options: Options = DEFAULT_OPTIONS,
    ) -> Collection:
        """See `Store.create`."""
        check_name(name)
        check_dim(dim)
        if options.structure not in (None, MilvusCollection.structure):
            raise Unsupported(
                f"Milvus finds by a graph of its own, structure {options.structure!r} is for "
                "collections in a folder"
            )
        return self._create(name, Facts(space_id, dim, model, datetime.now(UTC), options))

    def open(self, name: str, *, space_id: str | None = None) -> Collection:
        """See `Store.open`."""
        check_name(name)
        with self._lock:
            self._require_open(name)
            collection = self._opened(name)
        if space_id is not None:
            collection.require_space(space_id)
        return collection

    def list(self) -> tuple[str, ...]:
        """See `Store.list`."""
        present = self._cluster.call("list collections", "list_collections")
        return tuple(sorted(filter(None, map(names.collection, present))))

    def rename(self, name: str, new: str) -> None:
        """See `Store.rename`: the tables of a collection can't be renamed in one step."""
        raise Unsupported(
            f"a collection on Milvus keeps its name, {name!r} can't become {new!r}: copy it by "
            "snapshot and restore, delete it, and set an alias"
        )

    def delete(self, name: str) -> None:
        """See `Store.delete`; after a failure half-way, what is left of it is still listed."""
        check_name(name)
        with self._lock:
            self._require_open(name)
            facts = root.read(self._cluster, name)
            require_unaliased(name, self.aliases())
            if name in self._open:
                self._open.pop(name).close()
            present = self._cluster.call("list tables", "list_collections")
            for table in [*names.tables(facts.key, present), names.root(name)]:
                self._cluster.call(f"delete {name!r}", "drop_collection", table)

    def snapshot(self, name: str, path: Path, progress: Progress = silent) -> None:
        """See `Store.snapshot`; and `indexes.milvus.moving` on what one moment means here."""
        check_name(name)
        with self._lock:
            self._require_open(name)
            collection = self._opened(name)
            facts = root.read(self._cluster, name)
        moving.snapshot(collection, facts.as_local(), path, progress)

    def restore(
        self,
        path: Path,
        name: str,
        *,
        space_id: str | None = None,
        progress: Progress = silent,
    ) -> Collection:
        """See `Store.restore`; a collection that cannot be filled is deleted again."""
        check_name(name)
        with self._lock:
            self._require_free(name)
        with moving.unpacked(path, name, space_id) as (facts, source):
            collection = self._create(name, Facts.of(facts))
            filled = False
            try:
                moving.copy(source, collection, progress)
                filled = True
            finally:
                if not filled:
                    self.delete(name)
            return collection

    def resolve(self, name: str) -> str:
        """See `Aliased.resolve`."""
        return aliases.resolve(self._cluster, name)

    def aliases(self) -> Mapping[str, str]:
        """See `Aliased.aliases`."""
        return aliases.listed(self._cluster)

    def point(self, alias: str, collection: str, *, expected: str | None = None) -> str | None:
        """See `Aliased.point`."""
        with self._lock:
            self._require_open(alias)
            return aliases.point(self._cluster, alias, collection, expected)

    def unalias(self, alias: str) -> None:
        """See `Aliased.unalias`."""
        with self._lock:
            self._require_open(alias)
            aliases.remove(self._cluster, alias)

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            try:
                while self._open:
                    self._open.popitem()[1].close()
            finally:
                self._cluster.close()

    def _create(self, name: str, facts: Facts) -> MilvusCollection:
        with self._lock:
            self._require_free(name)
            root.create(self._cluster, name, facts)
            return self._opened(name)

    def _opened(self, name: str) -> MilvusCollection:
        """Opens a collection once; one that another process has made anew is opened anew."""
        facts = root.read(self._cluster, name)
        known = self._open.get(name)
        if known is None or known.key != facts.key:
            self._open[name] = MilvusCollection(self._cluster, name, facts)
        self._open[name].indexed = facts.options.indexed  # another process may have declared them
        return self._open[name]

    def _require_free(self, name: str) -> None:
        self._require_open(name)
        if self._cluster.has(names.root(name)):
            raise CollectionExists(f"there is already a collection named {name!r}")

    def _require_open(self, name: str) -> None:
        if self._closed:
            raise CollectionNotFound(f"the store is closed, so that {name!r} cannot be used")
