"""The contract of every store: named collections behind one address."""

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from indexes.aliases import Aliased
from indexes.collection import Collection
from indexes.errors import InvalidName, InvalidQuery, InvalidVector
from indexes.filters.language import parse_field
from indexes.progress import Progress, silent
from indexes.ranking import Pair

MAX_INDEXED = 32
"""Fields of metadata that a collection may index; each costs a row for every item that has it."""

STRUCTURES = ("ivf", "graph")
"""What a large modality's vectors may be found by: inverted lists of codes, or links."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")


def check_indexed(paths: Sequence[str]) -> None:
    """Makes sure that fields can be declared together.

    Raises:
        InvalidQuery: If they are too many, one is there twice, or one needs no index.
        InvalidFilter: If no filter could ask for one of them.
    """
    if len(paths) > MAX_INDEXED or len(set(paths)) < len(paths):
        raise InvalidQuery(
            f"indexed takes at most {MAX_INDEXED} fields, each once, got {list(paths)}"
        )
    for path in paths:
        if parse_field(path).builtin:
            raise InvalidQuery(f"indexed takes fields of metadata, not {path!r}")


def check_dim(dim: int) -> None:
    """Makes sure that a vector can have so many numbers.

    Raises:
        InvalidVector: If it cannot.
    """
    if dim < 1:
        raise InvalidVector(f"vectors have at least 1 number, got dim {dim}")


@dataclass(frozen=True, slots=True)
class Options:
    """What whoever creates a collection may choose.

    Attributes:
        background: Mean and standard deviation of the cosine of unrelated pairs, by the query's
            and the item's modality, as the model knows them.
        indexed: Paths into the metadata that filters ask for often, such as "year" or
            "camera.maker"; filters on them stay fast in large collections.
        recall_target: Share of the true ten nearest that approximate searches must find.
        structure: One of `STRUCTURES`; None means what suits the store.
    """

    background: Mapping[Pair, tuple[float, float]] = field(default_factory=dict)
    indexed: tuple[str, ...] = ()
    recall_target: float = 0.97
    structure: str | None = None

    def __post_init__(self) -> None:
        """Checks ranges.

        Raises:
            InvalidQuery: If the target is not above 0 and at most 1, the structure is unknown, or
                too many paths are indexed, one twice, or a field that needs no index.
            InvalidFilter: If no filter could ask for one of the paths.
        """
        if not 0 < self.recall_target <= 1:
            raise InvalidQuery(
                f"recall_target must be above 0 and at most 1, got {self.recall_target}"
            )
        if self.structure not in (None, *STRUCTURES):
            raise InvalidQuery(f"structure must be one of {STRUCTURES}, got {self.structure!r}")
        check_indexed(self.indexed)


DEFAULT_OPTIONS = Options()


class Store(Aliased):
    """Creates, opens, lists, copies and deletes collections. Thread-safe.

    A context manager: leaving it closes every collection.
    """

    @abstractmethod
    def create(
        self,
        name: str,
        *,
        space_id: str,
        dim: int,
        model: str,
        options: Options = DEFAULT_OPTIONS,
    ) -> Collection:
        """Creates an empty collection and opens it.

        Args:
            name: 1 to 63 lower-case letters, digits, - or _, starting with a letter or digit.
            space_id: Digest of the model that makes its vectors.
            dim: Length of a vector.
            model: Name of that model.
            options: What may be chosen.

        Raises:
            InvalidName: If the name breaks the rule above.
            InvalidVector: If `dim` is not positive.
            Unsupported: If this kind of store has no such structure.
            CollectionExists: If the name is taken, be it by an alias.
            StorageError: If it cannot be written.
        """

    @abstractmethod
    def open(self, name: str, *, space_id: str | None = None) -> Collection:
        """Returns a collection: the same object each time, until it is deleted.

        Raises:
            CollectionNotFound: If there is none of this name; an alias is to be resolved first.
            SpaceMismatch: If a space is given and it is not the collection's.
            StorageError: If it cannot be read.
        """

    @abstractmethod
    def list(self) -> tuple[str, ...]:
        """Returns the names of all collections, in order."""

    @abstractmethod
    def rename(self, name: str, new: str) -> None:
        """Gives a collection another name, in one step; the old one stays, as an alias of it.

        So do its aliases. Calls to what was opened by the old name fail.

        Raises:
            Unsupported: If this kind of store can't.
            InvalidName: If the new name breaks the rule.
            CollectionNotFound: If there is none of this name.
            CollectionExists: If the new name is taken, be it by an alias.
            StorageError: If it cannot be written; then it is as it was, or will be renamed when the
                store is opened next.
        """

    @abstractmethod
    def delete(self, name: str) -> None:
        """Deletes a collection and everything in it. Calls to it that come later fail.

        Raises:
            CollectionNotFound: If there is none of this name.
            CollectionAliased: If an alias stands for it.
            StorageError: If it cannot be deleted.
        """

    @abstractmethod
    def snapshot(self, name: str, path: Path, progress: Progress = silent) -> None:
        """Writes one moment of a collection to one checksummed file, while it is used.

        Args:
            name: The collection.
            path: The file to make.
            progress: Is told of bytes as it goes.

        Raises:
            CollectionNotFound: If there is none of this name.
            Unsupported: If this kind of store makes no snapshots.
            StorageError: If the file exists or cannot be written; then there is none.
        """

    @abstractmethod
    def restore(
        self,
        path: Path,
        name: str,
        *,
        space_id: str | None = None,
        progress: Progress = silent,
    ) -> Collection:
        """Creates a collection from a snapshot and opens it; checks all of the file first.

        Args:
            path: The file.
            name: The collection to create.
            space_id: The space that its vectors must be of.
            progress: Is told of bytes as it goes.

        Raises:
            Unsupported: If this kind of store takes no snapshots.
            InvalidName: If the name breaks the rule.
            CollectionExists: If the name is taken.
            SpaceMismatch: If a space is given and it is not the snapshot's.
            InvalidSnapshot: If the file is damaged, no snapshot, or from a newer version.
            StorageError: If the collection cannot be written.
        """

    @abstractmethod
    def close(self) -> None:
        """Closes every collection."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_name(text: str) -> bool:
    """Tells whether a text can name a collection."""
    return _NAME.fullmatch(text) is not None


def check_name(name: str) -> None:
    """Makes sure that a text can name a collection.

    Raises:
        InvalidName: If it cannot.
    """
    if not is_name(name):
        raise InvalidName(
            "a collection's name is 1 to 63 lower-case letters, digits, - or _, "
            f"starting with a letter or digit; got {name[:80]!r}"
        )
