"""Segments of a collection: built beside serving, loaded, checked, calibrated, dropped."""

import gc
import logging
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from indexes.collection import Answer, SearchRequest
from indexes.derived import building
from indexes.derived.building import Order, Plan
from indexes.derived.partition import Layout, Partition
from indexes.derived.segment import Segment
from indexes.errors import StorageError
from indexes.item import Item
from indexes.local import upkeep
from indexes.local.changes import Revision
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from tests.indexes.collection_contract import DIM, expected_ids, ids
from tests.indexes.samples import unit_rows

TUNING = Tuning(
    layout=Layout(chunk=64, exact=150, tail=80, longest_tail=200),
    background=False,
    fewest_queries=16,
    live_queries=8,
    judged_queries=8,
)
FILES = ("manifest.json", "keys.i64", "codes.faiss", "rows.f16", "effort.json")


def some(start: int, n: int, modality: str = "image") -> list[Item]:
    rows = unit_rows(n, DIM, start)
    return [Item(f"{modality}-{start + i}", modality, row, {"n": i}) for i, row in enumerate(rows)]


def opened(store: FolderStore) -> LocalCollection:
    collection = store.open("things")
    assert isinstance(collection, LocalCollection)
    return collection


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path, TUNING) as store:
        store.create("things", space_id="s", dim=DIM, model="m")
        yield store


@pytest.fixture
def collection(store: FolderStore) -> LocalCollection:
    return opened(store)


def folders(store: FolderStore) -> list[Path]:
    return sorted((store.path / "things" / "segments").glob("*"))


def kinds(collection: LocalCollection, modality: str = "image") -> list[str]:
    return [part.kind for part in collection.stats().segments[modality]]


def ask(collection: LocalCollection, seed: int = 77, **options: bool) -> Answer:
    query = unit_rows(1, DIM, seed)[0]
    return collection.search(SearchRequest(query, "image", ranking="cosine", **options))  # type: ignore[arg-type]


def require_whole(collection: LocalCollection, items: list[Item]) -> None:
    """Compares exact searches with the items, and approximate ones with a part of them."""
    assert sum(collection.count().values()) == len(items)
    for seed in range(70, 75):
        query = unit_rows(1, DIM, seed)[0]
        expected = expected_ids(items, query, 10)
        assert ids(ask(collection, seed, exact=True)) == expected
        found = set(ids(ask(collection, seed)))
        assert len(found) == 10
        assert len(found & set(expected)) >= 5
        assert found <= {item.id for item in items}


def test_large_partitions_become_segments_and_say_so(
    store: FolderStore, collection: LocalCollection
) -> None:
    items = some(0, 150)
    collection.upsert(items)
    collection.maintain()
    assert "ivf" not in kinds(collection)
    answer = ask(collection)
    assert (answer.exact, answer.index, collection.index) == (True, "flat", "flat")
    items += some(1_000, 150)
    collection.upsert(items[150:])
    collection.upsert(some(5_000, 20, "audio"))
    collection.maintain()
    assert kinds(collection) == ["ivf"]
    assert "ivf" not in kinds(collection, "audio")
    answer = ask(collection)
    assert (answer.exact, answer.index, collection.index) == (False, "ivf", "ivf")
    answer = ask(collection, exact=True)
    assert (answer.exact, answer.index) == (True, "flat")
    assert len(folders(store)) == 1
    require_whole(collection, [*items, *some(5_000, 20, "audio")])
    assert collection.size_bytes() > sum(
        file.stat().st_size for file in folders(store)[0].iterdir()
    )


def revisions() -> list[Revision]:
    return [each for each in gc.get_objects() if type(each) is Revision]


def test_vectors_that_are_in_a_segment_leave_memory(collection: LocalCollection) -> None:
    before = revisions()  # of this collection without items, and of whatever else is open
    collection.upsert(some(0, 300))
    collection.maintain()
    assert kinds(collection) == ["ivf"]
    gc.collect()
    since = [each for each in revisions() if not any(each is other for other in before)]
    assert since
    assert not any(each.is_exact() for each in since)


def test_a_restart_loads_segments_and_reads_what_they_lack(
    store: FolderStore, collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = some(0, 300)
    collection.upsert(items)
    collection.maintain()
    collection.delete([item.id for item in items[:20]])
    collection.upsert(some(0, 5))  # again
    later = some(2_000, 30)
    collection.upsert(later)
    store.close()
    read: list[int] = []
    real = Partition.add

    def add(self: Partition, keys: np.ndarray, rows: np.ndarray) -> Partition:
        read.append(len(keys))
        return real(self, keys, rows)

    monkeypatch.setattr(Partition, "add", add)
    with FolderStore(store.path, TUNING) as again:
        collection = opened(again)
        assert sum(read) == 35
        assert kinds(collection)[0] == "ivf"
        require_whole(collection, [*items[20:], *some(0, 5), *later])


def test_deletions_outlive_restarts_and_are_forgotten_when_compacted(
    store: FolderStore, collection: LocalCollection
) -> None:
    items = some(0, 300)
    collection.upsert(items)
    collection.maintain()
    before = folders(store)
    for round_ in range(3):
        collection.delete([item.id for item in items[30 * round_ : 30 * round_ + 30]])
        if round_ < 2:
            store.close()
            store = FolderStore(store.path, TUNING)
            collection = opened(store)
            require_whole(collection, items[30 * round_ + 30 :])
            assert collection.stats().segments["image"][0].dead == 30 * round_ + 30
    collection.maintain()  # more than a fifth is dead
    assert collection.stats().segments["image"][0].dead == 0
    assert set(folders(store)).isdisjoint(before)
    with collection._ledger.read() as connection:
        assert connection.execute("SELECT count(*) FROM dead").fetchone() == (0,)
    require_whole(collection, items[90:])
    store.close()


def test_a_segment_of_which_no_row_lives_is_forgotten_before_its_files_go(
    store: FolderStore, caplog: pytest.LogCaptureFixture
) -> None:
    collection, sounds = opened(store), some(0, 200, "audio")
    collection.upsert(some(0, 200))
    collection.maintain()
    collection.delete([f"image-{i}" for i in range(200)])
    collection.upsert(sounds)
    collection.maintain()
    assert [folder.name[:6] for folder in folders(store)] == ["audio-"]
    store.close()
    with FolderStore(store.path, TUNING) as again:
        require_whole(opened(again), sounds)
    assert not caplog.records, "nothing is missed"


def test_what_changes_during_a_build_stays_changed(
    store: FolderStore, collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = some(0, 300)
    collection.upsert(items)
    searched: list[Answer] = []

    def slow(task: Plan, order: Order) -> Segment:
        segment = building.build(task, order)
        collection.delete([item.id for item in items[:10]])
        collection.upsert([*some(290, 10), *some(4_000, 10)])
        searched.append(ask(collection))
        assert collection.stats().building == ("image",)
        return segment

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "build", slow)
        collection.maintain()
    assert searched[0].exact
    assert kinds(collection) == ["ivf", "head"]
    assert collection.stats().building == ()
    whole = [*items[10:290], *some(290, 10), *some(4_000, 10)]
    require_whole(collection, whole)
    store.close()
    with FolderStore(store.path, TUNING) as again:
        assert kinds(opened(again)) == ["ivf", "head"]
        require_whole(opened(again), whole)


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_byte_costs_a_segment_that_is_built_again(
    store: FolderStore,
    collection: LocalCollection,
    caplog: pytest.LogCaptureFixture,
    name: str,
) -> None:
    items = some(0, 300)
    collection.upsert(items)
    collection.maintain()
    collection.delete(["image-7"])
    items.pop(7)
    store.close()
    file = folders(store)[0] / name
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)
    with FolderStore(store.path, TUNING) as again, caplog.at_level(logging.WARNING):
        collection = opened(again)
        if name != "rows.f16":  # which is read beside serving
            require_whole(collection, items)
        collection.maintain()
        require_whole(collection, items)
        assert kinds(collection) == ["ivf"]
        assert file.parent not in folders(store) or name == "effort.json"
        assert len(caplog.records) == 1
        assert name in caplog.text


def test_segments_that_are_gone_are_built_again(
    store: FolderStore, collection: LocalCollection
) -> None:
    items = some(0, 300)
    collection.upsert(items)
    collection.maintain()
    items += some(3_000, 120)
    collection.upsert(items[300:])
    collection.maintain()
    assert len(folders(store)) == 2
    store.close()
    oldest = min(folders(store), key=lambda folder: folder.stat().st_mtime_ns)
    for file in oldest.iterdir():
        file.unlink()
    oldest.rmdir()
    (store.path / "things" / "segments" / "image-stray.partial").mkdir()
    with FolderStore(store.path, TUNING) as again:
        collection = opened(again)
        assert len(folders(store)) == 1, "what serves nobody is swept away"
        require_whole(collection, items)
        collection.maintain()
        require_whole(collection, items)
        assert kinds(collection) == ["ivf"]


def test_a_build_that_fails_leaves_all_as_it_was(
    store: FolderStore, collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = some(0, 300)
    collection.upsert(items)

    def fail(task: Plan, order: Order) -> Segment:
        building.build(task, order)
        raise StorageError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(upkeep, "build", fail)
        with pytest.raises(StorageError, match="full"):
            collection.maintain()
    assert collection.stats().building == ()
    assert ask(collection).exact
    require_whole(collection, items)
    collection.maintain()
    assert kinds(collection) == ["ivf"]
    assert len(folders(store)) == 1


def test_closing_ends_a_build_that_is_under_way(
    store: FolderStore, collection: LocalCollection, monkeypatch: pytest.MonkeyPatch
) -> None:
    collection.upsert(some(0, 300))
    started = threading.Event()

    def endless(task: Plan, order: Order) -> Segment:
        started.set()
        while not order.cancelled():
            threading.Event().wait(0.001)
        return building.build(task, order)

    monkeypatch.setattr(upkeep, "build", endless)
    maintaining = threading.Thread(target=collection.maintain)
    maintaining.start()
    assert started.wait(10)
    collection.close()
    maintaining.join(10)
    assert not maintaining.is_alive()
    assert folders(store) == []
    collection.maintain()  # of what is closed does nothing


def test_the_caretaker_builds_without_being_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = {name: threading.Event() for name in ("a", "b")}
    real = LocalCollection.maintain

    def maintain(self: LocalCollection) -> None:
        real(self)
        if self.index == "ivf":
            built[self.name].set()

    monkeypatch.setattr(LocalCollection, "maintain", maintain)
    tuning = Tuning(layout=TUNING.layout, pause=3_600)
    with FolderStore(tmp_path, tuning) as store:
        for name in built:
            store.create(name, space_id="s", dim=DIM, model="m").upsert(some(0, 300))
        assert all(event.wait(30) for event in built.values())
        store.delete("a")
    with FolderStore(tmp_path, tuning) as store:
        assert store.open("b").index == "ivf"


def test_queries_calibrate_and_are_judged(store: FolderStore, collection: LocalCollection) -> None:
    items = some(0, 400)
    collection.upsert(items)
    collection.maintain()
    told = collection.stats().recall
    assert [(it.query_modality, it.modality, it.measured) for it in told] == [
        ("image", "image", None)
    ]
    for query in unit_rows(40, DIM, 5):
        collection.search(SearchRequest(query, "text", ranking="cosine"))
    collection.maintain()
    text = collection.stats().recall[1]
    assert (text.query_modality, text.modality, text.target) == ("text", "image", 0.97)
    assert text.queries == 8
    shares = []
    for query in unit_rows(40, DIM, 5)[-8:]:
        request = SearchRequest(query, "text", ranking="cosine")
        found = ids(collection.search(request))
        shares.append(len(set(found) & set(expected_ids(items, query, 10))) / 10)
    assert text.measured == pytest.approx(np.mean(shares))
    segment = collection._revisions.now.partitions["image"].segments[0]
    assert set(segment.efforts) == {"image", "text"}
    store.close()
    with FolderStore(store.path, TUNING) as again:  # what was learned is kept
        assert len(opened(again)._queries.all()["text"]) == 40
        efforts = opened(again)._revisions.now.partitions["image"].segments[0].efforts
        assert efforts == segment.efforts


def test_damaged_items_are_found_by_and_by_and_reported(
    store: FolderStore, collection: LocalCollection, caplog: pytest.LogCaptureFixture
) -> None:
    items = some(0, 300)
    collection.upsert(items)
    collection.maintain()
    with collection._revisions.write() as connection:
        connection.execute("UPDATE item SET metadata = '{}' WHERE seq = 8")
        connection.execute("UPDATE vector SET data = zeroblob(32) WHERE seq = 260")
    assert collection.stats().damaged == ()
    tuning = replace(TUNING, checked_items=100)
    store.close()
    with FolderStore(store.path, tuning) as store, caplog.at_level(logging.WARNING):
        collection = opened(store)
        found = []
        for _ in range(4):
            collection.maintain()
            found.append(collection.stats().damaged)
        assert found == [("image-7",)] * 2 + [("image-259", "image-7")] * 2
        assert len(caplog.records) == 2
        require_whole(collection, [item for i, item in enumerate(items) if i not in (7, 259)])
        collection.upsert(items[7:8])
        assert collection.stats().damaged == ("image-259",)
        assert collection.delete(["image-259"]) == ("image-259",)
        assert collection.stats().damaged == ()


def test_a_damaged_item_stands_in_nobodys_way(collection: LocalCollection) -> None:
    items = some(0, 20)
    collection.upsert(items)
    query = unit_rows(1, DIM, 77)[0]
    best = expected_ids(items, query, 20)
    number = int(best[0].removeprefix("image-")) + 1
    with collection._revisions.write() as connection:
        connection.execute("UPDATE item SET crc = crc + 1 WHERE seq = ?", (number,))
    assert ids(ask(collection)) == best[1:11], "ten are found all the same"
    assert collection.stats().damaged == (best[0],)
    assert collection.count() == {"image": 19}


def test_searches_that_find_too_little_are_calibrated_again(collection: LocalCollection) -> None:
    collection.upsert(some(0, 400))
    for query in unit_rows(40, DIM, 5):
        collection.search(SearchRequest(query, "text", ranking="cosine"))
    collection.maintain()
    (segment,) = collection._revisions.now.partitions["image"].segments
    assert segment.effort("text").target == 0.97
    collection._watch._seen["text", "image"].extend([0.9] * 8)
    collection.maintain()
    (again,) = collection._revisions.now.partitions["image"].segments
    assert again.folder == segment.folder
    assert again.effort("text").target == pytest.approx(0.997)
    assert again.effort("image") == segment.effort("image")
    text = collection.stats().recall[1]
    assert (text.query_modality, text.queries) == ("text", 0), "what was seen is of the past"
