"""Older files are brought on: everything in them, or, when interrupted, nothing."""

import json
import signal
import sqlite3
import subprocess
import sys
import zlib
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexes.errors import ItemNotFound, StorageError
from indexes.item import Content, Item, encode_metadata
from indexes.local.folder import FolderStore
from indexes.truth import schema
from indexes.truth.layouts import LAYOUTS
from indexes.truth.rescue import rescue
from tests.indexes.collection_contract import DIM, some_items
from tests.indexes.samples import kept

FIRST = """
PRAGMA page_size = 8192;
PRAGMA application_id = 1263095364;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
CREATE TABLE state (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE item (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    modality TEXT NOT NULL,
    created INTEGER NOT NULL,
    mime TEXT,
    metadata TEXT NOT NULL,
    crc INTEGER NOT NULL
);
CREATE TABLE vector (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE content (seq INTEGER PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL);
INSERT INTO state VALUES ('sequence', 40), ('space_id', 'space'), ('dim', 16), ('model', 'model'),
    ('created', '2026-01-02T03:04:05+00:00'), ('moments', '[]'),
    ('backgrounds', '[["text", "image", 0.33, 0.07]]');
"""
"""A collection as the first version made it."""

ITEMS = [
    Item(item.id, item.modality, item.vector, item.metadata, content=Content("a/b", b"%d" % n))
    if n % 7 == 0
    else item
    for n, item in enumerate(some_items(30))
]


def first_version(path: Path) -> None:
    """Writes ITEMS as the first version did, under the numbers 1, 2, ..."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(FIRST)
        for seq, item in enumerate(ITEMS, start=1):
            mime = item.content.mime if item.content else None
            columns = (
                item.id,
                item.modality,
                seq * 1_000_000,
                mime,
                encode_metadata(item.metadata),
            )
            data = item.vector.astype("<f4").tobytes()
            crc = zlib.crc32(data, zlib.crc32(json.dumps(columns).encode()))
            connection.execute("INSERT INTO item VALUES (?,?,?,?,?,?,?)", (seq, *columns, crc))
            connection.execute("INSERT INTO vector VALUES (?,?)", (seq, data))
            if item.content:
                kept_data = item.content.data
                row = (seq, kept_data, zlib.crc32(kept_data))
                connection.execute("INSERT INTO content VALUES (?,?,?)", row)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "old" / "collection.sqlite3"
    first_version(path)
    return path


def version(path: Path) -> tuple[int, list[str]]:
    """Returns the version that a file says it has, and its tables."""
    with closing(sqlite3.connect(path)) as connection:
        (number,) = connection.execute("PRAGMA user_version").fetchone()
        names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY 1")
        return number, [name for (name,) in names]


OLD = (1, ["content", "item", "state", "vector"])
NEW = (schema.VERSION, ["content", "dead", "item", "query", "state", "tag", "vector"])


def require_whole(store: FolderStore) -> None:
    collection = store.open("old", space_id="space")
    assert (collection.dim, collection.model) == (DIM, "model")
    assert collection.created.isoformat() == "2026-01-02T03:04:05+00:00"
    assert (collection.indexed, collection.recall_target) == ((), 0.97)
    listed = collection.items(page_size=100).items
    assert [item.id for item in listed] == [item.id for item in ITEMS]
    for seq, (found, item) in enumerate(zip(listed, ITEMS, strict=True), start=1):
        np.testing.assert_array_equal(found.vector, kept(item.vector))
        assert (found.modality, found.metadata) == (item.modality, item.metadata)
        assert found.created is not None
        assert found.created.timestamp() == seq
        if item.content:
            assert collection.get_content(item.id) == item.content


def test_a_file_of_the_first_version_is_brought_on(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.truth.schema._AT_ONCE", 7)
    assert version(database) == OLD
    with FolderStore(database.parent.parent) as store:
        require_whole(store)
        collection = store.open("old")
        with pytest.raises(ItemNotFound):
            collection.get_content("item-1")
        collection.upsert(some_items(5, seed=2, prefix="more"))
        assert collection.delete(["item-0"]) == ("item-0",)
    assert version(database) == NEW
    with FolderStore(database.parent.parent) as store:
        assert sum(store.open("old").count().values()) == 34


def test_what_was_damaged_before_stays_so(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE item SET metadata = '{}' WHERE seq = 2")
        connection.execute("UPDATE vector SET data = zeroblob(64) WHERE seq = 3")
        connection.execute("UPDATE vector SET data = zeroblob(3) WHERE seq = 4")
        connection.execute("DELETE FROM vector WHERE seq = 5")
    with FolderStore(database.parent.parent) as store:
        collection = store.open("old")
        assert len(collection.items(page_size=100).items) == 26
        for n in (1, 2, 3, 4):
            with pytest.raises(StorageError, match="damaged"):
                collection.get(f"item-{n}")


def test_a_migration_that_fails_leaves_the_old_file(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = schema._halve_rows
    left = [1]

    def fail(*args: object) -> None:
        if not left:
            raise sqlite3.OperationalError("no luck")
        left.pop()
        step(*args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, FolderStore(database.parent.parent) as store:
        patch.setattr("indexes.truth.schema._AT_ONCE", 7)
        patch.setattr("indexes.truth.schema._halve_rows", fail)
        with pytest.raises(StorageError, match="no luck"):
            store.open("old")
    assert version(database) == OLD
    with FolderStore(database.parent.parent) as store:
        require_whole(store)


def test_a_migration_that_is_killed_leaves_the_old_file(database: Path) -> None:
    program = """
import os, signal, sys
from pathlib import Path
from indexes.truth import schema
from indexes.truth.layouts import LAYOUTS
from indexes.truth.rescue import rescue
from indexes.local.folder import FolderStore
schema._halve_rows = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
FolderStore(Path(sys.argv[1])).open("old")
"""
    folder = database.parent.parent
    done = subprocess.run([sys.executable, "-c", program, str(folder)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert version(database) == OLD
    with FolderStore(folder) as store:
        require_whole(store)


def test_a_file_of_the_first_version_is_rescued_as_it_is(database: Path, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    rescued = rescue(database.parent, tmp_path / "store" / "old")
    assert (rescued.items, rescued.lost, rescued.gaps, rescued.facts) == (len(ITEMS), [], [], [])
    assert version(database) == OLD, "it is only read"
    with FolderStore(tmp_path / "store") as store:
        require_whole(store)
        store.open("old").upsert(some_items(5, seed=2, prefix="more"))
        assert sum(store.open("old").count().values()) == 35


def test_what_is_damaged_in_the_first_version_is_told(database: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE item SET metadata = '{}' WHERE seq = 2")
        connection.execute("UPDATE vector SET data = zeroblob(64) WHERE seq = 3")
        connection.execute("UPDATE vector SET data = zeroblob(3) WHERE seq = 4")
        connection.execute("DELETE FROM vector WHERE seq = 5")
        connection.execute("UPDATE content SET data = x'00' WHERE seq = 8")
        connection.execute("DELETE FROM state WHERE name = 'model'")
    rescued = rescue(database.parent, tmp_path / "saved")
    assert rescued.lost == [f"item-{n}" for n in (1, 2, 3, 4)]
    assert rescued.without_content == ["item-7"]
    assert (rescued.items, rescued.facts) == (26, ["model"])


def test_every_version_can_be_rescued() -> None:
    assert len(LAYOUTS) == schema.VERSION
