"""What a filter means for one item; `indexes.truth.conditions` says the same in SQL.

A property test holds the two to the same answer, with and without tags.
"""

import operator
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any as Anything
from typing import Protocol

from indexes.filters.language import (
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
from indexes.filters.values import MISSING, elements, kind, walk

_HOLDS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}


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
