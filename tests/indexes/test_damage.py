"""A damaged database: it is noticed, costs as little as can be, and the rest can be rescued."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from indexes.collection import Collection, SearchRequest
from indexes.errors import ItemNotFound, StorageError
from indexes.filters.language import parse_filter
from indexes.item import Content, Item
from indexes.local.folder import FolderStore
from indexes.store import Options
from indexes.truth.inspection import Damage, inspect
from indexes.truth.ledger import Facts, Ledger
from indexes.truth.rescue import Rescued, rescue
from indexes.windows import Windows
from tests.indexes.collection_contract import DIM, MODALITIES
from tests.indexes.samples import unit_rows

PAGE = 16_384
COUNT = 600
MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
ITEMS = {
    f"item-{i}": Item(
        f"item-{i}",
        MODALITIES[i % 3],
        vector,
        {"n": i, "title": f"Nº {i}"},
        MOMENT,
        Content("a/b", b"%d" % i * 50) if i % 5 == 0 else None,
    )
    for i, vector in enumerate(unit_rows(COUNT, DIM, 1).astype(np.float16).astype(np.float32))
}

WITH_CONTENT = [name for name, item in ITEMS.items() if item.content]

FACTS = Facts("space", DIM, "model", MOMENT, {}, ("n",))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Returns the database of a collection of ITEMS, as its bytes."""
    path = tmp_path_factory.mktemp("whole")
    with FolderStore(path) as store:
        options = Options(indexed=("n",))
        made = store.create("things", space_id="space", dim=DIM, model="model", options=options)
        made.upsert(list(ITEMS.values()))
    return (path / "things" / "collection.sqlite3").read_bytes()


@pytest.fixture
def database(tmp_path: Path, whole: bytes) -> Path:
    path = tmp_path / "things" / "collection.sqlite3"
    path.parent.mkdir()
    path.write_bytes(whole)
    return path


def is_whole(item: Item) -> bool:
    """Tells whether an item is what was stored, its media left aside."""
    expected = ITEMS[item.id]
    return (
        (item.modality, item.metadata, item.created)
        == (expected.modality, expected.metadata, MOMENT)
    ) and np.array_equal(item.vector, expected.vector)


def has_content(collection: Collection, item_id: str) -> bool:
    """Tells whether the media of an item can be had; if so, they are right."""
    try:
        assert collection.get_content(item_id) == ITEMS[item_id].content
    except (StorageError, ItemNotFound):
        return False
    return True


def damage(database: Path) -> list[Damage]:
    """Returns what an inspection finds; a ledger that does not open is damaged too."""
    try:
        with closing(Ledger(database)) as ledger, ledger.read() as connection:
            return list(inspect(connection))
    except StorageError as error:
        return [Damage(str(error))]


def answers(store: FolderStore) -> Iterator[bool]:
    """Asks all that can be asked; yields whether ITEMS were found. No answer may be wrong."""
    try:
        collection = store.open("things")
        listed = collection.items(page_size=COUNT).items
        assert all(is_whole(item) for item in listed)
        yield len(listed) == COUNT
        yield all(has_content(collection, name) for name in WITH_CONTENT)
        vector = ITEMS["item-3"].vector
        for condition in ({"n": {"$gte": 0}}, {"title": {"$gte": ""}}, {"modality": {"$ne": "x"}}):
            wanted = parse_filter(condition)
            hits = collection.search(SearchRequest(vector, "text", k=COUNT, filter=wanted)).hits
            assert all(hit.metadata == ITEMS[hit.id].metadata for hit in hits)
            yield len(hits) == COUNT
    except StorageError:
        yield False


def rescued_to(target: Path, database: Path) -> Rescued:
    """Rescues a collection, giving what cannot be guessed of it if that is lost."""
    try:
        return rescue(database.parent, target)
    except StorageError as error:
        if not any(name in str(error) for name in ("'space_id'", "'dim'")):
            raise
        return rescue(database.parent, target, FACTS)


@pytest.mark.parametrize("seed", range(8))
def test_a_flipped_bit_is_noticed_and_costs_little(
    database: Path, whole: bytes, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(whole)
    place = int(rng.integers(100, len(data)))
    data[place] ^= 1 << int(rng.integers(8))
    database.write_bytes(data)
    with FolderStore(tmp_path) as store:
        found = list(answers(store))
    database.write_bytes(data)  # a collection that is opened may have been written to
    noticed = damage(database)
    assert all(found) or noticed, f"byte {place} is wrong and nobody says so"
    rescued = rescued_to(tmp_path / "again", database)
    assert len(rescued.lost) <= COUNT // 5
    with FolderStore(tmp_path) as store:
        again = store.open("again")
        listed = again.items(page_size=COUNT).items
        assert all(is_whole(item) for item in listed)
        assert len(listed) == rescued.items
        kept = {item.id for item in listed}
        assert kept == set(ITEMS) - set(rescued.lost)
        bare = {name for name in WITH_CONTENT if name in kept and not has_content(again, name)}
        assert bare == set(rescued.without_content)
    assert not damage(tmp_path / "again" / "collection.sqlite3")


def test_a_whole_collection_is_found_whole(database: Path) -> None:
    assert damage(database) == []


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("UPDATE item SET metadata = '{}' WHERE seq = 2", {("it is damaged", "item-1")}),
        (
            "UPDATE vector SET data = zeroblob(32) WHERE seq = 2",
            {("it is damaged", "item-1")},
        ),
        ("DELETE FROM vector WHERE seq = 2", {("it is damaged", "item-1")}),
        ("DELETE FROM item WHERE seq = 2", {("the vector 2 belongs to no item", None)}),
        ("UPDATE content SET data = 'x' WHERE seq = 1", {("its content is damaged", "item-0")}),
        ("DELETE FROM content WHERE seq = 1", {("its content is missing", "item-0")}),
        ("UPDATE state SET value = 7 WHERE name = 'dim'", {("the fact 'dim' is damaged", None)}),
        ("DELETE FROM tag WHERE seq = 2", {("the tags of declared fields", None)}),
        ("UPDATE tag SET value = 77 WHERE seq = 2", {("the tags of declared fields", None)}),
    ],
)
def test_an_inspection_names_what_is_damaged(
    database: Path, sql: str, expected: set[tuple[str, str | None]]
) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(sql)
    found = damage(database)
    for what, item_id in expected:
        assert any(each.what.startswith(what) and each.item_id == item_id for each in found)


@pytest.mark.parametrize("seed", range(5))
def test_what_lies_on_good_pages_is_rescued(database: Path, tmp_path: Path, seed: int) -> None:
    data = bytearray(database.read_bytes())
    rng = np.random.default_rng(seed)
    for page in rng.choice(np.arange(1, len(data) // PAGE), 2, replace=False):
        data[page * PAGE : (page + 1) * PAGE] = rng.bytes(PAGE)
    database.write_bytes(data)
    rescued = rescue(database.parent, tmp_path / "again", FACTS)
    with FolderStore(tmp_path) as store:
        collection = store.open("again")
        listed = collection.items(page_size=COUNT).items
        assert all(is_whole(item) for item in listed)
        in_gaps = sum(end - first + 1 for first, end in rescued.gaps)
        assert len(listed) + len(rescued.lost) + in_gaps >= COUNT
        collection.upsert([Item("new", "image", unit_rows(1, DIM, 9)[0])])
    assert not damage(tmp_path / "again" / "collection.sqlite3")


def test_lost_facts_can_be_given(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE state SET value = 'x' WHERE name = 'space_id'")
    with FolderStore(tmp_path) as store, pytest.raises(StorageError, match="'space_id'"):
        store.open("things")
    with pytest.raises(StorageError, match="'space_id'"):
        rescue(database.parent, tmp_path / "again")
    rescued = rescue(database.parent, tmp_path / "again", FACTS)
    assert (rescued.items, rescued.lost, rescued.gaps) == (COUNT, [], [])
    with FolderStore(tmp_path) as store:
        assert store.open("again", space_id="space").indexed == ("n",)


def test_facts_that_can_be_guessed_are_and_it_is_said(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE state SET crc = 0 WHERE name IN ('indexed', 'recall_target', 'structure')"
        )
    rescued = rescue(database.parent, tmp_path / "again")
    assert (rescued.items, rescued.facts) == (COUNT, ["indexed", "recall_target", "structure"])
    with FolderStore(tmp_path) as store:
        collection = store.open("again")
        assert (collection.indexed, collection.recall_target) == ((), 0.97)
        assert list(collection.damage()) == []


def test_all_is_rescued_of_a_file_without_its_first_page(database: Path, tmp_path: Path) -> None:
    data = database.read_bytes()
    database.write_bytes(bytes(PAGE) + data[PAGE:])
    with FolderStore(tmp_path) as store, pytest.raises(StorageError, match="not a database"):
        store.open("things")
    rescued = rescue(database.parent, tmp_path / "again")
    assert (rescued.items, rescued.lost, rescued.without_content) == (COUNT, [], [])
    assert not damage(tmp_path / "again" / "collection.sqlite3")
    assert [path.name for path in (tmp_path / "again").iterdir()] == ["collection.sqlite3"]


def test_the_error_of_a_bad_page_names_the_way_out(database: Path, tmp_path: Path) -> None:
    data = bytearray(database.read_bytes())
    for page in range(8, len(data) // PAGE):
        data[page * PAGE : page * PAGE + 100] = bytes(100)
    database.write_bytes(data)
    with FolderStore(tmp_path) as store, pytest.raises(StorageError, match="kindred rescue"):
        store.open("things").items(page_size=COUNT)


def test_a_rescue_takes_nobody_s_place_and_needs_a_collection(
    database: Path, tmp_path: Path
) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(StorageError, match="exists"):
        rescue(database.parent, tmp_path / "there")
    with pytest.raises(StorageError, match="cannot be opened"):
        rescue(tmp_path / "there", tmp_path / "again")
    database.write_bytes(b"no database" * 5_000)
    with pytest.raises(StorageError, match="not a database"):
        rescue(database.parent, tmp_path / "again")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["there", "things"]


def test_windows_are_rescued_and_damaged_ones_told(database: Path, tmp_path: Path) -> None:
    vectors = unit_rows(3, DIM, 5)
    windows = Windows.of(np.array([[0.0, 5.0], [2.5, 7.5], [5.0, 9.0]]), vectors)
    with FolderStore(tmp_path) as store:
        store.open("things").upsert(
            [Item(f"long-{n}", "audio", vectors[n], windows=windows) for n in range(3)]
        )
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute(
            "UPDATE windows SET data = substr(data, 2) "
            "WHERE seq = (SELECT seq FROM item WHERE id = 'long-1')"
        )
    rescued = rescue(database.parent, tmp_path / "again")
    assert (rescued.items, rescued.lost) == (COUNT + 3, [])
    assert (rescued.without_windows, rescued.without_content) == (["long-1"], [])
    with FolderStore(tmp_path) as store:
        found = store.open("again").windows(["long-0", "long-1", "long-2", "item-0"])
        assert {one: each.packed() for one, each in found.items()} == {
            "long-0": windows.packed(),
            "long-2": windows.packed(),
        }
