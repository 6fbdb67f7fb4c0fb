"""Servers that share their data: each job is one's, and another's when that one is gone."""

import asyncio
from pathlib import Path

import pytest

from indexes.local.folder import FolderStore
from service.engine import Engine
from service.errors import JobNotFound
from service.jobs.claims import Claims
from service.jobs.jobs import Jobs
from service.jobs.messages import IngestFolder, JobCounts, JobState
from service.messages import NewCollection
from tests.service.jobs.counting import CountingEmbedder, write_words
from tests.service.jobs.test_jobs import over, running

pytestmark = pytest.mark.anyio

FILES = 60


@pytest.fixture(autouse=True)
def _shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two of them on one folder of collections, which in truth takes a Milvus."""
    monkeypatch.setattr(FolderStore, "shared", True)
    monkeypatch.setattr("service.jobs.jobs.LOOK_SECONDS", 0.01)


def beside(engine: Engine) -> Jobs:
    """Returns the jobs of another server on the same data."""
    return Jobs(engine.collections, engine.aliases, engine.settings, engine.telemetry)


async def test_a_job_is_worked_on_by_one_and_told_of_by_all(tmp_path: Path) -> None:
    folder, model = write_words(tmp_path / "files" / "words", FILES), CountingEmbedder(free=32)
    async with running(tmp_path, model) as engine, beside(engine) as other:
        await engine.collections.create(NewCollection("album"))
        job = await engine.jobs.create("album", IngestFolder(str(folder)))
        await asyncio.to_thread(model.is_held.wait)
        async with beside(engine) as third:  # which starts while the job is under way
            assert [each.id for each in await third.list()] == [job.id]
        while job.id not in {each.id for each in await other.list()}:
            await asyncio.sleep(0.01)
        ending = asyncio.create_task(over(other, job))
        model.gate.set()
        ended = await over(engine.jobs, job)
        assert (ended.state, ended.counts) == (JobState.SUCCEEDED, JobCounts(FILES, added=FILES))
        assert await ending == ended
        assert model.items == FILES
        assert await other.cancel(job.id) == ended  # it was over
        assert (await other.errors(job.id)).errors == ()


async def test_who_is_left_takes_over(tmp_path: Path) -> None:
    folder, model = write_words(tmp_path / "files" / "words", FILES), CountingEmbedder(free=32)
    async with running(tmp_path, model) as engine, beside(engine) as other:
        await engine.collections.create(NewCollection("album"))
        async with beside(engine) as first:
            job = await first.create("album", IngestFolder(str(folder)))
            await asyncio.to_thread(model.is_held.wait)
            while not {job.id} <= {each.id for each in await other.list()}:
                await asyncio.sleep(0.01)
            model.gate.set()
        ended = await over(engine.jobs, job)
        assert (ended.state, ended.counts.failed) == (JobState.SUCCEEDED, 0)
        assert ended.counts.added + ended.counts.unchanged == FILES
        assert (await engine.collections.get("album")).counts == {"text": FILES}
        assert await over(other, job) == ended


async def test_any_of_them_ends_a_job(tmp_path: Path) -> None:
    folder, model = write_words(tmp_path / "files" / "words", FILES), CountingEmbedder(free=32)
    async with running(tmp_path, model) as engine, beside(engine) as other:
        await engine.collections.create(NewCollection("album"))
        job = await engine.jobs.create("album", IngestFolder(str(folder)))
        await asyncio.to_thread(model.is_held.wait)
        cancelled = await other.cancel(job.id)
        assert cancelled.state is JobState.CANCELLED
        assert await engine.jobs.get(job.id) == cancelled == await over(engine.jobs, job)
        model.gate.set()
        kept = (await engine.collections.get("album")).counts["text"]
        assert 0 < cancelled.counts.added <= kept <= 32 < FILES
    async with running(tmp_path, model) as engine:  # and it stays ended
        assert await engine.jobs.get(job.id) == cancelled


async def test_a_job_is_known_to_all_from_its_creation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_words(tmp_path / "files" / "words", 1)
    monkeypatch.setattr("service.jobs.jobs.LOOK_SECONDS", 3600.0)
    async with running(tmp_path) as engine, beside(engine) as other:
        await engine.collections.create(NewCollection("album"))
        job = await engine.jobs.create("album", IngestFolder(str(folder)))
        assert (await other.get(job.id)).task == job.task
        with pytest.raises(JobNotFound, match="no job 'none'"):
            await other.get("none")


async def test_what_one_makes_room_of_all_forget(tmp_path: Path) -> None:
    folder = write_words(tmp_path / "files" / "words", 1)
    async with running(tmp_path, max_jobs=1) as engine, beside(engine) as other:
        await engine.collections.create(NewCollection("album"))
        first = await over(
            engine.jobs, await engine.jobs.create("album", IngestFolder(str(folder)))
        )
        while await other.list() != (first,):
            await asyncio.sleep(0.01)
        second = await engine.jobs.create("album", IngestFolder(str(folder)))
        while {each.id for each in await other.list()} != {second.id}:
            await asyncio.sleep(0.01)


async def test_whoever_takes_over_a_job_that_is_to_end_ends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.jobs.jobs.LOOK_SECONDS", 3600.0)
    monkeypatch.setattr("service.jobs.jobs.CANCEL_SECONDS", 0.05)
    folder, model = write_words(tmp_path / "files" / "words", FILES), CountingEmbedder(free=0)
    async with running(tmp_path, model) as engine:
        await engine.collections.create(NewCollection("album"))
        async with beside(engine) as first, beside(engine) as other:
            job = await first.create("album", IngestFolder(str(folder)))
            await asyncio.to_thread(model.is_held.wait)
            assert (await other.cancel(job.id)).state is JobState.RUNNING  # as the first is deaf
        async with beside(engine) as heir:
            assert (await heir.get(job.id)).state is JobState.CANCELLED
        model.gate.set()


def test_a_claim_is_one_processs_until_it_is_released(tmp_path: Path) -> None:
    one, other = Claims(tmp_path), Claims(tmp_path)
    assert one.take("job")
    assert not other.take("job")
    assert (one.has("job"), other.has("job")) == (True, False)
    one.release("job")
    one.release("job")
    assert other.take("job")
    other.release_all()
    assert one.take("job")
    one.release_all()
