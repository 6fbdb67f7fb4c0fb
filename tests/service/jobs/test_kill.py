"""kill -9 in the middle of a job: the next server goes on, and embeds only what is not stored."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from kindred import Client, IngestFolder
from service.engine import Engine
from service.ingest.ingest import BATCH_FILES
from service.jobs.messages import JobState
from service.settings import Settings
from tests.service.jobs.counting import CountingEmbedder, write_words

FILES = 100


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return write_words(tmp_path / "files", FILES)


@pytest.fixture
def victim(tmp_path: Path, files: Path) -> Iterator[subprocess.Popen[str]]:
    command = [
        sys.executable,
        "-m",
        "tests.service.jobs.victim",
        str(tmp_path / "data"),
        str(files),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


@pytest.mark.anyio
async def test_what_was_stored_is_not_embedded_again(
    victim: subprocess.Popen[str], files: Path, tmp_path: Path
) -> None:
    assert victim.stdout is not None
    with Client(victim.stdout.readline().strip()) as client:
        client.create_collection("album")
        (files / "broken.txt").write_bytes(b"\xff")
        job = client.create_job("album", IngestFolder(str(files)))
        waiting = client.create_job("album", IngestFolder(str(files), "again/"))
        for told in client.watch_job(job.id):
            if told.counts.added >= BATCH_FILES:
                break
    victim.send_signal(signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL

    model = CountingEmbedder()
    settings = Settings.model_validate(
        {"data": tmp_path / "data", "job_folders": (files,), "vector_cache_bytes": 0}
    )
    async with Engine(settings, [model]) as engine:
        stored = (await engine.collections.get("album")).counts["text"]
        assert told.counts.added <= stored <= 2 * BATCH_FILES
        async with engine.jobs:
            *_, ended = [info async for info in await engine.jobs.watch(job.id)]
            assert ended.state is JobState.SUCCEEDED
            assert ended.counts.unchanged == stored
            assert ended.counts.added == FILES - stored
            assert ended.counts.failed == len((await engine.jobs.errors(job.id)).errors) == 1
            *_, then = [info async for info in await engine.jobs.watch(waiting.id)]
            assert (then.state, then.counts.added) == (JobState.SUCCEEDED, FILES)
        assert model.items == FILES - stored + FILES
        assert (await engine.collections.get("album")).counts["text"] == 2 * FILES
