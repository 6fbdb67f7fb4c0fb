"""The filter language: what is parsed, what is refused, and that Python and SQL mean the same."""

import json
import reprlib
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.errors import InvalidFilter
from indexes.filters.language import (
    EVERYTHING,
    MAX_CONDITIONS,
    MAX_DEPTH,
    MAX_VALUES,
    All,
    AnyOf,
    Compare,
    Exists,
    Field,
    Not,
    microseconds,
    parse_filter,
)
from indexes.filters.matching import matches
from indexes.item import Item
from indexes.truth import fields, records, schema
from indexes.truth.conditions import as_sql

ONE = np.eye(1, 4, dtype=np.float32)[0]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def item(metadata: dict[str, Any], id: str = "a", modality: str = "image") -> Item:
    return Item(id, modality, ONE, metadata, NOON)


def deep_list() -> list[Any]:
    value: list[Any] = []
    for _ in range(5_000):
        value = [value]
    return value


@contextmanager
def stored(items: list[Item], indexed: Sequence[str] = ()) -> Iterator[sqlite3.Connection]:
    """Lends a database with these items under the numbers 1, 2, ..., with tags of some fields."""
    facts: dict[str, str | int] = {
        "sequence": len(items),
        "indexed": json.dumps({f: i for i, f in enumerate(indexed)}),
    }
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        schema.create(connection, facts)
        rows = [(n, microseconds(one.created or NOON), one) for n, one in enumerate(items, start=1)]
        records.insert(connection, rows)
        yield connection


def selected(expression: object, items: list[Item], indexed: Sequence[str] = ()) -> list[bool]:
    """Returns what the filter says in SQL about each item."""
    with stored(items, indexed) as connection:
        where = as_sql(parse_filter(expression), fields.indexed(connection))
        sql = f"SELECT ({where.sql}) FROM item ORDER BY seq"
        answers = [row[0] for row in connection.execute(sql, where.parameters)]
    assert all(answer in (0, 1) for answer in answers), "a condition is never null"
    return [bool(answer) for answer in answers]


PHOTO = item(
    {"year": 2021, "tags": ["red", "dog"], "camera": {"maker": "L", "f": 2.8}, "gone": None}
)

INDEXED = ("year", "tags", "camera.maker", "camera", "gone", "missing", "x")

CASES: list[tuple[object, bool]] = [
    ({}, True),
    ({"year": 2021}, True),
    ({"year": 2021.0}, True),
    ({"year": "2021"}, False),
    ({"year": True}, False),
    ({"year": {"$eq": 2020}}, False),
    ({"year": {"$ne": 2020}}, True),
    ({"year": {"$gt": 2020, "$lt": 2022}}, True),
    ({"year": {"$gte": 2022}}, False),
    ({"year": {"$lte": 2021}}, True),
    ({"year": {"$gt": "2020"}}, False),
    ({"year": {"$in": [1, 2021]}}, True),
    ({"year": {"$in": []}}, False),
    ({"year": {"$nin": [1, 2021]}}, False),
    ({"year": {"$nin": []}}, True),
    ({"year": {"$not": {"$gt": 2030}}}, True),
    ({"tags": "dog"}, True),
    ({"tags": "cat"}, False),
    ({"tags": {"$ne": "dog"}}, False),
    ({"tags": {"$in": ["cat", "red"]}}, True),
    ({"tags": {"$gt": "red"}}, False),
    ({"tags": {"$gte": "red"}}, True),
    ({"camera.maker": "L"}, True),
    ({"camera.f": {"$lt": 3}}, True),
    ({"camera.maker.x": {"$exists": True}}, False),
    ({"camera": "L"}, False),
    ({"camera": {"$exists": True}}, True),
    ({"gone": None}, True),
    ({"gone": {"$exists": True}}, True),
    ({"missing": None}, True),
    ({"missing": {"$exists": False}}, True),
    ({"missing": {"$ne": 1}}, True),
    ({"missing": {"$gt": 1}}, False),
    ({"missing": {"$in": [1, None]}}, True),
    ({"id": "a", "modality": "image"}, True),
    ({"id": {"$gte": "b"}}, False),
    ({"modality": {"$in": ["audio", "text"]}}, False),
    ({"created": {"$gte": "2026-03-01T12:00:00Z"}}, True),
    ({"created": {"$lt": "2026-03-01T12:00:00+01:00"}}, False),
    ({"created": {"$gt": "2026-03-01"}}, True),
    ({"created": {"$gt": 0}}, True),
    ({"created": {"$exists": True}}, True),
    ({"$and": [{"year": 2021}, {"tags": "red"}]}, True),
    ({"$or": [{"year": 1}, {"tags": "red"}]}, True),
    ({"$or": [{"year": 1}, {"tags": "cat"}]}, False),
    ({"$not": {"year": 2021, "tags": "cat"}}, True),
    ({"x": "'; DROP TABLE item; --"}, False),
]


@pytest.mark.parametrize(("expression", "expected"), CASES, ids=lambda value: json.dumps(value))
def test_a_filter_means_what_document_stores_mean(expression: object, expected: bool) -> None:
    assert matches(parse_filter(expression), PHOTO) is expected
    assert selected(expression, [PHOTO]) == [expected]
    assert selected(expression, [PHOTO], INDEXED) == [expected]


def test_eleven_operators_become_six_kinds_of_node() -> None:
    year = Field(("year",))
    assert parse_filter({}) == EVERYTHING
    assert parse_filter({"year": 1}) == AnyOf(year, (1,))
    assert parse_filter({"year": {"$nin": [1, 2]}}) == Not(AnyOf(year, (1, 2)))
    assert parse_filter({"year": {"$gt": 1, "$exists": True}}) == All(
        (Compare(year, "$gt", 1), Exists(year))
    )
    assert parse_filter({"id": "x"}) == AnyOf(Field(("id",), builtin=True), ("x",))


REFUSED: list[tuple[object, str]] = [
    ([], "JSON object"),
    ("year", "JSON object"),
    ({"year": {"$near": 1}}, r"\$near"),
    ({"year": {"gt": 1}}, "'gt'"),
    ({"$nor": []}, r"\$nor"),
    ({"$and": []}, "at least one"),
    ({"$or": {"a": 1}}, "list"),
    ({"$and": [1]}, "JSON object"),
    ({"year": {}}, "operator"),
    ({"year": [1]}, "strings, numbers"),
    ({"year": {"$in": 1}}, "list"),
    ({"year": {"$in": [[1]]}}, "strings, numbers"),
    ({"year": {"$gt": None}}, "orders"),
    ({"year": {"$gt": True}}, "orders"),
    ({"year": {"$exists": 1}}, "true or false"),
    ({"year": float("nan")}, "finite"),
    ({"year": 2**63}, "64 bits"),
    ({"year": deep_list()}, "strings, numbers"),
    ({"year": "x" * 5_000}, "4096"),
    ({"year": "a\0"}, "NUL"),
    ({"year": "\ud800"}, "Unicode"),
    ({"": 1}, "1 to"),
    ({"a..b": 1}, "empty part"),
    ({'a"b': 1}, "quotation"),
    ({"a\nb": 1}, "control"),
    ({"id": 5}, "strings"),
    ({"modality": None}, "strings"),
    ({"created": "yesterday"}, "RFC 3339"),
    ({"created": True}, "RFC 3339"),
    ({"created": 1e300}, "years 1 to 9999"),
    ({"x": {"$in": list(range(MAX_VALUES + 1))}}, "1000 values"),
    ({str(i): 1 for i in range(MAX_CONDITIONS)}, "200 conditions"),
]


@pytest.mark.parametrize(("expression", "rule"), REFUSED, ids=reprlib.repr)
def test_a_bad_filter_is_refused_by_its_rule(expression: object, rule: str) -> None:
    with pytest.raises(InvalidFilter, match=rule) as refusal:
        parse_filter(expression)
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("nest", [lambda f: {"$not": f}, lambda f: {"$and": [f]}])
def test_nesting_has_a_limit_and_within_it_sql_copes(
    nest: Callable[[object], dict[str, Any]],
) -> None:
    expression: dict[str, Any] = {"year": 2021}
    for _ in range(MAX_DEPTH):
        expression = nest(expression)
    assert selected(expression, [PHOTO]) == [True]
    with pytest.raises(InvalidFilter, match="16 levels"):
        parse_filter(nest(expression))
    field: dict[str, Any] = {"$gt": 1}
    for _ in range(MAX_DEPTH + 1):
        field = {"$not": field}
    with pytest.raises(InvalidFilter, match="16 levels"):
        parse_filter({"year": field})


def test_sql_copes_with_the_largest_filters() -> None:
    many = {"$or": [{f"k{i}": i} for i in range(90)]}
    values = {"year": {"$nin": [*range(1_990), 3_000][-MAX_VALUES:]}}
    for indexed in ((), ["year", *(f"k{i}" for i in range(30))]):
        items = [PHOTO, item({"k70": 70}, id="b")]
        assert selected(many, items, indexed) == [False, True]
        assert selected(values, [PHOTO], indexed) == [True]


def test_no_value_reaches_the_text_of_sql() -> None:
    where = as_sql(parse_filter({"name'": {"$in": ["va'lue"]}, "created": {"$gt": 1}}))
    assert "'lue" not in where.sql
    assert "name'" not in where.sql
    assert "va'lue" in where.parameters


Strategy = st.SearchStrategy[Any]

KEYS = st.sampled_from(["a", "b", "a.b", "b.a", "c d", "ü", "0"])
NUMBERS = st.integers(-3, 3) | st.floats(-2, 2, allow_subnormal=False) | st.just(2**53 + 1)
TEXTS = st.sampled_from(["", "a", "b", "é", "z", "'", "1", "true", "null", "😀", "\x01", "\\", '"'])
SCALARS = st.none() | st.booleans() | NUMBERS | TEXTS
NAMES = st.sampled_from(["a", "b", "c d", "ü", "0", "a.b", '"', ""])
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)
ITEMS = st.builds(
    Item,
    id=st.sampled_from(["a", "b", "é", "z", "1", "😀"]),
    modality=st.sampled_from(["image", "audio"]),
    vector=st.just(ONE),
    metadata=st.dictionaries(NAMES, JSON, max_size=4),
    created=st.datetimes(datetime(2020, 1, 1), datetime(2021, 1, 1), timezones=st.just(UTC)),
)


def _operation(values: Strategy, ordered: Strategy) -> Strategy:
    return (
        st.fixed_dictionaries({"$eq": values})
        | st.fixed_dictionaries({"$ne": values})
        | st.dictionaries(st.sampled_from(["$gt", "$gte", "$lt", "$lte"]), ordered, min_size=1)
        | st.fixed_dictionaries({"$in": st.lists(values, max_size=4)})
        | st.fixed_dictionaries({"$nin": st.lists(values, max_size=4)})
        | st.fixed_dictionaries({"$exists": st.booleans()})
    )


ON_METADATA = st.dictionaries(KEYS, SCALARS | _operation(SCALARS, NUMBERS | TEXTS), max_size=2)
ON_TEXT = st.dictionaries(st.sampled_from(["id", "modality"]), _operation(TEXTS, TEXTS), max_size=1)
TIMES = st.sampled_from([0, 1.58e9, 1.6e9, "2020-06-01", "2020-03-01T00:00:00Z"])
ON_TIME = st.fixed_dictionaries({"created": _operation(TIMES, TIMES)})
EXPRESSIONS = st.recursive(
    ON_METADATA | ON_TEXT | ON_TIME,
    lambda inner: (
        st.fixed_dictionaries({"$not": inner})
        | st.fixed_dictionaries({"$and": st.lists(inner, min_size=1, max_size=3)})
        | st.fixed_dictionaries({"$or": st.lists(inner, min_size=1, max_size=3)})
    ),
    max_leaves=4,
)


LISTS = st.lists(ITEMS, min_size=1, max_size=6, unique_by=lambda one: one.id)
FIELDS = st.lists(KEYS, max_size=4, unique=True)


@settings(max_examples=400, deadline=None)
@given(EXPRESSIONS, LISTS, FIELDS)
def test_python_and_sql_agree_on_any_filter_and_items(
    expression: object, items: list[Item], indexed: list[str]
) -> None:
    parsed = parse_filter(expression)
    expected = [matches(parsed, one) for one in items]
    assert selected(expression, items) == expected
    assert selected(expression, items, indexed) == expected
