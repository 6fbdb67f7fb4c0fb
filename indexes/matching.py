"""What a filter means, said twice side by side: on one item in Python, and on a table in SQL.

A property test holds the two to the same answer, with and without tags.
"""

import operator
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any as Anything
from typing import Protocol

from indexes.filters import (
    All,
    Any,
    AnyOf,
    Compare,
    Exists,
    Field,
    Filter,
    Not,
    Scalar,
    microseconds,
)
from indexes.sql import Where, joined, marks
from indexes.tags import SIGNS, Indexed, source
from indexes.values import MISSING, elements, kind, walk

_HOLDS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
_JSON_TYPES = {
    "string": "= 'text'",
    "number": "IN ('integer', 'real')",
    "true": "= 'true'",
    "false": "= 'false'",
    "null": "= 'null'",
}


class Filterable(Protocol):
    """What a filter looks at."""

    @property
    def id(self) -> str:
        """The item's id."""

    @property
    def modality(self) -> str:
        """The item's modality."""

    @property
    def created(self) -> datetime | None:
        """When the item was created; filters on it ask stored items, which know."""

    @property
    def metadata(self) -> Mapping[str, Anything]:
        """The item's JSON object."""


def matches(condition: Filter, item: Filterable) -> bool:
    """Tells whether the filter lets this item through."""
    match condition:
        case AnyOf(field, values):
            return any(_equal(found, value) for found in _found(field, item) for value in values)
        case Compare(field, order, value):
            holds = _HOLDS[order]
            return any(
                kind(found) == kind(value) and holds(found, value) for found in _found(field, item)
            )
        case Exists(field):
            return field.builtin or walk(item.metadata, field.path) is not MISSING
        case All(parts):
            return all(matches(part, item) for part in parts)
        case Any(parts):
            return any(matches(part, item) for part in parts)
        case Not(part):
            return not matches(part, item)


def _found(field: Field, item: Filterable) -> Sequence[Anything]:
    """Returns the values that the field has: the elements of a list, null where it is missing."""
    if field.path == ("created",):
        return [] if item.created is None else [microseconds(item.created)]
    if field.builtin:
        return [getattr(item, field.path[0])]
    value = walk(item.metadata, field.path)
    return [None] if value is MISSING else elements(value)


def _equal(found: object, value: Scalar) -> bool:
    return kind(found) == kind(value) and found == value


def as_sql(condition: Filter, indexed: Indexed = MappingProxyType({})) -> Where:
    """Returns the filter as SQL over `item(seq, id, modality, created, metadata)`.

    Conditions on indexed fields ask `tag`, those on other metadata look into the JSON of each item.
    """
    match condition:
        case All(parts):
            return joined("AND", (as_sql(part, indexed) for part in parts), empty="1")
        case Any(parts):
            return joined("OR", (as_sql(part, indexed) for part in parts), empty="0")
        case Not(part):
            inner = as_sql(part, indexed)
            return Where(f"NOT ({inner.sql})", inner.parameters)
        case AnyOf(field) | Compare(field) | Exists(field):
            if field.builtin:
                return on_column(condition)
            number = indexed.get(field.path)
            return _on_metadata(condition) if number is None else _on_tags(condition, number)


def _on_tags(condition: AnyOf | Compare | Exists, number: int) -> Where:
    tagged = source(condition, number)
    word = "NOT IN" if isinstance(condition, Exists) else "IN"
    return Where(f"item.seq {word} ({tagged.sql})", tagged.parameters)


def on_column(condition: AnyOf | Compare | Exists) -> Where:
    """Returns a condition on a field that is a column as SQL over a table called `item`."""
    column = f"item.{condition.field.path[0]}"
    match condition:
        case AnyOf(_, values):
            return Where(f"{column} IN ({marks(values)})", values)
        case Compare(_, order, value):
            return Where(f"{column} {SIGNS[order]} ?", (value,))
        case Exists():
            return Where("1")


def _on_metadata(condition: AnyOf | Compare | Exists) -> Where:
    match condition:
        case AnyOf(field, values):
            return _anywhere(field, _equals_one(values), missing=None in values)
        case Compare(field, order, value):
            test = f"element.type {_JSON_TYPES[kind(value)]} AND element.value {SIGNS[order]} ?"
            return _anywhere(field, Where(test, (value,)), missing=False)
        case Exists(field):
            return Where("json_type(item.metadata, ?) IS NOT NULL", (_path(field),))


def _equals_one(values: tuple[Scalar, ...]) -> Where:
    """Returns the test that a JSON element is one of these."""
    by_kind: dict[str, list[Scalar]] = {}
    for value in values:
        by_kind.setdefault(kind(value), []).append(value)
    tests = []
    for name, some in by_kind.items():
        test = f"element.type {_JSON_TYPES[name]}"
        if name in ("string", "number"):
            tests.append(Where(f"{test} AND element.value IN ({marks(some)})", tuple(some)))
        else:
            tests.append(Where(test))
    return joined("OR", tests, empty="0")


def _anywhere(field: Field, test: Where, *, missing: bool) -> Where:
    """Returns the test applied to the elements of the list that the field is, or to the field."""
    path = _path(field)
    return Where(
        "CASE json_type(item.metadata, ?) WHEN 'array' THEN EXISTS "
        f"(SELECT 1 FROM json_each(item.metadata, ?) AS element WHERE {test.sql}) "
        f"ELSE IFNULL((SELECT {test.sql} FROM (SELECT json_type(item.metadata, ?) AS type, "
        f"json_extract(item.metadata, ?) AS value) AS element), {int(missing)}) END",
        (path, path, *test.parameters, *test.parameters, path, path),
    )


def _path(field: Field) -> str:
    return "$" + "".join(f'."{part}"' for part in field.path)
