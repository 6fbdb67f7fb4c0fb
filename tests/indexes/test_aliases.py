"""Aliases in folders and on Milvus Lite; that they outlive a kill, and what damage means."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from indexes.errors import StorageError
from indexes.local.aliases import FILE
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
