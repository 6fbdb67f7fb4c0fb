"""LocalCollection: the contract, and what its files promise."""

import sqlite3
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from indexes.collection import Collection, SearchRequest
from indexes.errors import CollectionNotFound, StorageError
from indexes.item import Content, Item
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.store import Options
from tests.indexes.collection_contract import DIM, PRIOR, CollectionContract, ids, some_items
from tests.indexes.samples import kept, unit_rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def collection(store: FolderStore) -> LocalCollection:
    options = Options(PRIOR)
    made = store.create("things", space_id="space", dim=DIM, model="model", options=options)
    assert isinstance(made, LocalCollection)
    return made


class TestLocalCollection(CollectionContract):
    @pytest.fixture
    def collection(self, tmp_path: Path) -> Iterator[Collection]:
        self.path = tmp_path / "store"
        self.store = FolderStore(self.path)
        yield self.store.create(
            "things", space_id="space", dim=DIM, model="model", options=Options(PRIOR)
        )
        self.store.close()

    def reopened(self, collection: Collection) -> Collection:
        self.store.close()
        self.store = FolderStore(self.path)
        return self.store.open(collection.name)


def database(store: FolderStore) -> Path:
    return store.path / "things" / "collection.sqlite3"


def changed(store: FolderStore, sql: str, *values: object) -> None:
    """Changes the database behind the collection's back, which must be closed."""
    with sqlite3.connect(database(store)) as connection:
        connection.execute(sql, values)
    connection.close()


def test_the_file_is_in_wal_mode_with_large_pages(
    store: FolderStore, collection: LocalCollection
) -> None:
    collection.upsert(some_items(5))
    connection = sqlite3.connect(database(store))
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA page_size").fetchone() == (16384,)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert collection.size_bytes() > 0
    connection.close()


def test_a_number_is_never_used_again(store: FolderStore, collection: Collection) -> None:
    seen: set[int] = set()
    for _ in range(3):
        collection.upsert(some_items(4))
        store.close()
        with sqlite3.connect(database(store)) as connection:
            numbers = {seq for (seq,) in connection.execute("SELECT seq FROM item")}
        connection.close()
        assert not numbers & seen
        seen |= numbers
        store = FolderStore(store.path)
        collection = store.open("things")
        collection.delete([item.id for item in some_items(4)])
    store.close()


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE vector SET data = zeroblob(32) WHERE seq = 2",
        "UPDATE vector SET data = zeroblob(31) WHERE seq = 2",
        "UPDATE vector SET modality = 'text' WHERE seq = 2",
        "UPDATE vector SET seq = 200 WHERE seq = 2",
        "DELETE FROM vector WHERE seq = 2",
        "UPDATE item SET metadata = '{}' WHERE seq = 2",
        "UPDATE item SET id = 'other' WHERE seq = 2",
        "UPDATE item SET modality = 'audio' WHERE seq = 2",
    ],
)
def test_a_damaged_item_costs_itself_alone(
    store: FolderStore, collection: Collection, damage: str
) -> None:
    items = some_items(5)
    collection.upsert(items)
    store.close()
    changed(store, damage)
    whole = [item.id for item in items if item.id != "item-1"]
    with FolderStore(store.path) as again:
        collection = again.open("things")
        answer = collection.search(SearchRequest(items[1].vector, "text"))
        assert sorted(ids(answer)) == whole
        assert [item.id for item in collection.items().items] == whole
        with pytest.raises(StorageError, match="damaged"):
            collection.get("other" if "other" in damage else "item-1")


def test_damaged_content_is_noticed_when_asked_for(
    store: FolderStore, collection: LocalCollection
) -> None:
    vector = unit_rows(1, DIM, 1)[0]
    collection.upsert([Item("a", "image", vector, content=Content("image/png", b"12345"))])
    store.close()
    changed(store, "UPDATE content SET data = ?", b"12346")
    with FolderStore(store.path) as again, pytest.raises(StorageError, match="damaged"):
        again.open("things").get_content("a")


def test_a_page_overwritten_on_disk_is_noticed(
    store: FolderStore, collection: LocalCollection
) -> None:
    collection.upsert(some_items(3_000))
    store.close()
    data = bytearray(database(store).read_bytes())
    data[-4 * 16_384 :] = bytes(4 * 16_384)
    database(store).write_bytes(data)
    with FolderStore(store.path) as again, pytest.raises(StorageError, match="damaged"):
        again.open("things").items(page_size=3_000)


def test_nothing_is_left_of_what_was_replaced_or_deleted(
    store: FolderStore, collection: LocalCollection
) -> None:
    vectors = unit_rows(3, DIM, 1)
    for vector in vectors:
        collection.upsert([Item("a", "image", vector, content=Content("image/png", b"12345"))])
    collection.upsert([Item("b", "image", vectors[0], content=Content("image/png", b"12345"))])
    collection.delete(["b"])
    store.close()
    connection = sqlite3.connect(database(store))
    for table in ("item", "vector", "content"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    connection.close()


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("PRAGMA user_version = 99", "newer Kindred.*up to 2.*99"),
        ("PRAGMA application_id = 1", "not a collection"),
    ],
)
def test_files_of_others_are_refused(
    store: FolderStore, collection: LocalCollection, change: str, rule: str
) -> None:
    store.close()
    changed(store, change)
    with FolderStore(store.path) as again, pytest.raises(StorageError, match=rule):
        again.open("things")


def test_a_file_that_is_no_database_is_refused(
    store: FolderStore, collection: LocalCollection
) -> None:
    store.close()
    database(store).write_bytes(b"no database at all, but long enough to look at" * 200)
    with FolderStore(store.path) as again, pytest.raises(StorageError, match="not a database"):
        again.open("things")


def test_a_full_disk_costs_that_batch_alone(
    store: FolderStore, collection: LocalCollection
) -> None:
    collection.upsert(some_items(10))
    limited = collection._ledger._writer
    (pages,) = limited.execute("PRAGMA page_count").fetchone()
    limited.execute(f"PRAGMA max_page_count = {pages + 2}")
    with pytest.raises(StorageError, match="disk is full"):
        collection.upsert(some_items(2_000, seed=2, prefix="more"))
    assert sum(collection.count().values()) == 10
    query = unit_rows(1, DIM, 3)[0]
    assert len(collection.search(SearchRequest(query, "text", k=50)).hits) == 10
    limited.execute("PRAGMA max_page_count = 1000000")
    collection.upsert(some_items(20, seed=2, prefix="more"))
    assert len(collection.search(SearchRequest(query, "text", k=50)).hits) == 30


def test_a_full_disk_is_told_to_everybody_who_waited_for_that_commit(
    collection: LocalCollection,
) -> None:
    collection.upsert(some_items(10))
    limited = collection._ledger._writer
    (pages,) = limited.execute("PRAGMA page_count").fetchone()
    limited.execute(f"PRAGMA max_page_count = {pages}")
    batches = [some_items(500, seed=i, prefix=f"w{i}") for i in range(4)]
    with ThreadPoolExecutor(4) as pool:
        with collection._revisions._writing:
            futures = [pool.submit(collection.upsert, batch) for batch in batches]
            while len(collection._revisions._line._waiting) < len(batches):
                threading.Event().wait(0.001)
        for future in futures:
            assert "disk is full" in str(future.exception(30))
    assert sum(collection.count().values()) == 10
    limited.execute("PRAGMA max_page_count = 1000000")
    for batch in batches:
        collection.upsert(batch)
    assert sum(collection.count().values()) == 2_010


def test_another_holder_of_the_database_is_a_clear_error(
    store: FolderStore, collection: LocalCollection
) -> None:
    collection._ledger._writer.execute("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(database(store), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageError, match="another process"):
        collection.upsert(some_items(1))
    other.execute("ROLLBACK")
    other.close()
    collection.upsert(some_items(1))
    assert collection.count() == {"audio": 1}


def test_a_closed_collection_says_so(collection: LocalCollection) -> None:
    collection.close()
    collection.close()
    request = SearchRequest(unit_rows(1, DIM, 1)[0], "text")
    with pytest.raises(CollectionNotFound, match="closed"):
        collection.search(request)
    with pytest.raises(CollectionNotFound, match="closed"):
        collection.upsert(some_items(1))


def test_the_log_is_written_back_while_searches_go_on(
    store: FolderStore, collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.truth.ledger._WAL_LIMIT", 100_000)
    log = database(store).with_name("collection.sqlite3-wal")
    for round_ in range(30):
        collection.upsert(some_items(100, seed=round_, prefix=f"r{round_}"))
        collection.search(SearchRequest(unit_rows(1, DIM, 1)[0], "text"))
    assert log.stat().st_size < 500_000
    assert sum(collection.count().values()) == 3_000


def test_a_change_that_fails_half_way_leaves_no_trace(
    collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(some_items(6))
    query = unit_rows(1, DIM, 4)[0]
    before = ids(collection.search(SearchRequest(query, "text")))

    def fail(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr("indexes.local.changes.write_sequence", fail)
        with pytest.raises(MemoryError):
            collection.upsert(some_items(6, seed=9) + some_items(6, seed=9, prefix="more"))
    assert ids(collection.search(SearchRequest(query, "text"))) == before
    collection.upsert([Item("best", "image", query)])
    assert ids(collection.search(SearchRequest(query, "image", k=1))) == ["best"]
    np.testing.assert_array_equal(collection.get("item-1").vector, kept(some_items(6)[1].vector))
