"""Collections and their snapshots."""

from collections.abc import Mapping
from dataclasses import dataclass

from indexes.stats import Stats


@dataclass(frozen=True, slots=True)
class NewCollection:
    """A collection to create.

    Attributes:
        model: Whose space it is in; None means the default one.
        indexed: Fields of metadata that filters ask for often.
        recall_target: Share of the true ten nearest to find; None means that of the settings.
        structure: What approximate searches run on; None means what suits the store.
    """

    name: str
    model: str | None = None
    indexed: tuple[str, ...] = ()
    recall_target: float | None = None
    structure: str | None = None


@dataclass(frozen=True, slots=True)
class CollectionInfo:
    """A collection: whose space it is in and what it holds; its indexes only if asked for."""

    name: str
    model: str
    space: str
    dim: int
    counts: Mapping[str, int]
    index: str
    bytes: int
    created: str
    indexed: tuple[str, ...]
    recall_target: float
    structure: str
    stats: Stats | None = None


@dataclass(frozen=True, slots=True)
class AliasInfo:
    """A name that stands for a collection.

    Attributes:
        previous: What it stood for before, in the answer to a change; None if for nothing.
    """

    name: str
    collection: str
    previous: str | None = None


@dataclass(frozen=True, slots=True)
class SnapshotInfo:
    """A file with one moment of a collection; `space` is that of its vectors."""

    name: str
    collection: str
    model: str
    space: str
    items: int
    bytes: int
    created: str
