"""`kindred collections`, in a folder and on a server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.engine import Engine
from service.serve import Addresses
from tests.fakes import FakeEmbedder
from tests.kindred.servers import serving

Ask = Callable[..., Result]


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[Addresses]:
    with serving(tmp_path / "served", [FakeEmbedder()], decode_workers=0) as found:
        yield found


@pytest.fixture(params=["folder", "server"])
def ask(request: pytest.FixtureRequest, tmp_path: Path) -> Ask:
    """Asks in a folder that is made for it, or a server; of either, one collection has a text."""
    if request.param == "server":
        where = ["--server", request.getfixturevalue("addresses").http]
    else:
        where = ["--data", str(tmp_path / "data")]

    def asked(*args: str, answer: str = "") -> Result:
        make = lambda settings: Engine(settings, [FakeEmbedder()])  # noqa: E731
        return CliRunner().invoke(app, [*args, *where], obj=make, input=answer)

    words = tmp_path / "words"
    words.mkdir()
    (words / "red.txt").write_text("red")
    assert asked("index", str(words), "-c", "reds").exit_code == 0
    return asked


def test_collections_are_listed_with_what_they_hold(ask: Ask) -> None:
    (found,) = json.loads(ask("collections", "list", "--json").stdout)
    assert (found["name"], found["model"], found["counts"]) == ("reds", "fake", {"text": 1})
    row = ask("collections", "list").stdout.splitlines()[3]
    assert [each.strip() for each in row.split("│")][1:6] == ["reds", "fake", "0", "0", "1"]


def test_a_renamed_collection_leaves_its_name_as_an_alias(ask: Ask) -> None:
    assert ask("collections", "rename", "reds", "reds-1").exit_code == 0
    (found,) = json.loads(ask("collections", "list", "--json").stdout)
    assert found["name"] == "reds-1"
    hits = json.loads(ask("search", "red", "-c", "reds", "--json").stdout)["hits"]
    assert [hit["id"] for hit in hits] == ["red.txt"]


def test_a_collection_is_deleted_by_who_means_it(ask: Ask) -> None:
    refused = ask("collections", "delete", "reds", answer="n\n")
    assert (refused.exit_code, "Aborted" in refused.stderr) == (1, True)
    assert ask("collections", "delete", "reds", answer="y\n").exit_code == 0
    assert json.loads(ask("collections", "list", "--json").stdout) == []
    again = ask("collections", "delete", "reds", "--yes")
    assert again.exit_code == 2
    assert "there is no collection named 'reds'" in again.stderr
