"""Collections on Milvus Lite: the contract, and what is tried without a server."""

import re
import signal
import socket
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from indexes.collection import SearchRequest
from indexes.errors import CollectionNotFound, InvalidVector, StorageError
from indexes.local.folder import FolderStore
from indexes.milvus import names
from indexes.milvus.address import Address, parse_address
from indexes.milvus.cluster import INSTALL
from indexes.milvus.store import MilvusStore
from indexes.opening import open_store
from tests.indexes.collection_contract import DIM, ids, some_items
from tests.indexes.milvus_contract import MilvusContract


class TestMilvusLite(MilvusContract):
    @pytest.fixture(autouse=True)
    def _file(self, tmp_path: Path) -> None:
        self._path = tmp_path / "store.db"

    @property
    def address(self) -> str:
        return f"milvus:{self._path}"


class LiteServer:
    """Milvus Lite as a server of its own, which can be killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self._port = one.getsockname()[1]
        self.address = f"milvus://127.0.0.1:{self._port}?timeout=2"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "milvus_lite", "server", "--host", "127.0.0.1"),
                *("--data-dir", str(self._folder), "--port", str(self._port)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with socket.socket() as one:
                if one.connect_ex(("127.0.0.1", self._port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError("Milvus Lite did not start within 60 s")

    def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiteServer]:
    server = LiteServer(tmp_path / "data")
    server.start()
    yield server
    server.kill()


def test_an_outage_is_a_clear_error_and_what_was_stored_is_there_after_it(
    server: LiteServer,
) -> None:
    items = some_items(30)
    where = re.escape(server.address.removeprefix("milvus://").partition("?")[0])
    with MilvusStore(server.address) as store:
        collection = store.create("things", space_id="space", dim=DIM, model="model")
        collection.upsert(items)
        request = SearchRequest(items[0].vector, "text", k=5, ranking="cosine")
        before = ids(collection.search(request))
        server.kill()
        for act in (
            lambda: collection.search(request),
            lambda: collection.upsert(items),
            lambda: collection.get("item-1"),
            store.list,
        ):
            with pytest.raises(StorageError, match=f"cannot .* on Milvus at {where}"):
                act()
        server.start()
        assert ids(collection.search(request)) == before
        assert collection.count() == {"audio": 10, "image": 10, "text": 10}
        collection.upsert(some_items(3, prefix="new"))
        assert sum(collection.count().values()) == 33


def test_nobody_at_the_address_is_a_clear_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and not listening
        port = taken.getsockname()[1]
        with pytest.raises(StorageError, match=f"cannot open the store on Milvus at .*:{port}"):
            MilvusStore(f"milvus://user:secret@127.0.0.1:{port}?timeout=0.5")


def test_one_process_at_a_time_holds_a_file(tmp_path: Path) -> None:
    address = f"milvus:{tmp_path}/a.db"
    with MilvusStore(address), pytest.raises(StorageError, match=r"a\.db cannot be used"):
        MilvusStore(address)
    MilvusStore(address).close()


def test_a_closed_store_opens_nothing(tmp_path: Path) -> None:
    store = MilvusStore(f"milvus:{tmp_path}/a.db")
    store.close()
    store.close()
    with pytest.raises(CollectionNotFound, match="closed"):
        store.open("things")


def test_refuses_a_dimension_of_zero(tmp_path: Path) -> None:
    with MilvusStore(f"milvus:{tmp_path}/a.db") as store, pytest.raises(InvalidVector, match="dim"):
        store.create("things", space_id="space", dim=0, model="model")


def test_an_address_says_which_kind_of_store(tmp_path: Path) -> None:
    with open_store(f"milvus:{tmp_path}/a.db") as milvus:
        assert isinstance(milvus, MilvusStore)
    with open_store(str(tmp_path / "milvus")) as folder:
        assert isinstance(folder, FolderStore)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("milvus://host", Address("http://host:19530", "host:19530")),
        ("milvus://[::1]:1", Address("http://[::1]:1", "[::1]:1")),
        (
            "milvus://me:s%40fe@host:9/base?tls=true&timeout=3&consistency=strong&index=hnsw",
            Address("https://host:9", "host:9", "me:s@fe", "base", "strong", "hnsw", 3.0),
        ),
        (
            "milvus:/a/b.db?consistency=bounded",
            Address("/a/b.db", "the file /a/b.db", consistency="bounded"),
        ),
    ],
)
def test_addresses(text: str, expected: Address) -> None:
    assert parse_address(text) == expected
    assert parse_address(text).lite == text.startswith("milvus:/a")
    assert "s@fe" not in parse_address(text).where


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("milvus:", "FILE.db"),
        ("milvus:folder", "FILE.db"),
        ("milvus://", "no host"),
        ("milvus://me:secret@host:99999", "port"),
        ("milvus://host?timeout=0", "timeout"),
        ("milvus://host?timeout=soon", "timeout"),
        ("milvus://host?consistency=none", "consistency=none"),
        ("milvus://host?colour=red", "colour=red"),
    ],
)
def test_bad_addresses_are_refused_without_telling_secrets(text: str, rule: str) -> None:
    with pytest.raises(StorageError, match=rule) as refused:
        parse_address(text)
    assert "secret" not in str(refused.value)


def test_without_pymilvus_the_error_says_how_to_install_what_is_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    pinned: Any = project["project"]["optional-dependencies"]["milvus"]
    assert f"pip install {' '.join(map(repr, pinned))}" == INSTALL
    monkeypatch.setitem(sys.modules, "milvus_lite.adapter.grpc.server", None)
    with pytest.raises(StorageError, match=re.escape(INSTALL)):
        MilvusStore(f"milvus:{tmp_path}/a.db")
    monkeypatch.setitem(sys.modules, "pymilvus", None)
    with pytest.raises(StorageError, match=re.escape(INSTALL)):
        MilvusStore("milvus://localhost")


@pytest.mark.parametrize("name", ["a", "a-b", "a_b", "a_-d", "a-_u", "_".join("abc"), "d_u-d_u"])
def test_every_name_has_a_root_of_its_own(name: str) -> None:
    assert re.fullmatch("[a-z0-9_]+", names.root(name))
    assert names.collection(names.root(name)) == name
    assert names.collection("someone_elses") is None
