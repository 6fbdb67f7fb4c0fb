"""What can go wrong between vectors and hits.

IndexesError
├── CollectionNotFound    the store has no collection of this name, or it was closed
├── CollectionExists      the name is taken
├── AliasNotFound         the store has no alias of this name
├── AliasMoved            an alias stands for another collection than it is thought to
├── CollectionAliased     an alias stands for the collection that is to be deleted
├── ItemNotFound          the collection has no item of this id, or the item has no content
├── SpaceMismatch         the vectors come from another embedding space than the collection's
├── InvalidName           not a name for a collection
├── InvalidItem           an id, modality, metadata or content that cannot be stored
├── InvalidVector         wrong length, not finite, zero, or not of unit norm
├── InvalidFilter         a filter that is not in the language of `indexes.filters.language`
├── InvalidQuery          k, a quota, a page size or a page token out of range
├── Unsupported           what this kind of store does not do
└── StorageError          the folder: locked, read-only, full, damaged, or from a newer version
    ├── StoreInUse        another process holds the folder
    ├── StoreUnavailable  the cluster does not answer; it may later
    └── InvalidSnapshot   a file to restore that is damaged, no snapshot, or from a newer version

Every message states the rule and the offending value. All but `StorageError` itself are the
caller's to mend.
"""

import errno
import sqlite3


class IndexesError(Exception):
    """Anything this package refuses or fails to do."""


class CollectionNotFound(IndexesError):
    """The store has no collection of this name, or it has been closed."""


class CollectionExists(IndexesError):
    """The store already has a collection of this name."""


class AliasNotFound(IndexesError):
    """The store has no alias of this name."""


class AliasMoved(IndexesError):
    """An alias was to be pointed on from one collection, and stands for another."""


class CollectionAliased(IndexesError):
    """An alias stands for the collection that is to be deleted."""


class ItemNotFound(IndexesError):
    """The collection has no item of this id, or none of its content was stored."""


class SpaceMismatch(IndexesError):
    """Vectors of one embedding space were offered to a collection of another."""


class InvalidName(IndexesError):
    """The text cannot name a collection."""


class InvalidItem(IndexesError):
    """An item's id, modality, metadata or content breaks a rule."""


class InvalidVector(IndexesError):
    """A vector has a wrong length or norm, or is not finite."""


class InvalidFilter(IndexesError):
    """A filter expression breaks a rule of the filter language."""


class InvalidQuery(IndexesError):
    """A number or token of a question is out of range."""


class Unsupported(IndexesError):
    """This kind of store does not do that."""


class StorageError(IndexesError):
    """The storage cannot be used: locked, read-only, full, damaged, or from a newer version."""

    @property
    def is_full(self) -> bool:
        """Whether it is the disk that has no room left, as what it was raised from tells."""
        match self.__cause__:
            case OSError(errno=number):
                return number in (errno.ENOSPC, errno.EDQUOT)
            case sqlite3.Error() as error:
                return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_FULL
            case _:
                return False


class StoreInUse(StorageError):
    """Another process holds the folder, and one at a time may."""


class StoreUnavailable(StorageError):
    """The cluster that keeps the collections does not answer; it may later."""


class InvalidSnapshot(StorageError):
    """The file is damaged, no snapshot, or from a newer version."""
