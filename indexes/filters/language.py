"""The filter language: JSON parsed once into a small typed tree, and what the tree means.

A filter is a JSON object. Each entry is a condition on a field or a combination; all must hold:

    {"year": {"$gte": 2020, "$lt": 2025}, "license": {"$in": ["cc0", "cc-by"]}, "modality": "image"}
    {"$or": [{"camera.maker": "Leica"}, {"$not": {"tags": "blurred"}}]}

* Fields are `id`, `modality`, `created` (RFC 3339 text or Unix seconds), and everything else is
  metadata, with dots leading into nested objects.
* `$eq $ne $in $nin` compare strings, numbers, booleans and null, `$gt $gte $lt $lte` numbers or
  strings. Only values of one kind compare: 1 equals 1.0, but neither true nor "1". Strings are
  ordered by code point.
* A list matches when any of its elements does. Objects match nothing but `$exists`.
* A field that is missing matches null, as in document stores; `$exists` tells the two apart.
* `$ne`, `$nin` and `$not` are the exact opposites of `$eq`, `$in` and their operand.

Eleven operators become six kinds of node: `$eq` is an `AnyOf` of one value, `$ne` and `$nin` are a
`Not` of it, implicit equality is `$eq`, and several operators on one field are an `All`.
"""

import math
import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from indexes.errors import InvalidFilter

Scalar = str | int | float | bool | None
Order = Literal["$gt", "$gte", "$lt", "$lte"]

MAX_DEPTH = 16
"""How deep combinations may nest."""

MAX_CONDITIONS = 200
"""How many fields and nested filters a filter may hold in all."""

MAX_VALUES = 1_000
"""How many values a filter may hold in all."""

MAX_TEXT = 4_096
"""Characters of one string."""


@dataclass(frozen=True, slots=True)
class Field:
    """Where a value is found: `id`, `modality`, `created`, or a path into the metadata."""

    path: tuple[str, ...]
    builtin: bool = False


@dataclass(frozen=True, slots=True)
class AnyOf:
    """The field equals one of the values, or has an element that does."""

    field: Field
    values: tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    """The field, or an element of it, is of the value's kind and stands in this order to it."""

    field: Field
    order: Order
    value: str | int | float


@dataclass(frozen=True, slots=True)
class Exists:
    """The field is present, be it null."""

    field: Field


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; without parts, always."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds."""

    parts: tuple["Filter", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: "Filter"


Filter = AnyOf | Compare | Exists | All | Any | Not

EVERYTHING = All(())
"""The filter that every item passes."""

_BUILTIN = frozenset({"id", "modality", "created"})
_ORDERS: Mapping[str, Order] = {"$gt": "$gt", "$gte": "$gte", "$lt": "$lt", "$lte": "$lte"}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST = 253_402_300_800  # seconds from 1970 to the year 10000
_OPERATORS = "$eq, $ne, $gt, $gte, $lt, $lte, $in, $nin, $exists, $not"


def microseconds(moment: datetime) -> int:
    """Returns a point in time as it is stored and compared: microseconds since 1970, UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parse_filter(expression: object) -> Filter:
    """Returns the tree of a filter given as decoded JSON.

    Raises:
        InvalidFilter: If an operator is unknown, a value has a wrong type, or a limit is passed.
    """
    return _Parser().filter(expression, depth=0)


class _Parser:
    """One walk over an expression, counting as it goes."""

    def __init__(self) -> None:
        self._conditions = 0
        self._values = 0

    def filter(self, expression: object, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"a filter may nest {MAX_DEPTH} levels deep, this one goes deeper")
        if not isinstance(expression, Mapping):
            raise InvalidFilter(f"a filter must be a JSON object, got {_shown(expression)}")
        self._conditions += 1 + len(expression)
        if self._conditions > MAX_CONDITIONS:
            raise InvalidFilter(f"a filter may hold {MAX_CONDITIONS} conditions, got more")
        return _all(self._entry(key, value, depth) for key, value in expression.items())

    def _entry(self, key: object, value: object, depth: int) -> Filter:
        if key == "$and":
            return All(self._parts(key, value, depth))
        if key == "$or":
            return Any(self._parts(key, value, depth))
        if key == "$not":
            return Not(self.filter(value, depth + 1))
        return self._condition(parse_field(key), value, depth)

    def _parts(self, key: object, value: object, depth: int) -> tuple[Filter, ...]:
        if not isinstance(value, list) or not value:
            raise InvalidFilter(f"{key} takes a list of at least one filter, got {_shown(value)}")
        return tuple(self.filter(part, depth + 1) for part in value)

    def _condition(self, field: Field, condition: object, depth: int) -> Filter:
        if depth > MAX_DEPTH:
            raise InvalidFilter(f"a filter may nest {MAX_DEPTH} levels deep, this one goes deeper")
        if not isinstance(condition, Mapping):
            return AnyOf(field, (self._scalar(field, condition),))
        if not condition:
            raise InvalidFilter(f"{_name(field)} needs a value or an operator, got {{}}")
        return _all(self._operation(field, *entry, depth) for entry in condition.items())

    def _operation(self, field: Field, operator: object, value: object, depth: int) -> Filter:
        match operator:
            case "$eq":
                return AnyOf(field, (self._scalar(field, value),))
            case "$ne":
                return Not(AnyOf(field, (self._scalar(field, value),)))
            case "$in":
                return AnyOf(field, self._scalars(field, operator, value))
            case "$nin":
                return Not(AnyOf(field, self._scalars(field, operator, value)))
            case "$exists":
                return _exists(field, value)
            case "$not":
                return Not(self._condition(field, value, depth + 1))
            case "$gt" | "$gte" | "$lt" | "$lte":
                return self._comparison(field, _ORDERS[operator], value)
        raise InvalidFilter(f"operators are {_OPERATORS}; {_name(field)} has {_shown(operator)}")

    def _comparison(self, field: Field, order: Order, value: object) -> Compare:
        scalar = self._scalar(field, value)
        if scalar is None or isinstance(scalar, bool):
            raise InvalidFilter(f"{order} orders numbers and strings, got {_shown(value)}")
        return Compare(field, order, scalar)

    def _scalars(self, field: Field, operator: object, value: object) -> tuple[Scalar, ...]:
        if not isinstance(value, list):
            raise InvalidFilter(f"{operator} takes a list of values, got {_shown(value)}")
        return tuple(self._scalar(field, element) for element in value)

    def _scalar(self, field: Field, value: object) -> Scalar:
        self._values += 1
        if self._values > MAX_VALUES:
            raise InvalidFilter(f"a filter may hold {MAX_VALUES} values, got more")
        scalar = _plain(field, value)
        if not field.builtin:
            return scalar
        if field.path == ("created",):
            return _time(scalar)
        if not isinstance(scalar, str):
            raise InvalidFilter(f"{_name(field)} is compared with strings, got {_shown(value)}")
        return scalar


def _all(parts: Iterable[Filter]) -> Filter:
    """Returns the parts as one filter: a single part stands for itself."""
    together = tuple(parts)
    return together[0] if len(together) == 1 else All(together)


def _exists(field: Field, value: object) -> Filter:
    if not isinstance(value, bool):
        raise InvalidFilter(f"$exists takes true or false, got {_shown(value)}")
    return Exists(field) if value else Not(Exists(field))


def parse_field(key: object) -> Field:
    """Returns where a filter finds the values of a field.

    Raises:
        InvalidFilter: If it is not a path of non-empty names, with dots between them.
    """
    if not isinstance(key, str) or not key or len(key) > MAX_TEXT:
        raise InvalidFilter(f"a field is 1 to {MAX_TEXT} characters, got {_shown(key)}")
    if key.startswith("$"):
        raise InvalidFilter(f"combinations are $and, $or, $not, got {_shown(key)}")
    path = tuple(key.split("."))
    # JSON writes these with a backslash, so that no path could lead to them.
    if not all(path) or any(char in '"\\' or char < " " for char in key):
        raise InvalidFilter(
            "a field has no empty part, quotation mark, backslash or control character, "
            f"got {_shown(key)}"
        )
    _require_unicode(key)
    return Field(path, builtin=key in _BUILTIN)


def _plain(field: Field, value: object) -> Scalar:
    """Returns the value if it is one that a filter may hold."""
    if isinstance(value, str):
        if len(value) > MAX_TEXT or "\0" in value:
            raise InvalidFilter(
                f"strings are at most {MAX_TEXT} characters without NUL, "
                f"{_name(field)} has {len(value)} characters"
            )
        _require_unicode(value)
        return value
    if isinstance(value, float) and not math.isfinite(value):
        raise InvalidFilter(f"numbers must be finite, {_name(field)} has {value}")
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InvalidFilter(f"integers must fit 64 bits, {_name(field)} has a larger one")
    if value is None or isinstance(value, bool | int | float):
        return value
    raise InvalidFilter(
        f"values are strings, numbers, booleans or null, {_name(field)} has {_shown(value)}"
    )


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise InvalidFilter(f"text must be valid Unicode: {error.reason}") from error


def _time(value: Scalar) -> int:
    """Returns a point in time as `microseconds`; without an offset it is in UTC."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            raise InvalidFilter(f"created takes RFC 3339, got {_shown(value)}") from error
        return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    if value is None or isinstance(value, bool):
        raise InvalidFilter(f"created takes RFC 3339 text or Unix seconds, got {_shown(value)}")
    if abs(value) > _LATEST:
        raise InvalidFilter(f"created is compared with years 1 to 9999, got {value} s from 1970")
    return round(value * 1_000_000)


def _name(field: Field) -> str:
    return ".".join(field.path)


def _shown(value: object) -> str:
    """Returns a value short enough for a message, however long or deep it is."""
    return reprlib.repr(value)
