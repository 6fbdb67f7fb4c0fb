"""The contract of aliases: names that stand for a collection, and can be made to stand for another.

A name is a collection's or an alias's, never both. What is answered as changed is on disk: whoever
resolves a name after that finds the new collection, whoever did before the old one, and nobody
half of each.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from indexes.errors import AliasMoved, CollectionAliased


class Aliased(ABC):
    """Names that stand for collections. Thread-safe.

    Attributes:
        shared: Whether other processes may change them too: then each look at one is a call.
    """

    shared: ClassVar[bool]

    @abstractmethod
    def resolve(self, name: str) -> str:
        """Returns the collection that an alias stands for; any other text as it is.

        Raises:
            StorageError: If this cannot be read.
        """

    @abstractmethod
    def aliases(self) -> Mapping[str, str]:
        """Returns the collection of each alias, by alias.

        Raises:
            StorageError: If this cannot be read.
        """

    @abstractmethod
    def point(self, alias: str, collection: str, *, expected: str | None = None) -> str | None:
        """Makes an alias stand for a collection, in one step, whether or not there was one.

        Args:
            alias: A name by the rule of collections' names.
            collection: What it is to stand for; itself no alias.
            expected: What it must stand for by now, if for anything but `collection`; None means
                that it may be anything.

        Returns:
            What it stood for before; None if it is new.

        Raises:
            InvalidName: If the alias is not a name.
            CollectionExists: If a collection has that name.
            CollectionNotFound: If there is no such collection.
            AliasMoved: If it stands for another one than expected.
            StorageError: If this cannot be written; then nothing has changed.
        """

    @abstractmethod
    def unalias(self, alias: str) -> None:
        """Deletes an alias; what it stood for stays.

        Raises:
            AliasNotFound: If there is none of this name.
            StorageError: If this cannot be written; then nothing has changed.
        """


def require_expected(
    alias: str, stands_for: str | None, collection: str, expected: str | None
) -> None:
    """Makes sure that an alias stands for what it is thought to; see `Aliased.point`.

    Raises:
        AliasMoved: If it does not.
    """
    if expected is not None and stands_for not in (None, collection, expected):
        raise AliasMoved(
            f"alias {alias!r} must stand for {expected!r} to be pointed to {collection!r}, "
            f"it stands for {stands_for!r}"
        )


def require_unaliased(collection: str, aliases: Mapping[str, str]) -> None:
    """Makes sure that no alias stands for a collection that is to be deleted.

    Raises:
        CollectionAliased: If one does.
    """
    if names := sorted(alias for alias, meant in aliases.items() if meant == collection):
        raise CollectionAliased(
            f"collection {collection!r} cannot be deleted while an alias stands for it: "
            f"{', '.join(names)}"
        )
