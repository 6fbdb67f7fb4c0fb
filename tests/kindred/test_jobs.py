"""Jobs over every client and wire: the same answers, news as they come, an end with the server."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from kindred import (
    AliasSwap,
    Client,
    IngestFolder,
    IngestManifest,
    ItemInput,
    Job,
    JobState,
    Reembed,
)
from kindred.v1 import job_service_pb2 as jobs_pb
from kindred.v1 import job_service_pb2_grpc as jobs_grpc
from service.serve import Addresses
from tests.kindred.servers import serving
from tests.kindred.test_parity import ITEMS, without
from tests.kindred.wires import Ask, asks, comparable
from tests.service.jobs.counting import CountingEmbedder, write_gallery, write_words


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_gallery(tmp_path_factory.mktemp("files") / "gallery")
    lines = [{"path": "photo.png", "metadata": {"year": 2020}}, {"path": "gone.png", "id": "gone"}]
    (folder / "list.jsonl").write_text("\n".join(map(json.dumps, lines)))
    return folder


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory, files: Path) -> Iterator[Addresses]:
    models = [CountingEmbedder(), CountingEmbedder(name="second")]
    folder = tmp_path_factory.mktemp("data")
    with serving(folder, models, job_folders=(files.parent,), decode_workers=0) as found:
        yield found


@pytest.fixture(scope="module")
def clients(addresses: Addresses) -> dict[str, Ask]:
    found = asks(addresses)
    found["Client, gRPC"]("create_collection", "album")
    found["Client, gRPC"]("upsert", "album", ITEMS)
    return found


def done(ask: Ask, collection: str, task: object) -> Job:
    """Creates a job and returns what it has come to in the end."""
    created = ask("create_job", collection, task)
    assert isinstance(created, Job)
    *_, last = ask("watch_job", created.id)
    assert isinstance(last, Job)
    return last


def test_a_swap_is_told_alike(clients: dict[str, Ask]) -> None:
    answers = []
    for number, ask in enumerate(clients.values()):
        alias, old, new = (f"{name}-{number}" for name in ("alias", "old", "new"))
        ask("create_collection", old)
        ask("upsert", old, [ItemInput("a word", "word")])
        ask("set_alias", alias, old)
        task = Reembed(alias, "second", alias=alias, allow_failed=True, drop_source=True)
        job = done(ask, new, task)
        assert job.task == replace(task, source=old)
        assert job.swap is not None
        assert job.started is not None
        assert job.swap.time is not None
        assert job.swap == AliasSwap(alias, new, old, job.swap.time, source_dropped=True)
        assert job.created <= job.started <= job.swap.time
        assert comparable(ask("get_job", job.id)) == comparable(job)
        answers.append((job.counts, ask("get_collection", alias).name == new))
        stays = done(ask, f"stays-{number}", Reembed(new, "second", alias=f"first-{number}"))
        assert stays.swap is not None
        assert (stays.swap.previous, stays.swap.source_dropped) == (None, False)
        assert done(ask, f"plain-{number}", Reembed(new)).swap is None
    assert answers[1:] == answers[:1] * 3


def test_a_job_is_told_alike(clients: dict[str, Ask], files: Path) -> None:
    answers = []
    for number, ask in enumerate(clients.values()):
        name = f"files-{number}"
        ask("create_collection", name)
        tasks: list[tuple[str, object]] = [
            (name, IngestFolder(str(files), "a/", windows=True)),
            (name, IngestFolder(str(files), "a/", prune=True)),
            (name, IngestManifest(str(files / "list.jsonl"))),
            (f"again-{number}", Reembed("album", "second")),
        ]
        for collection, task in tasks:
            job = done(ask, collection, task)
            assert job.state is JobState.SUCCEEDED
            assert job.task == task
            script = [
                job,
                job.counts.done,
                ask("get_job", job.id),
                ask("cancel_job", job.id),
                ask("list_job_errors", job.id),
                ask("job_error_page", job.id, page_size=1),
                ask("job_error_page", job.id, page_size=0),
                ask("job_error_page", job.id, page_token="x"),
            ]
            answers.append(comparable(script))
        answers.append(comparable(ask("list_items", f"again-{number}", with_vectors=True)))
        assert ask("list_jobs")[0] == job
    times = ["id", "collection", "created", "started", "ended", "message"]
    each = len(answers) // len(clients)
    told: Any = [without(times, answers[i : i + each]) for i in range(0, len(answers), each)]
    assert told[1:] == told[:1] * 3


def test_all_clients_see_the_same_jobs(clients: dict[str, Ask]) -> None:
    lists = [ask("list_jobs") for ask in clients.values()]
    assert lists[1:] == lists[:1] * 3


def test_a_job_without_a_task_is_refused(addresses: Addresses, clients: dict[str, Ask]) -> None:
    answer = httpx.post(f"{addresses.http}/v1/jobs", json={"collection": "album"})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (400, "INVALID_ARGUMENT")
    with grpc.insecure_channel(addresses.grpc) as channel:
        stub = jobs_grpc.JobServiceStub(channel)
        with pytest.raises(grpc.RpcError, match="must have a task"):
            stub.CreateJob(jobs_pb.CreateJobRequest(collection="album"))


def test_watching_tells_of_each_step_and_of_the_servers_end(tmp_path: Path) -> None:
    """Without any client: server-sent events as curl shows them, and a generated stub."""
    folder, model = write_words(tmp_path / "files", 64), CountingEmbedder(free=40)
    options = {"job_folders": (folder,), "decode_workers": 0}
    with serving(tmp_path / "data", [model], **options) as found:
        with Client(found.grpc) as client:
            client.create_collection("album")
            job = client.create_job("album", IngestFolder(str(folder)))
        with (
            grpc.insecure_channel(found.grpc) as channel,
            httpx.stream("GET", f"{found.http}/v1/jobs/{job.id}/events") as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            assert response.headers["cache-control"] == "no-store"
            lines = response.iter_lines()
            messages = jobs_grpc.JobServiceStub(channel).WatchJob(
                jobs_pb.WatchJobRequest(id=job.id)
            )
            for event, data, blank in zip(lines, lines, lines, strict=False):
                assert (event, blank) == ("event: job", "")
                told = json.loads(data.removeprefix("data: "))
                if told["counts"]["added"]:
                    break
            assert told["counts"]["total"] == 64
            assert told["state"] == "running"
            for message in messages:
                if message.job.counts.added:
                    break
            assert message.job.state == jobs_pb.JOB_STATE_RUNNING
            model.gate.set()
            *_, last = messages
            rest = [line for line in lines if line.startswith("data: ")]
    assert last.job.state == jobs_pb.JOB_STATE_SUCCEEDED
    assert json.loads(rest[-1].removeprefix("data: "))["counts"]["added"] == 64


@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_who_watches_is_let_go_when_the_server_stops(tmp_path: Path, wire: str) -> None:
    folder, model = write_words(tmp_path / "files", 64), CountingEmbedder(free=40)
    options = {"job_folders": (folder,), "decode_workers": 0}
    states: list[JobState] = []
    is_told = threading.Event()

    def watch(client: Client, job: str) -> None:
        try:
            for told in client.watch_job(job):
                states.append(told.state)
                is_told.set()
        finally:
            model.gate.set()  # which the server waits for, once nobody watches

    with serving(tmp_path / "data", [model], **options) as found:
        client = Client(getattr(found, wire))
        client.create_collection("album")
        job = client.create_job("album", IngestFolder(str(folder)))
        model.is_held.wait()
        watcher = threading.Thread(target=watch, args=(client, job.id))
        watcher.start()
        is_told.wait()
    watcher.join()
    client.close()
    assert set(states) == {JobState.RUNNING}
