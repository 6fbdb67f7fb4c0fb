"""Filters as expressions of Milvus, which let through every item that a filter does, and others.

Milvus' language has no word for some of ours, and its versions differ on the rest: what is missing,
null or a list, numbers beyond 2^53, negation. So an expression only narrows down what is fetched,
and `indexes.filters.matching.matches` has the last word on each item. Where nothing safe can be
said, the expression says nothing.

Expressions are text. Numbers are written by us, names of fields hold no quotation mark or backslash
(`indexes.filters.language` sees to it), and in strings both are escaped; one with control
characters is not written at all.
"""

import operator
from collections.abc import Iterable, Sequence

from indexes.filters.language import All, Any, AnyOf, Compare, Exists, Field, Filter, Not, Scalar
from indexes.milvus.rows import ANY_PATH

_SIGNS = {"$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
_HOLDS = {"$gt": operator.gt, "$gte": operator.ge, "$lt": operator.lt, "$lte": operator.le}
_MOST_VALUES = 100
_MOST_TEXT = 65_536
_EXACT = 2**53
"""From here on doubles skip integers; so a value in JSON might not be compared exactly."""

_WIDEST = 2**63
"""Columns of integers are compared exactly."""

Expression = str | bool
"""Text, or what the filter says of every item of a modality alike."""


def expression(condition: Filter, modality: str) -> Expression:
    """Returns what all items of a modality satisfy that the filter lets through."""
    text = _wide(condition, modality)
    return True if isinstance(text, str) and len(text) > _MOST_TEXT else text


def any_id(ids: Sequence[str]) -> str:
    """Returns the expression that an id is one of these, of which none has a control character."""
    return f"id in [{', '.join(quoted(one) for one in ids)}]"


def quoted(text: str) -> str:
    """Returns a string without control characters as Milvus reads it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def plain(text: str) -> bool:
    """Tells whether a string can be written in an expression."""
    return not any(char < " " or char == "\x7f" or "\ud800" <= char <= "\udfff" for char in text)


def _wide(condition: Filter, modality: str) -> Expression:
    match condition:
        case All(parts):
            return _joined("and", (_wide(part, modality) for part in parts), stop=False)
        case Any(parts):
            return _joined("or", (_wide(part, modality) for part in parts), stop=True)
        case Not(part):
            return _opposite(_wide(part, modality)) if _exact(part) else True
        case AnyOf(field) | Compare(field) | Exists(field):
            if field.builtin:
                return _on_column(condition, modality)
            return _on_metadata(condition)


def _exact(condition: Filter) -> bool:
    """Tells whether its expression says neither more nor less than the filter."""
    match condition:
        case All(parts) | Any(parts):
            return all(_exact(part) for part in parts)
        case Not(part):
            return _exact(part)
        case AnyOf(field, values):
            return field.builtin and _writable(values, _WIDEST)
        case Compare(field, _, value):
            return field.builtin and _writable((value,), _WIDEST)
        case Exists(field):
            return field.builtin


def _on_column(condition: AnyOf | Compare | Exists, modality: str) -> Expression:
    column = condition.field.path[0]
    match condition:
        case Exists():
            return True
        case AnyOf(_, values) if column == "modality":
            return modality in values
        case Compare(_, order, value) if column == "modality":
            return bool(_HOLDS[order](modality, value))
        case AnyOf(_, values):
            if not values or not _writable(values, _WIDEST):
                return bool(values)
            return f"{column} in [{', '.join(map(_value, values))}]"
        case Compare(_, order, value):
            if not _writable((value,), _WIDEST):
                return True
            return f"{column} {_SIGNS[order]} {_value(value)}"


def _on_metadata(condition: AnyOf | Compare | Exists) -> Expression:
    field = condition.field
    if any(char in part for part in field.path for char in "/~\x7f"):
        return True  # they mean something to JSON pointers
    match condition:
        case Exists():
            return f"(exists {_path(field)}) or {_is_odd(field)}"
        case Compare(_, order, value):
            if not _writable((value,)):
                return True
            return f"{_path(field)} {_SIGNS[order]} {_value(value)} or {_is_odd(field)}"
        case AnyOf(_, values):
            if not values or not _writable(values) or len(values) > _MOST_VALUES:
                return bool(values)
            equal = " or ".join(f"{_path(field)} == {_value(value)}" for value in values)
            return f"{equal} or {_in_list(field, values)}"


def _in_list(field: Field, values: Sequence[Scalar]) -> str:
    """Returns an expression for lists that hold one of the values."""
    if not all(isinstance(value, str) for value in values):
        return _is_odd(field)
    texts = ", ".join(map(_value, values))
    return f"json_contains_any({_path(field)}, [{texts}]) or {_is_odd(field, listed=False)}"


def _is_odd(field: Field, *, listed: bool = True) -> str:
    """Returns an expression for items that have a list, null or an object in this place."""
    paths = [ANY_PATH, ".".join(field.path)] if listed else [ANY_PATH]
    return f'json_contains_any(facts["odd"], [{", ".join(map(quoted, paths))}])'


def _writable(values: Iterable[Scalar], below: int = _EXACT) -> bool:
    return all(_can_write(value, below) for value in values)


def _can_write(value: Scalar, below: int) -> bool:
    if isinstance(value, str):
        return plain(value)
    return value is not None and abs(value) < below


def _value(value: Scalar) -> str:
    if isinstance(value, str):
        return quoted(value)
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _path(field: Field) -> str:
    return "metadata" + "".join(f'["{part}"]' for part in field.path)


def _opposite(expression: Expression) -> Expression:
    return f"not ({expression})" if isinstance(expression, str) else not expression


def _joined(word: str, parts: Iterable[Expression], *, stop: bool) -> Expression:
    """Returns the parts with a word between them; the value that decides alone is `stop`."""
    texts = []
    for part in parts:
        if part is stop:
            return stop
        if isinstance(part, str):
            texts.append(f"({part})")
    return f" {word} ".join(texts) if texts else not stop
