"""Numbers of items that satisfy a filter: the same by masks, by tags and one by one, and fast."""

import sqlite3

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes import records, selection, tags
from indexes.filters import AnyOf, Compare, Exists, parse_filter
from indexes.item import Item
from indexes.matching import matches
from tests.indexes.test_filters import EXPRESSIONS, FIELDS, INDEXED, LISTS, ONE, stored


@settings(max_examples=300, deadline=None)
@given(EXPRESSIONS, LISTS, FIELDS, st.sampled_from([0, 1, 2_000]), st.integers(0, 3), st.data())
def test_finds_what_the_filter_lets_through(
    expression: object,
    items: list[Item],
    indexed: list[str],
    few: int,
    after: int,
    data: st.DataObject,
) -> None:
    condition = parse_filter(expression)
    gone = data.draw(st.sets(st.integers(1, len(items))))
    with stored(items, indexed) as connection, pytest.MonkeyPatch.context() as patch:
        patch.setattr("indexes.selection._FEW", few)
        records.remove(connection, gone)
        found = selection.numbers(connection, condition, after)
    assert found.dtype == np.int64
    assert found.tolist() == [
        n
        for n, one in enumerate(items, start=1)
        if n > after and n not in gone and matches(condition, one)
    ]


@pytest.mark.parametrize(
    "condition",
    [
        {"year": 2021},
        {"year": {"$in": [2021, 2022, 2023.5]}},
        {"year": {"$gt": 2021}},
        {"tags": {"$in": ["a", None, True, 3]}},
        {"missing": {"$exists": True}},
        {"missing": None},
    ],
    ids=str,
)
def test_a_condition_on_a_declared_field_walks_along_the_index(condition: object) -> None:
    leaf = parse_filter(condition)
    assert isinstance(leaf, AnyOf | Compare | Exists)
    with stored([], INDEXED) as connection:
        query = tags.source(leaf, tags.indexed(connection)[leaf.field.path])
        plan = _plan(connection, query.sql, query.parameters)
    assert plan
    for step in plan:
        assert step.startswith(
            ("SEARCH tag USING PRIMARY KEY (field=? AND kind=?", "COMPOUND", "UNION ALL", "LEFT")
        )
    if leaf == parse_filter({"year": {"$gt": 2021}}):
        assert plan == ["SEARCH tag USING PRIMARY KEY (field=? AND kind=? AND value>?)"]


def test_a_deleted_item_leaves_no_tag() -> None:
    items = [Item(str(n), "image", ONE, {"year": [n, "a", None], "x": n % 2}) for n in range(9)]
    with stored(items, INDEXED) as connection:
        records.remove(connection, range(1, 9))
        connection.execute("UPDATE item SET metadata = 'no json'")
        records.remove(connection, [9])
        assert connection.execute("SELECT count(*) FROM tag").fetchone() == (0,)


def test_asks_only_newer_items_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [Item(str(n), "image", ONE, {"year": n % 10}) for n in range(100)]
    condition = parse_filter({"year": {"$gte": 8}})
    with stored(items, ["year"]) as connection:
        for few in (0, 50, 200):
            monkeypatch.setattr("indexes.selection._FEW", few)
            assert selection.numbers(connection, condition, 88).tolist() == [89, 90, 99, 100]


def _plan(connection: sqlite3.Connection, sql: str, parameters: tuple[object, ...]) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]
