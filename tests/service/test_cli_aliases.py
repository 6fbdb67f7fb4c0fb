"""`kindred aliases`, in a folder and on a server; and a re-embedding that swaps one."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kindred import Client, ItemInput
from service.cli import app
from service.engine import Engine
from service.serve import Addresses
from tests.fakes import FakeEmbedder
from tests.kindred.servers import serving

Ask = Callable[..., Result]


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    models = [FakeEmbedder(), FakeEmbedder(name="second")]
    with serving(tmp_path_factory.mktemp("data"), models, decode_workers=0) as found:
        yield found


@pytest.fixture
def words(tmp_path: Path) -> Path:
    folder = tmp_path / "words"
    folder.mkdir()
    (folder / "red.txt").write_text("red")
    return folder


@pytest.fixture(params=["folder", "server"])
def ask(request: pytest.FixtureRequest, tmp_path: Path, words: Path, addresses: Addresses) -> Ask:
    """Asks in a folder that is made for it, or a server."""
    if request.param == "server":
        where = ["--server", addresses.http]
    else:
        where = ["--data", str(tmp_path / "data")]

    def asked(*args: str) -> Result:
        make = lambda settings: Engine(settings, [FakeEmbedder()])  # noqa: E731
        return CliRunner().invoke(app, [*args, *where], obj=make)

    for name in ("one", "two"):
        assert asked("index", str(words), "-c", name).exit_code == 0
    return asked


def test_an_alias_is_set_listed_asked_and_deleted(ask: Ask, words: Path) -> None:
    assert ask("aliases", "set", "now", "one").stdout == "now stands for one\n"
    told = ask("aliases", "set", "now", "two", "--expected", "one").stdout
    assert told == "now stands for two, before for one\n"
    assert ask("index", str(words), "-c", "three").exit_code == 0
    moved = ask("aliases", "set", "now", "three", "--expected", "one")
    assert moved.exit_code == 2
    assert "must stand for 'one'" in moved.stderr
    listed = ask("aliases", "list", "--json").stdout
    assert json.loads(listed) == [{"name": "now", "collection": "two"}]
    assert "now" in ask("aliases", "list").stdout
    found = json.loads(ask("search", "red", "-c", "now", "--json").stdout)
    assert (found["collection"], [hit["id"] for hit in found["hits"]]) == ("two", ["red.txt"])
    assert ask("aliases", "delete", "now").exit_code == 0
    assert json.loads(ask("aliases", "list", "--json").stdout) == []
    gone = ask("aliases", "delete", "now")
    assert gone.exit_code == 2
    assert "there is no alias named 'now'" in gone.stderr


def test_a_reembedding_swaps_it_and_says_so(addresses: Addresses) -> None:
    with Client(addresses.grpc) as client:
        client.create_collection("old")
        client.upsert("old", [ItemInput("red", "red")])
        client.set_alias("shelf", "old")
    command = ["jobs", "reembed", "shelf", "new", "--model", "second", "--alias", "shelf"]
    done = CliRunner().invoke(app, [*command, "--drop-source", "--server", addresses.http])
    assert done.exit_code == 0, done.output
    assert "succeeded: 1 added" in done.stdout
    assert "shelf stands for new, before for old, which is deleted" in done.stdout
    with Client(addresses.http) as client:
        assert client.get_collection("shelf").name == "new"
        assert "old" not in {each.name for each in client.list_collections()}
        client.delete_alias("shelf")
