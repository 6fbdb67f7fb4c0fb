"""`kindred jobs` against a real server: begun, watched, listed, cancelled."""

import shutil
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from kindred import Client, Job, JobState, Unavailable
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


def test_a_folder_is_pruned_and_a_list_is_not(addresses: Addresses, files: Path) -> None:
    folder = files / "short"
    folder.mkdir()
    for word in ("one", "two"):
        (folder / f"{word}.txt").write_text(word)
    assert "2 added" in ask(addresses, "index", str(folder), "-c", "pruned").stdout
    (folder / "one.txt").unlink()
    pruned = ask(addresses, "index", str(folder), "-c", "pruned", "--prune")
    assert pruned.exit_code == 0, pruned.output
    assert "succeeded: 1 unchanged, 1 removed" in pruned.stdout
    shutil.rmtree(folder)
    refused = ask(addresses, "index", str(files / "list.jsonl"), "--prune")
    assert (refused.exit_code, "--prune is of folders" in refused.stderr) == (2, True)


def test_what_is_refused_leaves_no_collection(addresses: Addresses) -> None:
    told = ask(addresses, "index", "/elsewhere", "-c", "unmade")
    assert (told.exit_code, "PERMISSION_DENIED" in told.stderr) == (2, True)
    with Client(addresses.http) as client:
        assert "unmade" not in {each.name for each in client.list_collections()}


def test_a_job_is_begun_listed_watched_and_ended(addresses: Addresses, files: Path) -> None:
    begun = ask(addresses, "index", str(files), "-c", "other", "--no-wait")
    job = begun.stdout.strip()
    watched = ask(addresses, "watch", job)
    assert watched.exit_code == 1
    assert f"other: job {job} succeeded: 4 added" in watched.stdout
    assert "succeeded" in ask(addresses, "cancel", job).stdout  # it was over
    assert "broken.png" in ask(addresses, "errors", job).stdout
    table = ask(addresses, "list").stdout
    with Client(addresses.grpc) as client:
        assert all(each.id in table for each in client.list_jobs())


@pytest.mark.parametrize("ending", [None, Unavailable("connection reset")], ids=["told", "killed"])
def test_who_watches_a_server_that_ends_learns_that_the_job_goes_on(
    addresses: Addresses, files: Path, monkeypatch: pytest.MonkeyPatch, ending: Unavailable | None
) -> None:
    job = ask(addresses, "index", str(files), "-c", "watched", "--no-wait").stdout.strip()

    def watched(client: Client, name: str) -> Iterator[Job]:
        yield replace(client.get_job(name), state=JobState.RUNNING)
        if ending:
            raise ending

    monkeypatch.setattr(Client, "watch_job", watched)
    told = ask(addresses, "watch", job)
    assert told.exit_code == 1
    said = " ".join(told.stderr.split())
    assert f"job {job} goes on when it starts again. `kindred jobs watch {job} --server" in said


def test_a_server_that_is_not_there_is_no_news_of_a_job(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    told = ask(Addresses(f"http://127.0.0.1:{port}", ""), "watch", "some-job")
    assert told.exit_code == 1
    assert "UNAVAILABLE" in told.stderr
    assert "goes on" not in told.stderr


def test_a_folder_elsewhere_is_refused(addresses: Addresses) -> None:
    refused = ask(addresses, "index", "/", "-c", "album")
    assert refused.exit_code == 2
    assert "job_folders" in refused.stderr
