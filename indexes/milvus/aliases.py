"""Aliases on Milvus: its own, of the roots of collections, so that every process has the same.

Milvus swaps one in one step, and refuses one that is called what a collection is. Not so the other
way round, for which the store looks; and between a look at what an alias stands for and its change
another process may change it.
"""

from collections.abc import Mapping

from indexes.aliases import require_expected
from indexes.errors import AliasNotFound, CollectionExists, CollectionNotFound
from indexes.milvus import names
from indexes.milvus.cluster import Cluster, NoSuchTable
from indexes.store import check_name, is_name


def resolve(cluster: Cluster, name: str) -> str:
    """See `Aliased.resolve`."""
    if not is_name(name):
        return name
    try:
        found = cluster.call(f"open {name!r}", "describe_collection", names.root(name))
    except NoSuchTable:
        return name
    return names.collection(found["collection_name"]) or name


def listed(cluster: Cluster) -> Mapping[str, str]:
    """See `Aliased.aliases`."""
    found = cluster.call("list aliases", "list_aliases")["aliases"]
    ours = [name for name in map(names.collection, sorted(found)) if name is not None]
    pairs = zip(ours, cluster.each(lambda name: resolve(cluster, name), ours), strict=True)
    return {name: meant for name, meant in pairs if meant != name}  # else deleted meanwhile


def point(cluster: Cluster, alias: str, collection: str, expected: str | None) -> str | None:
    """See `Aliased.point`."""
    check_name(alias)
    check_name(collection)
    if resolve(cluster, collection) != collection or not cluster.has(names.root(collection)):
        raise CollectionNotFound(f"there is no collection named {collection!r}")
    meant = resolve(cluster, alias)
    if meant == alias and cluster.has(names.root(alias)):
        raise CollectionExists(f"there is already a collection named {alias!r}")
    before = None if meant == alias else meant
    require_expected(alias, before, collection, expected)
    if before != collection:
        method = "create_alias" if before is None else "alter_alias"
        cluster.call(f"point alias {alias!r}", method, names.root(collection), names.root(alias))
    return before


def remove(cluster: Cluster, alias: str) -> None:
    """See `Aliased.unalias`."""
    check_name(alias)
    if resolve(cluster, alias) == alias:
        raise AliasNotFound(f"there is no alias named {alias!r}")
    cluster.call(f"delete alias {alias!r}", "drop_alias", names.root(alias))
