"""Re-embeddings that a process left unfinished: gone on with, and swapped once."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest

from service.engine import Engine
from service.jobs.files import RECORD, JobFiles
from service.jobs.messages import JobCounts, JobState
from service.messages import NewCollection
from service.settings import Settings
from tests.service.jobs.counting import CountingEmbedder
from tests.service.jobs.test_jobs import over, running, stored
from tests.service.jobs.test_reembedding import SWAP, fill, held, require_same, words

__all__ = ["held"]

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("page", [10, 1000])
async def test_what_changed_while_nobody_worked_is_copied_again(
    tmp_path: Path, held: CountingEmbedder, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Of what was copied before, only what was stored again is embedded again."""
    monkeypatch.setattr("service.jobs.items.PAGE_SIZE", page)
    monkeypatch.setattr("service.jobs.running.SAVE_SECONDS", 0.0)
    async with running(tmp_path, CountingEmbedder(), held) as engine:
        await fill(engine, 50)
        job = await engine.jobs.create("new", SWAP)
        await asyncio.to_thread(held.is_held.wait)
        held.gate.set()
    again = CountingEmbedder(name="second")
    async with running(tmp_path, CountingEmbedder(), again, max_jobs=7) as engine:
        pass  # a start that ends before anything is done must cost nothing
    async with _without_jobs(tmp_path) as engine:
        assert (await engine.collections.get("now")).name == "old"
        copied = list(await stored(engine, "new"))
        kept = JobFiles(engine.settings.jobs_path).read(job.id)
        assert kept is not None
        assert bool(kept[0].cursor) == (page == 10)  # else it is still in its first page
        await engine.collections.upsert("now", words(copied[0], say="changed"))
        await engine.collections.delete_items("now", [copied[1]])
        left = 50 - len(copied)
    again = CountingEmbedder(name="second")
    async with running(tmp_path, CountingEmbedder(), again) as engine:
        info = await over(engine.jobs, job)
        assert (info.state, info.counts.failed) == (JobState.SUCCEEDED, 0)
        assert (info.counts.unchanged, again.items) == (len(copied) - 2, left + 1)
        assert (await engine.collections.get("now")).name == "new"
        await require_same(engine)


def _without_jobs(tmp_path: Path) -> Engine:
    settings = Settings.model_validate({"data": tmp_path / "data", "decode_workers": 0})
    return Engine(settings, [CountingEmbedder(), CountingEmbedder(name="second")])


@pytest.mark.parametrize("told", [False, True])
async def test_a_swap_that_was_made_is_not_made_again(tmp_path: Path, told: bool) -> None:
    """As a kill leaves it after the swap: before, and after, the job's own file knows of it."""
    async with running(tmp_path, CountingEmbedder(), CountingEmbedder(name="second")) as engine:
        await fill(engine, 20)
        job = await engine.jobs.create("new", replace(SWAP, drop_source=True))
        await over(engine.jobs, job)
        await engine.collections.upsert("now", words("later"))
        await engine.collections.delete_items("now", ["0"])
        await engine.collections.create(NewCollection("old"))  # as if it were not dropped yet
        await engine.collections.upsert("old", words("0", "1"))
    _unfinish(engine.settings.jobs_path / job.id / RECORD, told=told)
    model = CountingEmbedder(name="second")
    async with running(tmp_path, CountingEmbedder(), model) as engine:
        info = await over(engine.jobs, job)
        assert (info.state, info.counts) == (JobState.SUCCEEDED, JobCounts(20, added=20))
        assert info.swap is not None
        assert (info.swap.previous, info.swap.source_dropped) == ("old", True)
        assert info.swap.time is not None
        assert model.items == 0
        found = await stored(engine, "now")
        assert set(found) == {*map(str, range(1, 20)), "later"}
        assert [each.name for each in await engine.collections.list()] == ["new"]


def _unfinish(path: Path, *, told: bool) -> None:
    kept = json.loads(path.read_text())
    kept["info"] |= {"state": "running", "ended": None}
    kept["info"]["swap"] |= {"source_dropped": False}
    if not told:
        kept["info"]["swap"] |= {"time": None, "previous": None}
    path.write_text(json.dumps(kept))
