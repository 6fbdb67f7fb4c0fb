"""The declared fields of a collection's metadata: one that is declared late is filled step by step.

From the moment it is declared, whatever is stored has its tags; items from before get theirs batch
by batch, between other writers' transactions. Filters ask the tags of a field when all have them.
"""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

from indexes.filters.language import parse_field
from indexes.truth import state, tags
from indexes.truth.tags import Indexed, Tag

_FACT = "indexed"


class Field(NamedTuple):
    """A declared field.

    Attributes:
        number: By which tags know it.
        done: Items up to this number have tags.
        last: Number of the newest item when it was declared; later ones have tags anyway.
    """

    number: int
    done: int = 0
    last: int = 0

    @property
    def filled(self) -> bool:
        """Whether every item has its tags."""
        return self.done >= self.last


def declared(connection: sqlite3.Connection) -> dict[str, Field]:
    """Returns the declared fields, in the order in which they were declared."""
    found: Mapping[str, Any] = json.loads(state.get(connection, _FACT))
    return {
        path: Field(*value) if isinstance(value, list) else Field(value)
        for path, value in found.items()
    }


def indexed(connection: sqlite3.Connection) -> Indexed:
    """Returns the fields whose tags filters may ask."""
    known = declared(connection)
    return {parse_field(path).path: it.number for path, it in known.items() if it.filled}


def tagged(connection: sqlite3.Connection) -> Indexed:
    """Returns the fields of which what is stored has tags, be they filled or not."""
    return {parse_field(path).path: it.number for path, it in declared(connection).items()}


def declare(connection: sqlite3.Connection, paths: Sequence[str], last: int) -> None:
    """Makes these the declared fields; those that are new are to be filled.

    Args:
        connection: Lent for writing.
        paths: All that are to be declared; others no longer are.
        last: Number of the last change.
    """
    known = declared(connection)
    (newest,) = connection.execute("SELECT ifnull(max(field), -1) FROM tag").fetchone()
    unused = 1 + max([newest, *(field.number for field in known.values())])
    fields = dict[str, Field]()
    for path in paths:
        fields[path] = known.get(path) or Field(unused, 0, last)
        unused += path not in known
    _write(connection, fields)


def fill(connection: sqlite3.Connection, most: int) -> bool:
    """Tags up to so many of the items that lack tags of a declared field, or deletes old tags.

    Returns:
        Whether anything may be left to do.
    """
    known = declared(connection)
    for path, field in known.items():
        if not field.filled:
            done = _tag(connection, path, field, most)
            _write(connection, {**known, path: field._replace(done=done)})
            return True
    return _clear(connection, [field.number for field in known.values()], most)


def _tag(connection: sqlite3.Connection, path: str, field: Field, most: int) -> int:
    """Returns the number up to which items have tags now."""
    rows = connection.execute(
        "SELECT seq, metadata FROM item WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?",
        (field.done, field.last, most),
    ).fetchall()
    own = {parse_field(path).path: field.number}
    tags.write(connection, (tag for seq, text in rows for tag in _tags(seq, text, own)))
    return int(rows[-1][0]) if len(rows) == most else field.last


def _tags(seq: int, metadata: str, own: Indexed) -> Iterator[Tag]:
    with suppress(ValueError, TypeError):  # of an item that is damaged
        yield from tags.tags(seq, json.loads(metadata), own)


def _clear(connection: sqlite3.Connection, kept: Collection[int], most: int) -> bool:
    """Deletes up to so many tags of fields that are no longer declared; tells if there were any."""
    number = -1
    while True:
        (number,) = connection.execute(
            "SELECT min(field) FROM tag WHERE field > ?", (number,)
        ).fetchone()
        if number is None:
            return False
        if number not in kept:
            connection.execute(
                "DELETE FROM tag WHERE (field, kind, value, seq) IN "
                "(SELECT field, kind, value, seq FROM tag WHERE field = ? LIMIT ?)",
                (number, most),
            )
            return True


def _write(connection: sqlite3.Connection, fields: Mapping[str, Field]) -> None:
    state.put(
        connection,
        _FACT,
        json.dumps({path: it.number if it.filled else it for path, it in fields.items()}),
    )
