"""Numbers of items that satisfy a filter: the same by masks, by tags and one by one, and fast."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.collection import Collection, SearchRequest
from indexes.filters.language import AnyOf, Compare, Exists, parse_filter
from indexes.filters.matching import matches
from indexes.item import Item
from indexes.local.folder import FolderStore
from indexes.store import Options
from indexes.truth import fields, records, selection, tags
from tests.indexes.collection_contract import DIM, some_items
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
        patch.setattr("indexes.truth.selection._FEW", few)
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
        query = tags.source(leaf, fields.indexed(connection)[leaf.field.path])
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
            monkeypatch.setattr("indexes.truth.selection._FEW", few)
            assert selection.numbers(connection, condition, 88).tolist() == [89, 90, 99, 100]


def _plan(connection: sqlite3.Connection, sql: str, parameters: tuple[object, ...]) -> list[str]:
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", parameters)]


def test_a_collection_with_declared_fields_filters_as_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.truth.selection._FEW", 0)
    items = some_items(60)
    items[7] = Item(items[7].id, "image", items[7].vector, {"n": [1, 70], "odd": None})
    conditions = [
        {"n": {"$gte": 30}},
        {"n": {"$in": [1, 8, 70]}, "odd": {"$exists": True}},
        {"$or": [{"odd": True}, {"n": 2}], "modality": "text"},
        {"odd": None},
        {"n": {"$not": {"$lt": 50}}, "other": None},
    ]

    def require_right(collection: Collection) -> None:
        live = collection.items(page_size=100).items
        for expression in conditions:
            condition = parse_filter(expression)
            expected = {item.id for item in live if matches(condition, item)}
            request = SearchRequest(items[0].vector, "text", k=100, filter=condition)
            assert {hit.id for hit in collection.search(request).hits} == expected
            listed = collection.items(page_size=100, filter=condition).items
            assert {item.id for item in listed} == expected

    with FolderStore(tmp_path) as store:
        options = Options(indexed=("n", "odd"))
        made = store.create("things", space_id="s", dim=DIM, model="m", options=options)
        made.upsert(items[:50])
        require_right(made)
        made.upsert([Item(items[3].id, "text", items[3].vector, {"n": 55}), *items[50:]])
        made.delete([item.id for item in items[20:40]])
        require_right(made)
    with FolderStore(tmp_path) as store:
        require_right(store.open("things"))
