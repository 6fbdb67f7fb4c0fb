"""Tags: what the declared fields of each item hold, in the order in which filters look it up.

A row `(field, kind, value, seq)` for each different element of a field, so that equality and ranges
are a walk along one index; null and what is missing have rows of their own. `fields` says which
fields are declared, and since when.
"""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from indexes.filters.language import AnyOf, Compare, Exists, Scalar
from indexes.filters.values import elements, kind, walk
from indexes.item import Metadata
from indexes.truth import sql
from indexes.truth.sql import Where, marks

Indexed = Mapping[tuple[str, ...], int]
"""The declared fields and the numbers by which tags know them."""

Tag = tuple[int, int, str | int | float, int]
"""Number of the field, kind, value, and number of the item."""

SIGNS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}

_KINDS = {"missing": 0, "null": 1, "false": 2, "true": 3, "number": 4, "string": 5}
_WITH_VALUE = ("number", "string")


def tags(seq: int, metadata: Metadata, fields: Indexed) -> Iterator[Tag]:
    """Returns the tags of an item."""
    for path, number in fields.items():
        different = {
            (name, element if name in _WITH_VALUE else 0)
            for element in elements(walk(metadata, path))
            if (name := kind(element)) != "structure"
        }
        for name, value in different:
            yield number, _KINDS[name], value, seq


def write(connection: sqlite3.Connection, rows: Iterable[Tag]) -> None:
    """Writes tags."""
    sql.insert(connection, "tag", sorted(rows))


def erase(connection: sqlite3.Connection, seq: int, metadata: str, fields: Indexed) -> None:
    """Deletes the tags of an item whose metadata are this JSON."""
    try:
        rows = list(tags(seq, json.loads(metadata), fields))
    except (ValueError, TypeError):  # damaged: its tags are found only by looking at all
        connection.execute("DELETE FROM tag WHERE seq = ?", (seq,))
        return
    connection.executemany(
        "DELETE FROM tag WHERE field = ? AND kind = ? AND value = ? AND seq = ?", rows
    )


def source(condition: AnyOf | Compare | Exists, field: int) -> Where:
    """Returns the numbers of the items that satisfy a condition on a field, as a query.

    Of `Exists` those that do not satisfy it, since only what is missing has a tag to tell. Each
    kind is a query of its own: SQLite would not walk the index for several joined by OR.
    """
    match condition:
        case AnyOf(_, values):
            tests = _equal_to(values)
        case Compare(_, order, value):
            tests = [Where(f"kind = ? AND value {SIGNS[order]} ?", (_KINDS[kind(value)], value))]
        case Exists():
            tests = [Where("kind = ?", (_KINDS["missing"],))]
    return Where(
        " UNION ALL ".join(f"SELECT seq FROM tag WHERE field = ? AND {test.sql}" for test in tests)
        or "SELECT seq FROM tag WHERE 0",
        tuple(value for test in tests for value in (field, *test.parameters)),
    )


def _equal_to(values: Iterable[Scalar]) -> list[Where]:
    by_kind: defaultdict[str, list[Scalar]] = defaultdict(list)
    for value in values:
        by_kind[kind(value)].append(value)
    if "null" in by_kind:
        by_kind["missing"] = []
    return [
        Where(f"kind = ? AND value IN ({marks(some)})", (_KINDS[name], *some))
        if name in _WITH_VALUE
        else Where("kind = ?", (_KINDS[name],))
        for name, some in by_kind.items()
    ]
