"""What a filter means as a condition in SQL; `indexes.filters.matching` says the same in Python."""

from types import MappingProxyType

from indexes.filters.language import All, Any, AnyOf, Compare, Exists, Field, Filter, Not, Scalar
from indexes.filters.values import kind
from indexes.truth.sql import Where, joined, marks
from indexes.truth.tags import SIGNS, Indexed, source

_JSON_TYPES = {
    "string": "= 'text'",
    "number": "IN ('integer', 'real')",
    "true": "= 'true'",
    "false": "= 'false'",
    "null": "= 'null'",
}


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
