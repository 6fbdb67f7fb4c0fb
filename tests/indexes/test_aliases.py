"""Aliases in folders and on Milvus Lite; that they outlive a kill, and what damage means."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexes.errors import (
    CollectionExists,
    CollectionNotFound,
    InvalidName,
    StorageError,
    Unsupported,
)
from indexes.item import Item
from indexes.local.aliases import FILE, AliasFile
from indexes.local.folder import FolderStore
from indexes.milvus.store import MilvusStore
from indexes.store import Store
from tests.indexes.alias_contract import AliasContract
from tests.indexes.collection_contract import DIM


class TestFolder(AliasContract):
    def opened(self) -> Store:
        return FolderStore(Path(self.address))


class TestMilvusLite(AliasContract):
    def opened(self) -> Store:
        return MilvusStore(f"milvus:{self.address}.db")


def created(folder: Path, *names: str) -> FolderStore:
    """Returns a store with collections of one item each, whose id is their name."""
    store = FolderStore(folder)
    for name in names:
        made = store.create(name, space_id="space", dim=DIM, model="model")
        made.upsert([Item(name, "text", np.eye(DIM, dtype=np.float32)[0])])
    return store


def kept(store: Store, name: str) -> list[str]:
    """Returns the ids of what is found by a name."""
    return [item.id for item in store.open(store.resolve(name)).items().items]


def test_a_renamed_collection_is_found_by_either_name_and_by_its_aliases(tmp_path: Path) -> None:
    with created(tmp_path, "photos", "other") as store:
        store.point("now", "photos")
        old = store.open("photos")
        store.rename("photos", "photos-1")
        with pytest.raises(CollectionNotFound):
            old.get("photos")
        assert store.list() == ("other", "photos-1")
        assert store.aliases() == {"now": "photos-1", "photos": "photos-1"}
        assert store.open("photos-1").name == "photos-1"
        with pytest.raises(CollectionExists, match="'photos' is taken"):
            store.rename("other", "photos")
        with pytest.raises(CollectionExists, match="'other'"):
            store.rename("photos-1", "other")
        with pytest.raises(CollectionNotFound, match="'photos'"):
            store.rename("photos", "photos-2")
        with pytest.raises(InvalidName):
            store.rename("other", "../other")
        store.point("photos", "other", expected="photos-1")  # which is what it is for
    with FolderStore(tmp_path) as store:
        assert [kept(store, name) for name in ("photos-1", "now", "photos")] == [
            ["photos"],
            ["photos"],
            ["other"],
        ]


def test_a_renaming_that_a_kill_broke_off_is_finished(tmp_path: Path) -> None:
    created(tmp_path, "photos").close()
    AliasFile(tmp_path).put("photos-1", "photos")  # and no further
    with FolderStore(tmp_path) as store:
        assert store.list() == ("photos-1",)
        assert kept(store, "photos") == kept(store, "photos-1") == ["photos"]


def test_milvus_says_that_it_cannot_rename(tmp_path: Path) -> None:
    with (
        MilvusStore(f"milvus:{tmp_path}/it.db") as store,
        pytest.raises(Unsupported, match="keeps its name, 'photos' can't become 'photos-1'"),
    ):
        store.rename("photos", "photos-1")


NAMES = ("a", "b", "c", "d", "e")

SWAPPER = """
import sys
from pathlib import Path
from indexes.local.folder import FolderStore
store = FolderStore(Path(sys.argv[1]))
while True:
    for name in sys.argv[2:]:
        store.point("now", name)
        print(name, flush=True)
"""


def test_what_was_acknowledged_outlives_a_kill(tmp_path: Path) -> None:
    with FolderStore(tmp_path) as store:
        for name in NAMES:
            store.create(name, space_id="space", dim=DIM, model="model")
    journal = tmp_path / f"{FILE}-journal"
    for swaps in (1, 2, 3, 5, 17):
        command = [sys.executable, "-c", SWAPPER, str(tmp_path), *NAMES]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            told = [process.stdout.readline().strip() for _ in range(swaps)]
            while process.poll() is None and not journal.exists():
                pass  # in the middle of a transaction, as far as that can be seen from outside
            process.kill()
            told += process.stdout.read().split()
        under_way = NAMES[len(told) % len(NAMES)]
        with FolderStore(tmp_path) as store:
            assert store.aliases()["now"] in (told[-1], under_way)


def _with_an_alias(folder: Path) -> Path:
    with FolderStore(folder) as store:
        store.create("one", space_id="space", dim=DIM, model="model")
        store.point("now", "one")
    return folder / FILE


def _run(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as file:
        file.execute(sql)
        file.commit()


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("UPDATE alias SET collection = 'two'", "damaged: alias 'now'"),
        ("PRAGMA user_version = 2", "newer Kindred.* up to 1, the file has 2"),
        ("PRAGMA application_id = 7", "not a file of aliases"),
    ],
)
def test_a_file_that_cannot_be_believed_is_a_clear_error(
    tmp_path: Path, sql: str, rule: str
) -> None:
    path = _with_an_alias(tmp_path)
    _run(path, sql)
    for _ in range(2):  # the second time, nobody holds the folder
        with pytest.raises(StorageError, match=rule):
            FolderStore(tmp_path)


def test_a_folder_without_aliases_has_no_file_of_them(tmp_path: Path) -> None:
    with FolderStore(tmp_path) as store:
        assert store.aliases() == {}
    assert not (tmp_path / FILE).exists()
