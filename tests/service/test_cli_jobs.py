"""`kindred jobs` against a real server: begun, watched, listed, cancelled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kindred import Client
from service.cli import app
from service.serve import Addresses
from tests.kindred.servers import serving
from tests.service.jobs.counting import CountingEmbedder, write_gallery


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_gallery(tmp_path_factory.mktemp("files") / "gallery")
    (folder / "list.jsonl").write_text('{"path": "photo.png", "id": "mine"}\n')
    return folder


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Addresses]:
    models = [CountingEmbedder(), CountingEmbedder(name="second")]
    folder = tmp_path_factory.mktemp("data")
    with serving(folder, models, job_folders=(files.parent,), decode_workers=0) as found:
        yield found


def ask(addresses: Addresses, *args: str) -> Result:
    return CliRunner().invoke(app, ["jobs", *args, "--server", addresses.http])


def test_a_folder_is_brought_in_and_embedded_again(addresses: Addresses, files: Path) -> None:
    first = ask(addresses, "index", str(files), "-c", "album")
    assert first.exit_code == 1, first.output
    assert "succeeded: 4 added, 2 passed by, 1 failed" in first.stdout
    assert "x broken.png: " in first.stderr
    listed = ask(addresses, "index", str(files / "list.jsonl"), "-c", "album")
    assert listed.exit_code == 0, listed.output
    assert "succeeded: 1 added" in listed.stdout
    again = ask(addresses, "reembed", "album", "album-2", "--model", "second")
    assert again.exit_code == 0, again.output
    assert "succeeded: 5 added" in again.stdout


def test_a_job_is_begun_listed_watched_and_ended(addresses: Addresses, files: Path) -> None:
    begun = ask(addresses, "index", str(files), "-c", "other", "--no-wait")
    job = begun.stdout.strip()
    watched = ask(addresses, "watch", job)
    assert watched.exit_code == 1
    assert f"other: job {job} succeeded: 4 added" in watched.stdout
    assert "succeeded" in ask(addresses, "cancel", job).stdout  # it was over
    assert "broken.png" in ask(addresses, "errors", job).stderr
    table = ask(addresses, "list").stdout
    with Client(addresses.grpc) as client:
        assert all(each.id in table for each in client.list_jobs())


def test_a_folder_elsewhere_is_refused(addresses: Addresses) -> None:
    refused = ask(addresses, "index", "/", "-c", "album")
    assert refused.exit_code == 2
    assert "job_folders" in refused.stderr
