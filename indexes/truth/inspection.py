"""Looks over a whole ledger: every page, every checksum, and the tags against the items."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from indexes.errors import StorageError
from indexes.truth import checksums, fields, records, schema, tags
from indexes.truth.connections import connect, failures


@dataclass(frozen=True, slots=True)
class Damage:
    """Something that is not as it was written.

    Attributes:
        what: In words.
        item_id: Of the item that it concerns, where it is one.
    """

    what: str
    item_id: str | None = None

    def __str__(self) -> str:
        return self.what if self.item_id is None else f"item {self.item_id!r}: {self.what}"


def inspect_beside(path: Path) -> Iterator[Damage]:
    """Does as `inspect` with a file that another process holds: reads its last state, no more.

    Writers there go on, and only wait where their log has grown long: it is not written back before
    this ends.

    Raises:
        StorageError: If it cannot be opened, or is of another version than the present.
    """
    with failures(path), closing(connect(path, "ro")) as connection:
        connection.execute("BEGIN")
        if (found := schema.version(connection, path.parent.name)) != schema.VERSION:
            raise StorageError(
                f"it is of version {found}, and is brought to {schema.VERSION} when it is opened"
            )
        yield from inspect(connection)


def inspect(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Finds all that is damaged, reading everything: a million items take half a minute.

    Args:
        connection: Sees one unchanging state; of a ledger, so that it reads past what is no text.
    """
    for name, check in _CHECKS.items():
        try:
            yield from check(connection)
        except sqlite3.DatabaseError as error:
            yield Damage(f"{name} cannot all be read: {error}")


def _pages(connection: sqlite3.Connection) -> Iterator[Damage]:
    for (line,) in connection.execute("PRAGMA integrity_check"):
        if line != "ok":
            yield Damage(line)


def _facts(connection: sqlite3.Connection) -> Iterator[Damage]:
    for name, value, crc in connection.execute("SELECT name, value, crc FROM state"):
        if checksums.of_state(name, value) != crc:
            yield Damage(f"the fact {name!r} is damaged")


def _items(connection: sqlite3.Connection) -> Iterator[Damage]:
    for row in records.rows(connection):
        if not records.intact(row):
            yield Damage("it is damaged", row.id)


def _vectors(connection: sqlite3.Connection) -> Iterator[Damage]:
    for (seq,) in connection.execute(
        "SELECT vector.seq FROM vector LEFT JOIN item USING (seq) WHERE item.seq IS NULL"
    ):
        yield Damage(f"the vector {seq} belongs to no item")


def _media(connection: sqlite3.Connection) -> Iterator[Damage]:
    for item_id, data, crc in connection.execute(
        "SELECT id, data, content.crc FROM content LEFT JOIN item USING (seq)"
    ):
        if not isinstance(data, bytes) or checksums.of_content(data) != crc or item_id is None:
            yield Damage("its content is damaged", item_id)
    for (item_id,) in connection.execute(
        "SELECT id FROM item LEFT JOIN content USING (seq) "
        "WHERE mime NOTNULL AND content.seq ISNULL"
    ):
        yield Damage("its content is missing", item_id)


def _tags(connection: sqlite3.Connection) -> Iterator[Damage]:
    """Compares the tags there are with those there should be, in whatever order, by a sum."""
    indexed = fields.indexed(connection)
    rows = connection.execute(
        "SELECT field, kind, value, seq FROM tag WHERE field IN (SELECT value FROM json_each(?))",
        (json.dumps(list(indexed.values())),),
    )
    told = sum(map(hash, rows))
    for seq, metadata in connection.execute("SELECT seq, metadata FROM item"):
        with suppress(ValueError, TypeError):  # of an item that is damaged
            told -= sum(hash(tag) for tag in tags.tags(seq, json.loads(metadata), indexed))
    if told:
        yield Damage("the tags of declared fields are not those of the items")


_CHECKS: Mapping[str, Callable[[sqlite3.Connection], Iterator[Damage]]] = {
    "pages": _pages,
    "facts": _facts,
    "items": _items,
    "vectors": _vectors,
    "media": _media,
    "tags": _tags,
}
