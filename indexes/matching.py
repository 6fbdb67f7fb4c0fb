"""What a filter means, said twice side by side: on one item in Python, and on a table in SQL.

A property test holds the two to the same answer. Values only ever travel as SQL parameters.
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
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

_MISSING = object()
_HOLDS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
_SIGNS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
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
            kind, holds = _kind(value), _HOLDS[order]
            return any(
                _kind(found) == kind and holds(found, value) for found in _found(field, item)
            )
        case Exists(field):
            return field.builtin or _walk(item.metadata, field.path) is not _MISSING
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
    value = _walk(item.metadata, field.path)
    if value is _MISSING:
        return [None]
    return value if isinstance(value, list) else [value]


def _walk(metadata: Mapping[str, Anything], path: tuple[str, ...]) -> object:
    value: object = metadata
    for part in path:
        if not isinstance(value, Mapping) or part not in value:
            return _MISSING
        value = value[part]
    return value


def _equal(found: object, value: Scalar) -> bool:
    return _kind(found) == _kind(value) and found == value


def _kind(value: object) -> str:
    """Returns the name of the values that this one may be compared with."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "null" if value is None else "structure"


@dataclass(frozen=True, slots=True)
class Where:
    """A condition in SQL over the columns of `item`, true or false and never null.

    Attributes:
        sql: Text without any value of the filter's in it.
        parameters: What its question marks stand for, in order.
    """

    sql: str
    parameters: tuple[Scalar, ...] = ()


def as_sql(condition: Filter) -> Where:
    """Returns the filter as SQL over `item(id, modality, created, metadata)`."""
    match condition:
        case All(parts):
            return _joined("AND", map(as_sql, parts), empty="1")
        case Any(parts):
            return _joined("OR", map(as_sql, parts), empty="0")
        case Not(part):
            inner = as_sql(part)
            return Where(f"NOT ({inner.sql})", inner.parameters)
        case AnyOf(field) | Compare(field) | Exists(field):
            return _on_column(condition) if field.builtin else _on_metadata(condition)


def _on_column(condition: AnyOf | Compare | Exists) -> Where:
    column = f"item.{condition.field.path[0]}"
    match condition:
        case AnyOf(_, values):
            return Where(f"{column} IN ({_marks(values)})", values)
        case Compare(_, order, value):
            return Where(f"{column} {_SIGNS[order]} ?", (value,))
        case Exists():
            return Where("1")


def _on_metadata(condition: AnyOf | Compare | Exists) -> Where:
    match condition:
        case AnyOf(field, values):
            return _anywhere(field, _equals_one(values), missing=None in values)
        case Compare(field, order, value):
            test = f"element.type {_JSON_TYPES[_kind(value)]} AND element.value {_SIGNS[order]} ?"
            return _anywhere(field, Where(test, (value,)), missing=False)
        case Exists(field):
            return Where("json_type(item.metadata, ?) IS NOT NULL", (_path(field),))


def _equals_one(values: tuple[Scalar, ...]) -> Where:
    """Returns the test that a JSON element is one of these."""
    by_kind: dict[str, list[Scalar]] = {}
    for value in values:
        by_kind.setdefault(_kind(value), []).append(value)
    tests = []
    for kind, some in by_kind.items():
        test = f"element.type {_JSON_TYPES[kind]}"
        if kind in ("string", "number"):
            tests.append(Where(f"{test} AND element.value IN ({_marks(some)})", tuple(some)))
        else:
            tests.append(Where(test))
    return _joined("OR", tests, empty="0")


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


def _joined(word: str, parts: Iterable[Where], *, empty: str) -> Where:
    tests = list(parts)
    if not tests:
        return Where(empty)
    sql = f" {word} ".join(f"({test.sql})" for test in tests)
    return Where(sql, tuple(value for test in tests for value in test.parameters))


def _marks(values: Sequence[Scalar]) -> str:
    return ",".join("?" * len(values))
