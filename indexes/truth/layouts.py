"""How the tables of each version of the schema are read, for those who can't bring a file on."""

import sqlite3
from abc import ABC, abstractmethod
from typing import Any, ClassVar

from indexes.errors import StorageError
from indexes.truth import schema, state
from indexes.truth.records import Row

ITEMS = "SELECT seq, id, modality, created, mime, metadata, crc FROM item"
CONTENTS = "SELECT seq, data, crc FROM content"
WINDOWS = "SELECT seq, data FROM windows"


class Layout(ABC):
    """A version of the schema.

    Attributes:
        vectors: The query for vectors.
        facts: The query for facts about the whole.
    """

    vectors: ClassVar[str]
    facts: ClassVar[str]

    @abstractmethod
    def row(self, item: tuple[Any, ...], vector: tuple[Any, ...] | None) -> Row:
        """Returns an item as the present version has it; what is damaged is not `intact`."""

    @abstractmethod
    def fact(self, connection: sqlite3.Connection, name: str, default: str | None = None) -> str:
        """Returns a fact as `state.get` does."""


class Second(Layout):
    """The present one."""

    vectors = "SELECT seq, modality, data, crc FROM vector"
    facts = "SELECT name, value, crc FROM state"

    def row(self, item: tuple[Any, ...], vector: tuple[Any, ...] | None) -> Row:
        """See `Layout.row`."""
        return Row(*item, *(vector or (0, None, None, None))[1:])

    def fact(self, connection: sqlite3.Connection, name: str, default: str | None = None) -> str:
        """See `Layout.fact`."""
        return state.get(connection, name, default)


class First(Layout):
    """Vectors in single precision, under one checksum with their items; facts without any."""

    vectors = "SELECT seq, data FROM vector"
    facts = "SELECT name, value FROM state"

    def row(self, item: tuple[Any, ...], vector: tuple[Any, ...] | None) -> Row:
        """See `Layout.row`."""
        seq, *columns, crc = item
        brought = schema.halved(seq, columns, crc, vector[1] if vector else None)
        rest = (brought.crc, columns[1], brought.vector, brought.vector_crc)
        return Row(*(seq, *columns, *rest))

    def fact(self, connection: sqlite3.Connection, name: str, default: str | None = None) -> str:
        """See `Layout.fact`."""
        row = connection.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        if row is not None:
            return str(row[0])
        known = schema.SINCE_SECOND.get(name, default)
        if known is None:
            raise StorageError(f"the database is damaged: its {name!r} cannot be read")
        return known


LAYOUTS: tuple[Layout, ...] = (Second(), First())
"""Of every version that there ever was, the newest first."""
