"""The command line against a server, over both wires: the same answers as on the folder itself."""

import asyncio
import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from kindred import Client
from service.batching.job import Job
from service.batching.pipeline import Pipeline
from service.cli import app
from service.engine import Engine
from service.ingest.ingest import BATCH_FILES
from service.serve import Addresses, listening
from service.settings import Settings
from service.terms import Priority
from tests.fakes import FakeEmbedder
from tests.generator import saved_generator
from tests.samples import image_bytes, picture
from tests.service.test_cli import data, gallery, kindred, said

__all__ = ["data", "gallery"]

pytestmark = pytest.mark.usefixtures("decodes_here")


@pytest.fixture
def addresses(tmp_path: Path) -> Iterator[Addresses]:
    """A server of the fake model on free ports, with room for one batch of files at a time."""
    settings = Settings(
        data=tmp_path / "served",
        port=0,
        grpc_port=0,
        max_items=BATCH_FILES,
        queue_size=BATCH_FILES,
        generator=saved_generator(tmp_path / "generator.safetensors", FakeEmbedder().space),
    )
    loop, listens = asyncio.new_event_loop(), threading.Event()
    found: list[Addresses] = []

    async def serve() -> None:
        async with Engine(settings, [FakeEmbedder()]) as engine, listening(engine) as addresses:
            found.append(addresses)
            listens.set()
            await stop.wait()

    stop = asyncio.Event()
    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    assert listens.wait(timeout=60)
    yield found[0]
    loop.call_soon_threadsafe(stop.set)
    thread.join()
    loop.close()


@pytest.fixture(params=["http", "grpc"])
def server(addresses: Addresses, request: pytest.FixtureRequest) -> str:
    return addresses.http if request.param == "http" else addresses.grpc


def ask(server: str, *args: str | Path) -> Result:
    return CliRunner().invoke(app, [*map(str, args), "--server", server])


def test_a_folder_is_indexed_and_found_as_it_is_here(
    server: str, gallery: Path, data: Path
) -> None:
    first = ask(server, "index", gallery)
    assert first.exit_code == 0, first.output
    assert "6 added" in first.stdout
    assert "6 unchanged" in ask(server, "index", gallery, "--indexed", "modified").stdout
    assert kindred("index", gallery, "--data", data).exit_code == 0
    questions: list[tuple[str | Path, ...]] = [
        ("red",),
        ("red", "--negative", "quiet"),
        ("red", "--exact"),
        ("--image", gallery / "blue.png", "-m", "audio", "-m", "text"),
        ("--audio", gallery / "sounds" / "loud.wav", "-k", "2"),
        ("--like", "green.png", "--filter", '{"modality": "image"}'),
    ]
    for question in questions:
        there = json.loads(ask(server, "search", *question, "--json").stdout)
        here = json.loads(kindred("search", *question, "--data", data, "--json").stdout)
        assert there["hits"] == here["hits"], question
        assert there["ranking"] == here["ranking"]


def test_vectors_are_the_same_to_the_last_bit(server: str, tmp_path: Path, gallery: Path) -> None:
    contents = ("red apple", "--image", gallery / "red.png", "-o")
    assert ask(server, "embed", *contents, tmp_path / "there.npy").exit_code == 0
    assert kindred("embed", *contents, tmp_path / "here.npy").exit_code == 0
    there, here = np.load(tmp_path / "there.npy"), np.load(tmp_path / "here.npy")
    np.testing.assert_array_equal(there, here)


def test_models_are_the_server_s(server: str) -> None:
    (model,) = json.loads(ask(server, "models", "--json").stdout)
    assert (model["name"], model["space"]) == ("fake", FakeEmbedder().space.id)
    assert (model["precision"], model["non_commercial"]) == ("fp32", False)
    assert "python on cpu, fp32" in ask(server, "models").stdout


def test_a_busy_server_is_waited_for(server: str, tmp_path: Path) -> None:
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(4 * BATCH_FILES):
        (folder / f"{number}.txt").write_text(f"text {number}", encoding="utf-8")
    result = ask(server, "index", folder)
    assert result.exit_code == 0, result.output
    assert f"{4 * BATCH_FILES} added" in result.stdout


def test_a_bad_file_costs_itself_alone(server: str, gallery: Path) -> None:
    (gallery / "cut.png").write_bytes(image_bytes(picture("red", (400, 300)))[:200])
    result = ask(server, "index", gallery)
    assert result.exit_code == 1
    assert "6 added, 1 failed" in result.stdout
    assert "x cut.png: " in result.stderr


def test_errors_of_the_server_are_one_line(server: str) -> None:
    result = ask(server, "search", "red", "-c", "nowhere")
    assert result.exit_code == 2
    assert "COLLECTION_NOT_FOUND" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("address", ["http://127.0.0.1:1", "grpc://127.0.0.1:1"])
def test_no_server_is_told_in_one_line(address: str) -> None:
    result = ask(address, "models")
    assert result.exit_code == 1
    assert "UNAVAILABLE" in result.stderr


def test_a_wrong_address_is_wrong_use() -> None:
    result = ask("ftp://somewhere", "models")
    assert result.exit_code == 2
    assert "ftp://somewhere" in result.stderr


def test_pictures_are_made_as_they_are_here(server: str, tmp_path: Path) -> None:
    asked = ("generate", "--text", "red", "--text", "b", "--seed", "3", "--steps", "2", "-o")
    there, here = tmp_path / "there.png", tmp_path / "here.png"
    made = ask(server, *asked, there, "--count", "2")
    assert made.exit_code == 0, made.output
    weights = ("--weights", tmp_path / "generator.safetensors")
    assert kindred(*asked, here, "--count", "2", *weights).exit_code == 0
    assert there.read_bytes() == here.read_bytes()
    refused = ask(server, *asked, there, *weights)
    assert refused.exit_code == 2
    assert "--weights or --server, not both" in said(refused)
    assert ask(server, *asked, there, "--count", "17").exit_code == 2  # of the server's own 16


def test_a_command_says_how_urgent_it_is(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lanes, push = list[Priority](), Pipeline.push

    def recorded(self: Pipeline, jobs: Sequence[Job]) -> None:
        lanes.extend(job.priority for job in jobs)
        push(self, jobs)

    monkeypatch.setattr(Pipeline, "push", recorded)
    asking, storing = Priority.INTERACTIVE, Priority.BULK
    words = tmp_path / "words"
    words.mkdir()
    for urgency, expected in (
        ([], [asking, storing]),
        (["--priority", "bulk"], [storing, storing]),
        (["--priority", "interactive"], [asking, asking]),
    ):
        lanes.clear()
        (words / f"{len(urgency)}{urgency[1:]}.txt").write_text(f"words {urgency}")
        for command in (["embed", f"{urgency}"], ["index", str(words)]):
            told = CliRunner().invoke(app, [*urgency, *command, "--server", server])
            assert told.exit_code == 0, told.output
        assert lanes == expected


def test_an_upload_is_told_by_its_name(server: str, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(image_bytes(picture("red")))
    with Client(server) as client:
        client.create_collection("default")
        (stored,) = client.upload("default", [tmp_path / "red.png"]).results
    assert f" {stored.id} red.png " in ask(server, "search", "red").stdout
