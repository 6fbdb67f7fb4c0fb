"""Collections to files and back, in this process and over both wires."""

import json
from pathlib import Path

import pytest
from typer.testing import Result

import kindred as client
from service.serve import Addresses
from tests.service.test_cli import data, gallery, kindred, said
from tests.service.test_cli_server import addresses, server

__all__ = ["addresses", "data", "gallery", "server"]


def hits(result: Result) -> list[dict[str, object]]:
    assert result.exit_code == 0, result.output
    found: list[dict[str, object]] = json.loads(result.stdout)["hits"]
    return found


@pytest.fixture
def indexed(gallery: Path, data: Path) -> Path:
    """A folder with a collection of six items."""
    assert kindred("index", gallery, "--data", data).exit_code == 0
    return data


class TestSnapshot:
    def test_a_collection_moves_to_another_folder(self, indexed: Path, tmp_path: Path) -> None:
        file, elsewhere = tmp_path / "gallery.snapshot", tmp_path / "elsewhere"
        taken = kindred("snapshot", "default", "-o", file, "--data", indexed)
        assert taken.exit_code == 0, taken.output
        assert taken.stdout.startswith("Wrote 6 items of default, ")
        restored = kindred("restore", file, "--data", elsewhere)
        assert restored.stdout == "Restored 6 items to default.\n"
        renamed = kindred("restore", file, "--collection", "again", "--data", elsewhere)
        assert renamed.stdout == "Restored 6 items to again.\n"
        question = ("search", "red", "--json", "--data")
        expected = hits(kindred(*question, indexed))
        assert hits(kindred(*question, elsewhere)) == expected
        assert hits(kindred(*question, elsewhere, "-c", "again")) == expected

    def test_what_cannot_be_is_told_in_one_line(self, indexed: Path, tmp_path: Path) -> None:
        file = tmp_path / "gallery.snapshot"
        assert kindred("snapshot", "default", "-o", file, "--data", indexed).exit_code == 0
        (tmp_path / "cut").write_bytes(file.read_bytes()[:-100])
        (tmp_path / "words").write_text("no snapshot")
        for arguments, message in (
            (("snapshot", "default", "-o", file), "exists"),
            (("snapshot", "nowhere", "-o", tmp_path / "new"), "nowhere"),
            (("restore", file), "default"),
            (("restore", file, "-c", "Not a name!"), "Not a name!"),
            (("restore", tmp_path / "cut", "-c", "again"), "cut"),
            (("restore", tmp_path / "words", "-c", "again"), "words"),
            (("restore", tmp_path / "nowhere"), "does not exist"),
        ):
            result = kindred(*arguments, "--data", indexed)
            assert result.exit_code == 2, result.output
            assert message in said(result)
            assert "Traceback" not in result.stderr
        assert not (tmp_path / "new").exists()

    def test_a_server_s_collection_is_fetched_and_sent(
        self, server: str, addresses: Addresses, gallery: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "gallery.snapshot"
        assert kindred("index", gallery, "--server", server).exit_code == 0
        taken = kindred("snapshot", "default", "-o", file, "--server", server)
        assert taken.stdout.startswith("Wrote 6 items of default, "), taken.output
        restored = kindred("restore", file, "-c", "again", "--server", server)
        assert restored.stdout == "Restored 6 items to again.\n", restored.output
        assert hits(kindred("search", "red", "-c", "again", "--json", "--server", server)) == hits(
            kindred("search", "red", "--json", "--server", server)
        )
        taken_name = kindred("restore", file, "--server", server)
        assert taken_name.exit_code == 2
        assert "COLLECTION_EXISTS" in taken_name.stderr
        with client.Client(addresses.http) as direct:
            assert direct.list_snapshots() == ()
