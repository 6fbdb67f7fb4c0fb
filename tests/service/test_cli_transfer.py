"""Collections to files and back, in this process and over both wires."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import Result

import kindred as client
from indexes.local.folder import FolderStore
from service.serve import Addresses
from tests.fakes import DIM
from tests.service.test_cli import data, gallery, kindred, said
from tests.service.test_cli_server import addresses, server

__all__ = ["addresses", "data", "gallery", "server"]

pytestmark = pytest.mark.usefixtures("decodes_here")


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


class TestParquet:
    def test_items_go_out_and_in_again(self, indexed: Path, tmp_path: Path) -> None:
        file, elsewhere = tmp_path / "gallery.parquet", tmp_path / "elsewhere"
        out = kindred("export", "default", "-o", file, "--data", indexed)
        assert out.stdout == f"Wrote 6 items of default to {file}.\n", out.output
        graph = ("--structure", "graph", "--data", elsewhere)
        back = kindred("import", file, "--collection", "again", *graph)
        assert back.stdout == "again: 6 stored\n", back.output
        with FolderStore(elsewhere) as store:
            assert store.open("again").structure == "graph"
        other = ("--structure", "ivf", "--data", elsewhere)
        refused = kindred("import", file, "--collection", "again", *other)
        assert refused.exit_code == 2
        assert "has structure 'graph'" in said(refused)
        question = ("search", "red", "--json", "--data")
        assert hits(kindred(*question, elsewhere, "-c", "again")) == hits(
            kindred(*question, indexed)
        )

    def test_a_server_s_items_go_out_and_in_again(
        self, server: str, gallery: Path, tmp_path: Path
    ) -> None:
        file = tmp_path / "gallery.parquet"
        assert kindred("index", gallery, "--server", server).exit_code == 0
        out = kindred("export", "default", "-o", file, "--server", server)
        assert out.stdout == f"Wrote 6 items of default to {file}.\n", out.output
        there = ("import", file, "-c", "again", "--server", server)
        back = kindred(*there, "--indexed", "bytes", "--structure", "graph")
        assert back.stdout == "again: 6 stored\n", back.output
        with client.Client(server) as asked:
            assert asked.get_collection("again").indexed == ("bytes",)
            assert asked.get_collection("again").structure == "graph"
        assert "has structure 'graph'" in said(kindred(*there, "--structure", "ivf"))
        assert hits(kindred("search", "red", "-c", "again", "--json", "--server", server)) == hits(
            kindred("search", "red", "--json", "--server", server)
        )
        other = pq.read_table(file).replace_schema_metadata({"kindred.space_id": "other"})
        pq.write_table(other, file)
        for name in ("again", "new"):
            foreign = kindred("import", file, "-c", name, "--server", server)
            assert foreign.exit_code == 2
            assert "other" in said(foreign)

    def test_a_bad_row_costs_itself_alone_and_is_named(self, data: Path, tmp_path: Path) -> None:
        file = tmp_path / "mine.parquet"
        vectors = np.eye(4, DIM, dtype=np.float32)
        vectors[1] = 0
        columns = {
            "id": ["a", "b", "c", "d"],
            "modality": ["image", "image", "smell", "text"],
            "vector": vectors.tolist(),
            "metadata": ['{"year": 2020}', None, None, None],
        }
        pq.write_table(pa.table(columns), file)
        unsaid = kindred("import", file, "-c", "mine", "--data", data)
        assert unsaid.exit_code == 2
        assert "mine.parquet does not say which model" in said(unsaid)
        done = kindred("import", file, "-c", "mine", "--model", "fake", "--data", data)
        assert done.exit_code == 1
        assert done.stdout == "mine: 2 stored, 2 failed\n", done.output
        assert "row 1: " in said(done)
        assert "row 2: the modality 'smell'" in said(done)
        again = kindred(
            "import", file, "-c", "mine", "--model", "fake", "--indexed", "year", "--data", data
        )
        assert again.exit_code == 1
        with FolderStore(data) as store:
            assert store.open("mine").indexed == ("year",)
        found = hits(kindred("search", "red", "-c", "mine", "--json", "--data", data))
        assert {hit["id"]: hit["metadata"] for hit in found} == {"a": {"year": 2020}, "d": {}}

    def test_what_cannot_be_is_told_in_one_line(self, indexed: Path, tmp_path: Path) -> None:
        foreign = pa.table({"id": ["a"], "modality": ["text"], "vector": [[1.0] * DIM]})
        pq.write_table(
            foreign.replace_schema_metadata({"kindred.space_id": "other"}), tmp_path / "foreign"
        )
        (tmp_path / "words").write_text("no table")
        for arguments, message in (
            (("export", "nowhere", "-o", tmp_path / "new"), "nowhere"),
            (("import", tmp_path / "words"), "Parquet"),
            (("import", tmp_path / "foreign"), "space other"),
            (("import", tmp_path / "foreign", "-c", "new"), "space other"),
            (("import", tmp_path / "foreign", "-c", "new", "--model", "nobody"), "nobody"),
        ):
            result = kindred(*arguments, "--data", indexed)
            assert result.exit_code == 2, result.output
            assert message in said(result)
            assert "Traceback" not in result.stderr
        assert not (tmp_path / "new").exists()
        assert kindred("search", "red", "-c", "new", "--data", indexed).exit_code == 2


class TestRescue:
    @pytest.fixture
    def damaged(self, indexed: Path) -> Path:
        """The same folder, with one bit of one vector flipped on the disk."""
        database = indexed / "default" / "collection.sqlite3"
        with closing(sqlite3.connect(database)) as connection:
            (data,) = connection.execute("SELECT data FROM vector ORDER BY seq").fetchone()
            flipped = bytes([data[0] ^ 1]) + data[1:]
            connection.execute("UPDATE vector SET data = ? WHERE data = ?", (flipped, data))
            connection.commit()
        return indexed

    def test_the_doctor_finds_damage_and_rescue_saves_the_rest(self, damaged: Path) -> None:
        examined = kindred("doctor", "--data", damaged)
        assert examined.exit_code == 1
        assert "collection default is damaged" in examined.stdout
        assert ": it is damaged\n" in examined.stdout
        rescued = kindred("rescue", damaged, "default", "saved")
        assert rescued.exit_code == 1
        assert rescued.stdout == "saved: 5 items saved, 1 known to be lost\n", rescued.output
        assert len(hits(kindred("search", "red", "-c", "saved", "--json", "--data", damaged))) == 5

    def test_the_doctor_tells_how_to_rescue_what_cannot_be_opened(self, indexed: Path) -> None:
        assert kindred("doctor", "--data", indexed).exit_code == 0
        database = indexed / "default" / "collection.sqlite3"
        database.write_bytes(b"no database" + database.read_bytes()[11:])
        examined = kindred("doctor", "--data", indexed)
        assert examined.exit_code == 1
        assert "collection default cannot be opened: " in examined.stdout
        assert f"kindred rescue {indexed} default default-rescued" in examined.stdout

    def test_the_doctor_reads_beside_who_holds_the_folder(self, indexed: Path) -> None:
        with FolderStore(indexed) as store:
            store.open("default").delete(["blue.png"])  # is in the log of the database alone
            examined = kindred("doctor", "--data", indexed)
        assert examined.exit_code == 0, examined.output
        assert f"now it is process {os.getpid()}; its collections are read" in examined.stdout
        assert "every item of every collection can be read" in examined.stdout

    def test_the_doctor_finds_damage_beside_who_holds_the_folder(self, damaged: Path) -> None:
        with FolderStore(damaged):
            examined = kindred("doctor", "--data", damaged)
        assert examined.exit_code == 1
        assert "collection default is damaged" in examined.stdout
        assert ": it is damaged\n" in examined.stdout

    def test_the_doctor_says_what_it_could_not_look_at(self, indexed: Path) -> None:
        with closing(sqlite3.connect(indexed / "default" / "collection.sqlite3")) as connection:
            connection.execute("PRAGMA user_version = 1")
        with FolderStore(indexed):
            examined = kindred("doctor", "--data", indexed)
        assert examined.exit_code == 1
        assert "collection default was not looked at: it is of version 1" in examined.stdout

    def test_a_wrong_name_is_wrong_use(self, indexed: Path) -> None:
        for arguments in (("../default", "saved"), ("default", "../saved")):
            result = kindred("rescue", indexed, *arguments)
            assert result.exit_code == 2
            assert "a collection's name" in said(result)
