import os
import subprocess
import sys
from pathlib import Path

import pytest

from indexes.errors import (
    CollectionExists,
    CollectionNotFound,
    InvalidName,
    InvalidVector,
    SpaceMismatch,
    StorageError,
)
from indexes.local.folder import FolderStore
from tests.indexes.collection_contract import DIM, some_items


def make(store: FolderStore, name: str) -> None:
    store.create(name, space_id="space", dim=DIM, model="model")


def test_creates_lists_opens_and_deletes(tmp_path: Path) -> None:
    with FolderStore(tmp_path / "a" / "store") as store:
        assert store.list() == ()
        make(store, "photos")
        make(store, "0-sounds_2")
        assert store.list() == ("0-sounds_2", "photos")
        photos = store.open("photos")
        assert store.open("photos") is photos
        assert (photos.name, photos.space_id, photos.dim, photos.model) == (
            "photos", "space", DIM, "model",
        )  # fmt: skip
        with pytest.raises(CollectionExists, match="'photos'"):
            make(store, "photos")
        store.delete("photos")
        assert store.list() == ("0-sounds_2",)
        with pytest.raises(CollectionNotFound, match="closed"):
            photos.upsert(some_items(1))
        for act in (store.open, store.delete):
            with pytest.raises(CollectionNotFound, match="'photos'"):
                act("photos")
        make(store, "photos")
        assert store.open("photos").count() == {}


def test_keeps_everything_between_openings(tmp_path: Path) -> None:
    with FolderStore(tmp_path) as store:
        make(store, "things")
        store.open("things").upsert(some_items(9))
    with FolderStore(tmp_path) as store:
        assert store.list() == ("things",)
        assert store.open("things").count() == {"audio": 3, "image": 3, "text": 3}


def test_refuses_another_space(tmp_path: Path) -> None:
    with FolderStore(tmp_path) as store:
        make(store, "things")
        assert store.open("things", space_id="space").name == "things"
        with pytest.raises(SpaceMismatch, match=r"space space .*, got space other"):
            store.open("things", space_id="other")


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "a/b", "../a", "A", "-a", "_a", "a b", "a.b", "é", "a\n", "x" * 64, ".trash-1"],
)
def test_refuses_names_that_are_no_plain_folder(tmp_path: Path, name: str) -> None:
    with FolderStore(tmp_path / "store") as store:
        for act in (
            lambda: make(store, name),
            lambda: store.open(name),
            lambda: store.delete(name),
        ):
            with pytest.raises(InvalidName, match="63"):
                act()
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_refuses_a_dimension_of_zero(tmp_path: Path) -> None:
    with FolderStore(tmp_path) as store, pytest.raises(InvalidVector, match="dim 0"):
        store.create("things", space_id="space", dim=0, model="model")


def test_one_store_at_a_time_holds_a_folder(tmp_path: Path) -> None:
    with FolderStore(tmp_path), pytest.raises(StorageError, match=f"process {os.getpid()}"):
        FolderStore(tmp_path)
    FolderStore(tmp_path).close()


def test_another_process_is_refused_and_let_in_afterwards(tmp_path: Path) -> None:
    program = (
        "from pathlib import Path; from indexes.local.folder import FolderStore; "
        f"FolderStore(Path({str(tmp_path)!r}))"
    )

    def attempt() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )

    with FolderStore(tmp_path):
        refused = attempt()
        assert refused.returncode == 1
        assert f"the folder {tmp_path} is in use" in refused.stderr
        assert f"process {os.getpid()}" in refused.stderr
    assert attempt().returncode == 0


def test_sweeps_out_what_a_crash_left_half_made(tmp_path: Path) -> None:
    left = tmp_path / ".trash-0123"
    left.mkdir()
    (left / "collection.sqlite3").write_bytes(b"half")
    (tmp_path / "stranger").mkdir()
    with FolderStore(tmp_path) as store:
        assert store.list() == ()
        assert not left.exists()
        assert (tmp_path / "stranger").exists(), "what is not ours is left alone"


def test_a_place_that_cannot_be_used_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be used"):
        FolderStore(tmp_path / "file")
    with pytest.raises(StorageError, match="cannot be used"):
        FolderStore(tmp_path / "file" / "below")


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where it is forbidden")
def test_a_read_only_folder_is_a_clear_error(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="cannot be used"):
        FolderStore(tmp_path)


def test_a_closed_store_opens_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    make(store, "things")
    store.close()
    with pytest.raises(CollectionNotFound, match="closed"):
        store.open("things")
