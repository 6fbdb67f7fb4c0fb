"""Snapshots: one moment, whole, while the collection is used; a damaged one changes nothing."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from indexes.collection import Collection, SearchRequest
from indexes.errors import (
    CollectionExists,
    CollectionNotFound,
    InvalidSnapshot,
    SpaceMismatch,
    StorageError,
)
from indexes.item import Content, Item
from indexes.local.folder import FolderStore
from indexes.store import Options
from indexes.truth import snapshot
from tests.indexes.collection_contract import DIM, PRIOR, some_items
from tests.indexes.samples import kept, unit_rows


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def collection(store: FolderStore) -> Collection:
    options = Options(PRIOR, indexed=("n", "odd"), recall_target=0.9, structure="graph")
    made = store.create("things", space_id="space", dim=DIM, model="model", options=options)
    made.upsert(some_items(300))
    made.upsert([Item("media", "image", unit_rows(1, DIM, 5)[0], content=Content("a/b", b"123"))])
    made.delete(["item-7"])
    return made


@pytest.fixture
def file(store: FolderStore, collection: Collection, tmp_path: Path) -> Path:
    path = tmp_path / "one.snapshot"
    store.snapshot("things", path)
    return path


class Told(NamedTuple):
    facts: tuple[object, ...]
    items: list[tuple[object, ...]]


def told(collection: Collection) -> Told:
    """Returns everything that a collection tells, its name left aside."""
    facts = (collection.space_id, collection.dim, collection.model, collection.created)
    items = collection.items(page_size=1_000).items
    return Told(
        (
            *facts,
            collection.indexed,
            collection.recall_target,
            collection.structure,
            collection.count(),
        ),
        [(i.id, i.modality, i.vector.tobytes(), i.metadata, i.created, i.mime) for i in items],
    )


def test_restores_everything_under_any_name(
    store: FolderStore, collection: Collection, file: Path
) -> None:
    before = told(collection)
    collection.upsert(some_items(10, seed=8))
    collection.delete(["media"])
    again = store.restore(file, "again", space_id="space")
    assert told(again) == before
    assert again.get_content("media") == Content("a/b", b"123")
    vector = kept(some_items(300)[42].vector)
    hit = again.search(SearchRequest(vector, "text", k=1, ranking="cosine")).hits[0]
    assert hit.id == "item-42"
    again.upsert(some_items(5, seed=9, prefix="new"))
    assert sum(again.count().values()) == 305
    assert told(store.open("things")) == told(collection)


def test_says_what_it_holds(file: Path) -> None:
    found = snapshot.describe(file)
    assert (found.name, found.space_id, found.dim, found.model) == ("things", "space", DIM, "model")
    assert found.counts == {"audio": 100, "image": 100, "text": 100}
    assert found.items == 300
    assert found.sequence == 302
    assert 0 < file.stat().st_size - found.payload_bytes < 1_000
    assert snapshot.check(file) == found


def test_what_is_not_there_or_taken_is_refused(
    store: FolderStore, collection: Collection, file: Path, tmp_path: Path
) -> None:
    with pytest.raises(StorageError, match="exists"):
        store.snapshot("things", file)
    with pytest.raises(CollectionNotFound, match="nothing"):
        store.snapshot("nothing", tmp_path / "two.snapshot")
    with pytest.raises(StorageError, match=r"two\.snapshot: the file cannot be opened"):
        store.snapshot("things", tmp_path / "nowhere" / "two.snapshot")
    with pytest.raises(StorageError, match="No such file"):
        store.restore(tmp_path / "two.snapshot", "again")
    with pytest.raises(CollectionExists, match="things"):
        store.restore(file, "things")
    with pytest.raises(SpaceMismatch, match=r"space space .*, got space other"):
        store.restore(file, "again", space_id="other")
    assert store.list() == ("things",)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.snapshot", "store"]


@pytest.mark.parametrize("data", [b"", b"short", b"x" * 5_000, b"\xff" * 5_000])
def test_a_file_of_others_is_refused(store: FolderStore, tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(data)
    with pytest.raises(InvalidSnapshot, match="not a snapshot"):
        store.restore(path, "again")


def test_any_flipped_byte_is_refused_and_changes_nothing(
    store: FolderStore, file: Path, tmp_path: Path
) -> None:
    data = file.read_bytes()
    before = sorted(path.name for path in store.path.iterdir())
    rng = np.random.default_rng(1)
    ends = range(len(data) - 600, len(data))  # all of what follows the payload, and some of it
    damaged = tmp_path / "damaged"
    for place in [0, 20, *rng.integers(0, len(data), 60).tolist(), *ends]:
        flipped = bytearray(data)
        flipped[place] ^= 1 << int(rng.integers(8))
        damaged.write_bytes(flipped)
        with pytest.raises(InvalidSnapshot):
            store.restore(damaged, "again")
    for other in (data[:-1], data[: len(data) // 2], data + b"x", data[1:]):
        damaged.write_bytes(other)
        with pytest.raises(InvalidSnapshot):
            store.restore(damaged, "again")
    assert sorted(path.name for path in store.path.iterdir()) == before


def test_a_newer_file_is_refused(
    store: FolderStore, collection: Collection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = file.read_bytes()
    file.write_bytes(data[:-4] + (2).to_bytes(4))
    with pytest.raises(InvalidSnapshot, match=r"newer Kindred.*up to 1.*has 2"):
        store.restore(file, "again")
    file.write_bytes(data)
    monkeypatch.setattr("indexes.truth.schema.VERSION", 1)
    with pytest.raises(InvalidSnapshot, match=r"newer Kindred.*up to 1.*has 2"):
        store.restore(file, "again")


def test_a_disk_without_the_space_is_noticed_first(
    store: FolderStore, collection: Collection, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 10_000})
    monkeypatch.setattr("indexes.truth.snapshot.shutil.disk_usage", lambda _: usage)
    with pytest.raises(StorageError, match="has 10000 left"):
        store.restore(file, "again")
    assert not list(store.path.glob(".trash*"))


def test_is_one_moment_while_others_write(
    store: FolderStore, collection: Collection, tmp_path: Path
) -> None:
    """Rounds are written in order, so that whoever has one whole has all before it."""
    done = threading.Event()
    rounds = [some_items(20, seed=n, prefix=f"round{n}") for n in range(40)]

    def write() -> None:
        for some in rounds:
            collection.upsert(some)
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    taken = 0
    while not done.is_set() or not taken:
        store.snapshot("things", tmp_path / f"{taken}.snapshot", lambda *_: done.wait(0.002))
        taken += 1
    writer.join()
    for n in range(taken):
        restored = store.restore(tmp_path / f"{n}.snapshot", f"again-{n}")
        ids = {item.id for item in restored.items(page_size=2_000).items}
        whole = [all(item.id in ids for item in some) for some in rounds]
        assert whole == sorted(whole, reverse=True)
        assert len(ids) == 300 + 20 * sum(whole)


@pytest.mark.parametrize("part", [0.1, 0.9])
def test_whoever_breaks_off_leaves_nothing(
    store: FolderStore, collection: Collection, file: Path, tmp_path: Path, part: float
) -> None:
    seen: list[float] = []

    def impatient(done: int, total: int) -> None:
        seen.append(done / total)
        if seen[-1] >= part:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store.snapshot("things", tmp_path / "two.snapshot", impatient)
    with pytest.raises(KeyboardInterrupt):
        store.restore(file, "again", progress=impatient)
    assert store.list() == ("things",)
    assert not list(store.path.glob(".trash*"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.snapshot", "store"]


def test_tells_how_far_it_is(store: FolderStore, collection: Collection, tmp_path: Path) -> None:
    for act in (
        lambda tell: store.snapshot("things", tmp_path / "two", tell),
        lambda tell: store.restore(tmp_path / "two", "again", progress=tell),
    ):
        seen: list[tuple[int, int]] = []
        act(lambda done, total, seen=seen: seen.append((done, total)))
        shares = [done / total for done, total in seen]
        assert shares == sorted(shares)
        assert shares[-1] == 1


def test_a_disk_that_fills_up_leaves_nothing(
    store: FolderStore, collection: Collection, tmp_path: Path
) -> None:
    """A limit of the size of files is refused by the system as a full disk is."""
    import resource
    import signal

    path = tmp_path / "two.snapshot"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
        with pytest.raises(StorageError, match=r"two\.snapshot"):
            store.snapshot("things", path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert os.listdir(tmp_path) == ["store"]
    store.snapshot("things", path)
    assert sum(store.restore(path, "again").count().values()) == 300


def test_writers_do_not_wait_for_a_snapshot(
    store: FolderStore, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the log grows: to write it back would take until the snapshot ends."""
    monkeypatch.setattr("indexes.truth.ledger._WAL_LIMIT", 10_000)
    written: list[int] = []

    def write(done: int, total: int) -> None:
        if len(written) < 5:
            collection.upsert(some_items(50, seed=len(written), prefix=f"w{len(written)}"))
            written.append(done)

    store.snapshot("things", tmp_path / "two", write)
    assert len(written) >= 1
    assert snapshot.check(tmp_path / "two").items == 300
    assert sum(collection.count().values()) == 300 + 50 * len(written)
