"""A collection's facts, kept as properties of its root: a Milvus collection without rows.

Milvus creates a collection once only, and with all of its properties or not at all. That decides
which of two processes has created a collection, and no crash leaves half a one behind.
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from indexes.errors import CollectionExists, CollectionNotFound, StorageError
from indexes.milvus import names
from indexes.milvus.cluster import Cluster, Column, NoSuchTable
from indexes.ranking import Background, Moments, Pair
from indexes.store import Options
from indexes.truth.ledger import Facts as LocalFacts

_FACTS = "kindred.facts"
_MOMENTS = "kindred.moments"
_VERSION = 1
_COLUMNS = (
    Column("id", "VARCHAR", {"max_length": 1}),
    Column("vector", "FLOAT_VECTOR", {"dim": 2}),  # Milvus insists on one
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What a collection is.

    Attributes:
        key: What its tables are named after; no other collection has or had it.
        moments: What calibration had learned when it was last stored.
    """

    space_id: str
    dim: int
    model: str
    created: datetime
    options: Options
    key: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    moments: Mapping[Pair, Moments] = field(default_factory=dict)

    @property
    def backgrounds(self) -> dict[Pair, Background]:
        """The model's backgrounds."""
        return {pair: Background(*values) for pair, values in self.options.background.items()}

    @classmethod
    def of(cls, local: LocalFacts) -> "Facts":
        """Returns the facts of a new collection that is what a local one is."""
        background = {pair: (mean, std) for pair, (mean, std) in local.backgrounds.items()}
        options = Options(background, local.indexed, local.recall_target)
        return cls(local.space_id, local.dim, local.model, local.created, options)

    def as_local(self) -> LocalFacts:
        """Returns the facts of a local collection that is what this one is."""
        return LocalFacts(
            self.space_id,
            self.dim,
            self.model,
            self.created,
            self.backgrounds,
            self.options.indexed,
            self.options.recall_target,
        )


def create(cluster: Cluster, name: str, facts: Facts) -> None:
    """Creates the root of a collection.

    Raises:
        CollectionExists: If there is one of this name.
        StorageError: If it cannot be created.
    """
    root = names.root(name)
    try:
        # The key as description makes two roots differ, which the server would take for one.
        cluster.create(root, _COLUMNS, properties={_FACTS: _encode(facts)}, description=facts.key)
    except StorageError as error:
        if not cluster.has(root):
            raise
        raise CollectionExists(f"there is already a collection named {name!r}") from error


def read(cluster: Cluster, name: str) -> Facts:
    """Returns the facts of a collection.

    Raises:
        CollectionNotFound: If there is none of this name.
        StorageError: If it comes from a newer version.
    """
    try:
        found = cluster.call(f"open {name!r}", "describe_collection", names.root(name))
    except NoSuchTable as error:
        raise CollectionNotFound(f"there is no collection named {name!r}") from error
    if found["collection_name"] != names.root(name):
        raise CollectionNotFound(f"there is no collection named {name!r}: that is an alias")
    properties = found["properties"]
    facts = json.loads(properties[_FACTS])
    if facts["version"] > _VERSION:
        raise StorageError(
            f"collection {name!r} comes from a newer Kindred: "
            f"this one knows versions up to {_VERSION}, got {facts['version']}"
        )
    return _decode(facts, json.loads(properties.get(_MOMENTS, "[]")))


def write_moments(cluster: Cluster, name: str, moments: Mapping[Pair, Moments]) -> None:
    """Stores what calibration has learned; of several processes the last one's is kept."""
    text = json.dumps([[*pair, *some] for pair, some in sorted(moments.items())])
    cluster.call(
        f"store what {name!r} has learned",
        "alter_collection_properties",
        names.root(name),
        {_MOMENTS: text},
    )


def write_indexed(cluster: Cluster, name: str, indexed: Sequence[str]) -> None:
    """Stores which fields are declared.

    Raises:
        CollectionNotFound: If there is no collection of this name.
        StorageError: If this cannot be written.
    """
    facts = read(cluster, name)
    facts = replace(facts, options=replace(facts.options, indexed=tuple(indexed)))
    cluster.call(
        f"declare fields of {name!r}",
        "alter_collection_properties",
        names.root(name),
        {_FACTS: _encode(facts)},
    )


def _encode(facts: Facts) -> str:
    options = facts.options
    return json.dumps(
        {
            "version": _VERSION,
            "key": facts.key,
            "space_id": facts.space_id,
            "dim": facts.dim,
            "model": facts.model,
            "created": facts.created.isoformat(),
            "background": [[*pair, *values] for pair, values in options.background.items()],
            "indexed": options.indexed,
            "recall_target": options.recall_target,
        }
    )


def _decode(facts: Mapping[str, Any], moments: list[list[Any]]) -> Facts:
    return Facts(
        key=facts["key"],
        space_id=facts["space_id"],
        dim=facts["dim"],
        model=facts["model"],
        created=datetime.fromisoformat(facts["created"]),
        options=Options(
            {(asked, found): (mean, std) for asked, found, mean, std in facts["background"]},
            tuple(facts["indexed"]),
            facts["recall_target"],
        ),
        moments={(asked, found): Moments(*some) for asked, found, *some in moments},
    )
