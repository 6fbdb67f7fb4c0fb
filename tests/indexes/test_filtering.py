"""Remembered filters against filters asked anew, while items come and go."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from indexes.base import Keys
from indexes.filters.language import Filter, parse_filter
from indexes.item import Item
from indexes.local.collection import LocalCollection
from indexes.local.filtering import FilterCache
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from indexes.truth import selection
from tests.indexes.samples import unit_rows

DIM = 8
ODD = parse_filter({"odd": True})


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[LocalCollection]:
    with FolderStore(tmp_path, Tuning(background=False)) as store:
        made = store.create("things", space_id="s", dim=DIM, model="m")
        assert isinstance(made, LocalCollection)
        yield made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns the numbers after which items were asked, one for each look at them."""
    looks: list[int] = []
    real = selection.numbers

    def numbers(connection: object, condition: Filter, after: int = 0) -> Keys:
        looks.append(after)
        return real(connection, condition, after)  # type: ignore[arg-type]

    monkeypatch.setattr(selection, "numbers", numbers)
    return looks


def some(start: int, n: int) -> list[Item]:
    rows = unit_rows(n, DIM, start)
    return [
        Item(f"{i}", "image", rows[i - start], {"odd": i % 2 == 1, "n": i})
        for i in range(start, start + n)
    ]


def allowed(cache: FilterCache, collection: LocalCollection, condition: Filter) -> list[int]:
    """Returns which live items the cache lets through, and compares them with the filter."""
    with collection._revisions.moment() as (connection, revision):
        found = cache.allowed(connection, revision.sequence, condition).keys
        assert np.all(np.diff(found) > 0)
        live = revision.partitions["image"].keys()
        passing: list[int] = np.intersect1d(found, live).tolist()
        assert passing == selection.numbers(connection, condition).tolist()
    return passing


def test_only_newer_items_are_asked_again(collection: LocalCollection, asked: list[int]) -> None:
    cache = FilterCache(2**20)
    collection.upsert(some(0, 10))
    with collection._revisions.moment() as (connection, revision):
        first = cache.allowed(connection, revision.sequence, ODD)
        assert cache.allowed(connection, revision.sequence, ODD) is first
    assert asked == [0]
    collection.upsert(some(10, 10))
    collection.delete(["1", "11"])
    collection.upsert(some(2, 2))
    with collection._revisions.moment() as (connection, revision):
        later = cache.allowed(connection, revision.sequence, ODD)
        assert asked == [0, 10]
        live = revision.partitions["image"].keys()
        expected = selection.numbers(connection, ODD)
        np.testing.assert_array_equal(np.intersect1d(later.keys, live), expected)


def test_agrees_with_the_filter_after_any_changes(collection: LocalCollection) -> None:
    rng, cache = np.random.default_rng(1), FilterCache(2**20)
    conditions = [ODD, parse_filter({"n": {"$lt": 30}}), parse_filter({"$not": {"odd": True}})]
    collection.upsert(some(0, 1))
    for _ in range(40):
        start = int(rng.integers(60))
        if rng.random() < 0.6:
            collection.upsert(some(start, int(rng.integers(1, 6))))
        else:
            collection.delete([str(i) for i in range(start, start + 6)])
        for condition in conditions:
            if rng.random() < 0.7:
                allowed(cache, collection, condition)


def test_an_earlier_moment_is_not_answered_from_a_later_one(collection: LocalCollection) -> None:
    cache = FilterCache(2**20)
    collection.upsert(some(0, 4))
    with collection._revisions.moment() as (connection, earlier):
        expected = selection.numbers(connection, ODD).tolist()
        collection.upsert(some(1, 1))  # stored again, under a new number
        assert allowed(cache, collection, ODD) != expected
        found = cache.allowed(connection, earlier.sequence, ODD)
        assert found.keys.tolist() == expected
    assert len(allowed(cache, collection, ODD)) == 2


def test_filters_that_python_takes_for_equal_are_told_apart(collection: LocalCollection) -> None:
    cache, row = FilterCache(2**20), unit_rows(1, DIM, 1)[0]
    values = [1, True, "1"]
    collection.upsert([Item(f"{i}", "image", row, {"x": value}) for i, value in enumerate(values)])
    found = [allowed(cache, collection, parse_filter({"x": value})) for value in values]
    assert found == [[1], [2], [3]]


def test_results_are_bounded_in_bytes_and_the_oldest_go_first(
    collection: LocalCollection, asked: list[int]
) -> None:
    collection.upsert(some(0, 100))
    cache = FilterCache(3 * 8 * 50)
    conditions = [parse_filter({"odd": True, "n": {"$gte": -n}}) for n in range(4)]
    for condition in conditions:
        with collection._revisions.moment() as (connection, revision):
            cache.allowed(connection, revision.sequence, condition)
    assert len(asked) == 4
    for condition, looks in ((conditions[3], 4), (conditions[1], 4), (conditions[0], 5)):
        with collection._revisions.moment() as (connection, revision):
            cache.allowed(connection, revision.sequence, condition)
        assert len(asked) == looks


def test_a_result_full_of_deleted_items_is_renewed(
    collection: LocalCollection, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.local.filtering._SPARE", 10)
    cache = FilterCache(2**20)
    for _ in range(30):
        collection.upsert(some(1, 2))
        with collection._revisions.moment() as (connection, revision):
            found = cache.allowed(connection, revision.sequence, ODD)
        assert len(found.keys) <= 14
    assert 2 <= asked.count(0) <= 4
