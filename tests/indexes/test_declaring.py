"""Fields that are declared late: tagged beside writers, and after whatever broke it off."""

import itertools
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from indexes.errors import StorageError
from indexes.filters.language import parse_filter
from indexes.item import Item
from indexes.local import declaring
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from indexes.truth import fields
from tests.indexes.samples import unit_rows

DIM = 8
ROWS = unit_rows(50, DIM, 1)


def items(count: int, first: int = 0) -> list[Item]:
    return [
        Item(f"item-{n}", "image", ROWS[n % 50], {"n": n, "year": 2000 + n % 20})
        for n in range(first, first + count)
    ]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FolderStore]:
    monkeypatch.setattr(declaring, "_AT_ONCE", 7)
    with FolderStore(tmp_path / "store", Tuning(background=False)) as store:
        yield store


@pytest.fixture
def collection(store: FolderStore) -> LocalCollection:
    made = store.create("things", space_id="space", dim=DIM, model="model")
    assert isinstance(made, LocalCollection)
    return made


def tagged(store: FolderStore) -> list[tuple[int, int]]:
    """Returns how many tags each field has, by the number of the field."""
    with closing(sqlite3.connect(store.path / "things" / "collection.sqlite3")) as connection:
        return connection.execute("SELECT field, count(*) FROM tag GROUP BY field").fetchall()


def count(collection: LocalCollection, **values: object) -> int:
    return len(collection.items(page_size=9_999, filter=parse_filter(values)).items)


def test_items_of_before_and_meanwhile_are_tagged_once(
    store: FolderStore, collection: LocalCollection
) -> None:
    collection.upsert(items(300))
    numbers, stop = itertools.count(300), threading.Event()

    def write() -> None:
        while not stop.is_set():
            collection.upsert(items(1, next(numbers)))
            collection.delete([f"item-{next(numbers) - 100}"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        collection.declare(["year"])
    finally:
        stop.set()
        writer.join()
    live = sum(collection.count().values())
    assert tagged(store) == [(0, live)]
    assert next(numbers) > 310, "the writer had its turns"
    assert list(collection.damage()) == []


def test_what_was_broken_off_goes_on(
    store: FolderStore, collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(items(100))
    steps = itertools.count()

    def fill(connection: sqlite3.Connection, most: int) -> bool:
        if next(steps) == 5:
            raise StorageError("the disk is full")
        return whole(connection, most)

    whole = fields.fill
    with monkeypatch.context() as patch:
        patch.setattr(fields, "fill", fill)
        with pytest.raises(StorageError, match="full"):
            collection.declare(["year", "n"])
    assert collection.indexed == (), "no filter trusts them yet"
    assert tagged(store) == [(0, 35)]
    assert count(collection, year=2003) == 5
    collection.upsert(items(20, 90))  # ten of them again
    collection.delete(["item-3", "item-60"])
    store.close()
    with FolderStore(store.path, Tuning(background=False)) as again:
        opened = again.open("things")
        assert isinstance(opened, LocalCollection)
        assert not opened.indexed
        opened.maintain()
        assert opened.indexed == ("year", "n")
        assert tagged(again) == [(0, 108), (1, 108)]
        assert count(opened, year=2003) == 5
        assert list(opened.damage()) == []


def test_tags_of_fields_that_are_declared_no_longer_are_deleted(
    store: FolderStore, collection: LocalCollection
) -> None:
    collection.upsert(items(40))
    collection.declare(["year", "n"])
    collection.declare(["n"])
    assert (collection.indexed, tagged(store)) == (("n",), [(1, 40)])
    collection.declare(["n", "year"])
    assert (collection.indexed, tagged(store)) == (("n", "year"), [(1, 40), (2, 40)])
    collection.declare([])
    assert (collection.indexed, tagged(store)) == ((), [])
