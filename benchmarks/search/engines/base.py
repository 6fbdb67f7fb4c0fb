"""The contract of every contestant, on one screen."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.data import Rows

CONNECTIVITY, BUILD_WIDTH = 32, 100
"""Links of a node and candidates at insertion: the same for every graph, by whatever name."""

SYNCED, WRITTEN, NOTHING = "synced", "written", "nothing"
"""What is on disk when rows are acknowledged: all, as far as the system cares to, or nothing."""

BUCKETS = 100
"""Buckets of the metadata; `below` in a filter selects so many per cent."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Rows to be stored.

    Attributes:
        keys: int64, shape (n,): the numbers that searches answer with.
        modality: Of all of them.
        vectors: float32, shape (n, dim), unit rows.
        buckets: int64, shape (n,), each in [0, BUCKETS): metadata "bucket".
        rare: bool, shape (n,): metadata "tag" is "rare" where true, else "usual".
    """

    keys: NDArray[np.int64]
    modality: str
    vectors: Rows
    buckets: NDArray[np.int64]
    rare: NDArray[np.bool_]

    def tags(self) -> list[str]:
        """Returns each row's tag."""
        return ["rare" if rare else "usual" for rare in self.rare]

    def part(self, start: int, stop: int) -> "Batch":
        """Returns some of its rows."""
        some = slice(start, stop)
        return Batch(
            self.keys[some],
            self.modality,
            self.vectors[some],
            self.buckets[some],
            self.rare[some],
        )


@dataclass(frozen=True, slots=True)
class Where:
    """What hits must satisfy: every part that is given.

    Attributes:
        modality: Their modality.
        below: Their bucket is less.
        tag: Their tag.
    """

    modality: str = ""
    below: int | None = None
    tag: str = ""


@dataclass(frozen=True, slots=True)
class Trait:
    """What must be known of an engine to read its figures.

    Attributes:
        distribution: What pip installs.
        module: What Python imports.
        kept: What is on disk when `add` returns.
        efforts: Settings from fast to thorough; the first is used while there is only one.
        effort: What they set.
        filters: Whether it filters.
        adapts: Whether its first effort is one that it chooses itself.
    """

    distribution: str
    module: str
    kept: str
    efforts: Sequence[int]
    effort: str
    filters: bool = True
    adapts: bool = False


class Engine(ABC):
    """A place for vectors that finds the nearest."""

    trait: ClassVar[Trait]

    @abstractmethod
    def __init__(self, folder: Path, dim: int, threads: int) -> None:
        """Makes an empty one in a folder that exists and is empty."""

    @abstractmethod
    def add(self, batch: Batch) -> None:
        """Stores rows; the next search must find them."""

    @abstractmethod
    def build(self) -> None:
        """Brings all rows under the index; returns when that is done."""

    @abstractmethod
    def search(self, query: Rows, asked_with: str, effort: int) -> Sequence[int]:
        """Returns keys of the ten rows nearest to a query of shape (dim,), best first."""

    @abstractmethod
    def filtered(self, query: Rows, asked_with: str, effort: int, where: Where) -> Sequence[int]:
        """Returns the same among the rows that satisfy the filter."""

    @abstractmethod
    def close(self) -> None:
        """Writes what is not yet on disk and ends."""


def expression(where: Where, equals: str) -> str:
    """Returns a filter as Milvus and SQL write it, up to their sign of equality."""
    parts = []
    if where.modality:
        parts.append(f"modality {equals} '{where.modality}'")
    if where.below is not None:
        parts.append(f"bucket < {where.below}")
    if where.tag:
        parts.append(f"tag {equals} '{where.tag}'")
    return " and ".join(parts)
