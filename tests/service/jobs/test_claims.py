"""Servers that share their data: each job is one's, and another's when that one is gone."""

import asyncio
from pathlib import Path

import pytest

from indexes.local.folder import FolderStore
from service.engine import Engine
from service.errors import JobElsewhere
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
    return Jobs(engine.collections, engine.aliases, engine.settings)


async def test_a_job_is_worked_on_by_one_and_told_of_by_all(tmp_path: Path) -> None:
    folder, model = write_words(tmp_path / "files" / "words", FILES), CountingEmbedder(free=32)
    async with running(tmp_path, model) as engine, beside(engine) as other:
        await engine.collections.create(NewCollection("album"))
        job = await engine.jobs.create("album", IngestFolder(str(folder)))
        await asyncio.to_thread(model.is_held.wait)
        async with beside(engine) as third:  # which starts while the job is under way
            assert [each.id for each in await third.list()] == [job.id]
            with pytest.raises(JobElsewhere, match=job.id):
                await third.cancel(job.id)
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
