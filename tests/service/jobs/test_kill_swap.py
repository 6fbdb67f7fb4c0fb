"""kill -9 at any moment of a re-embedding: the alias stands for a whole collection, and once."""

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kindred import Client, Reembed
from service.engine import Engine
from service.ingest.ingest import BATCH_FILES
from service.jobs.messages import JobState
from service.messages import ItemInput, NewCollection, TextContent
from service.settings import Settings
from tests.service.jobs.counting import CountingEmbedder
from tests.service.jobs.test_jobs import over, running, stored

pytestmark = pytest.mark.anyio

ITEMS = 100
UNHELD = 10**9


def words(say: str, *numbers: int) -> list[ItemInput]:
    return [ItemInput(TextContent(f"{say} {n}"), str(n), {"say": say}) for n in numbers]


@contextmanager
def victim(tmp_path: Path, free: int) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    data, files = str(tmp_path / "data"), str(tmp_path / "files")
    command = [sys.executable, "-m", "tests.service.jobs.victim", data, files, str(free)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            with Client(process.stdout.readline().strip()) as client:
                yield process, client
        finally:
            process.kill()


async def fill(tmp_path: Path) -> None:
    async with running(tmp_path, CountingEmbedder(), CountingEmbedder(name="second")) as engine:
        await engine.collections.create(NewCollection("gen0"))
        await engine.collections.upsert("gen0", words("first", *range(ITEMS)))
        await engine.aliases.point("now", "gen0")


async def said(engine: Engine, name: str) -> dict[str, object]:
    return {item.id: item.metadata for item in (await stored(engine, name)).values()}


async def test_a_kill_in_the_middle_of_copying_swaps_nothing(tmp_path: Path) -> None:
    await fill(tmp_path)
    with victim(tmp_path, 40) as (process, client):
        job = client.create_job("gen1", Reembed("now", "second", alias="now"))
        for told in client.watch_job(job.id):
            if told.counts.added >= BATCH_FILES:
                break
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    async with running(tmp_path, CountingEmbedder(), CountingEmbedder(name="second")) as engine:
        info = await over(engine.jobs, await engine.jobs.get(job.id))
        assert (info.state, info.counts.failed) == (JobState.SUCCEEDED, 0)
        assert info.counts.unchanged >= BATCH_FILES
        assert info.counts.added + info.counts.unchanged == ITEMS
        assert (await engine.collections.get("now")).name == "gen1"
        assert await said(engine, "gen1") == await said(engine, "gen0")


async def test_a_kill_at_any_moment_leaves_a_whole_collection(tmp_path: Path) -> None:
    await fill(tmp_path)
    dice, current = random.Random(11), "gen0"
    for n in range(1, 4):
        model = ("fake", "second")[n % 2]
        with victim(tmp_path, UNHELD) as (process, client):
            task = Reembed("now", model, alias="now", drop_source=True)
            job = client.create_job(f"gen{n}", task)
            time.sleep(dice.uniform(0.0, 0.25))  # the moment of the kill: any is good
            process.send_signal(signal.SIGKILL)
            process.wait()
        models = CountingEmbedder(), CountingEmbedder(name="second")
        settings = Settings.model_validate({"data": tmp_path / "data", "decode_workers": 0})
        async with Engine(settings, models) as engine:
            found = (await engine.collections.get("now")).name
            assert found in (current, f"gen{n}")
            assert set(await said(engine, "now")) == set(map(str, range(ITEMS)))
            await engine.collections.upsert("now", words(found, n))
            expected = await said(engine, "now")
            async with engine.jobs:
                info = await over(engine.jobs, await engine.jobs.get(job.id))
                assert info.state is JobState.SUCCEEDED
                assert info.swap is not None
                assert (info.swap.previous, info.swap.source_dropped) == (current, True)
            assert [each.name for each in await engine.collections.list()] == [f"gen{n}"]
            assert await said(engine, "now") == expected
        current = f"gen{n}"
