"""Jobs on an engine: what they store, what they may read, how they end and go on."""

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from embedder.media import Modality
from indexes.errors import CollectionExists, CollectionNotFound
from service.access.caller import OWNER, Caller, Scope, caller
from service.cli import app
from service.engine import Engine
from service.errors import InvalidRequest, JobNotFound, Overloaded, PermissionDenied
from service.ingest.ingest import BATCH_FILES
from service.jobs.files import JobFiles
from service.jobs.jobs import Jobs
from service.jobs.messages import (
    IngestFolder,
    IngestManifest,
    JobCounts,
    JobError,
    JobInfo,
    JobState,
    Reembed,
)
from service.messages import ItemInput, MediaContent, NewCollection, StoredItem, TextContent
from service.settings import Settings
from tests.samples import image_bytes, photo
from tests.service.jobs.counting import CountingEmbedder, write_gallery, write_words

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def running(
    tmp_path: Path, *models: CountingEmbedder, data: str = "data", **options: object
) -> AsyncIterator[Engine]:
    """Yields an engine that works on jobs, which may read `tmp_path/files`."""
    (tmp_path / "files").mkdir(exist_ok=True)
    told = {"data": tmp_path / data, "job_folders": (tmp_path / "files",), "decode_workers": 0}
    settings = Settings.model_validate({**told, **options})
    async with Engine(settings, models or [CountingEmbedder()]) as engine, engine.jobs:
        yield engine


async def over(jobs: Jobs, info: JobInfo) -> JobInfo:
    """Returns a job once it is over."""
    told = [each async for each in await jobs.watch(info.id)]
    assert told[-1].is_over
    return told[-1]


async def stored(engine: Engine, collection: str) -> dict[str, StoredItem]:
    page = await engine.collections.items(collection, page_size=1000, with_vectors=True)
    return {item.id: item for item in page.items}


def comparable(items: dict[str, StoredItem]) -> dict[str, object]:
    return {
        name: (item.modality, item.metadata, item.has_content, np.asarray(item.vector).tobytes())
        for name, item in items.items()
    }


def without_origin(items: dict[str, Any]) -> dict[str, Any]:
    """Leaves out what tells a folder of the server's from one of whoever gives commands."""
    left = {"indexed_from"}
    return {
        name: (modality, {key: said for key, said in metadata.items() if key not in left}, *rest)
        for name, (modality, metadata, *rest) in items.items()
    }


async def test_a_job_stores_exactly_what_the_command_stores(tmp_path: Path) -> None:
    folder = write_gallery(tmp_path / "files" / "gallery")
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        task = IngestFolder(str(folder), "mine/", windows=True)
        info = await over(engine.jobs, await engine.jobs.create("album", task))
        assert info.state is JobState.SUCCEEDED
        assert info.counts == JobCounts(6, added=4, passed_by=1, failed=1)
        assert info.created <= str(info.started) <= str(info.ended)
        (error,) = (await engine.jobs.errors(info.id)).errors
        assert (error.id, error.error.reason) == ("mine/broken.png", "UNDECODABLE_MEDIA")
        by_job = comparable(await stored(engine, "album"))
        again = await over(engine.jobs, await engine.jobs.create("album", task))
        assert again.counts == JobCounts(6, unchanged=4, passed_by=1, failed=1)

    def make(settings: Settings) -> Engine:
        return Engine(settings, [CountingEmbedder()])

    args = ["index", str(folder), "-c", "album", "--prefix", "mine/"]
    told = await asyncio.to_thread(
        CliRunner().invoke, app, [*args, "--data", str(tmp_path / "cli")], obj=make
    )
    assert told.exit_code == 1, told.output  # one file is broken
    async with running(tmp_path, data="cli") as engine:
        by_command = comparable(await stored(engine, "album"))
    assert without_origin(by_command) == without_origin(by_job)
    assert len(by_job) == 4


async def test_a_pruning_job_removes_what_is_gone(tmp_path: Path) -> None:
    folder = write_words(tmp_path / "files" / "words", 40)
    task = IngestFolder(str(folder), "mine/", prune=True)
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        for prefix in ("mine/", "other/"):
            first = IngestFolder(str(folder), prefix)
            await over(engine.jobs, await engine.jobs.create("album", first))
        await engine.collections.upsert("album", [ItemInput(TextContent("own"), "mine/own")])
        for name in range(10, 40):
            (folder / f"{name:04}.txt").unlink()
        info = await over(engine.jobs, await engine.jobs.create("album", task))
        assert info.counts == JobCounts(40, unchanged=10, removed=30)
        assert info.counts.done == 40
        kept = {f"mine/{name:04}.txt" for name in range(10)} | {"mine/own"}
        assert set(await stored(engine, "album")) == kept | {
            f"other/{name:04}.txt" for name in range(40)
        }
        for file in folder.iterdir():
            file.unlink()
        (folder / "new.txt").write_text("another disk")
        refused = await over(engine.jobs, await engine.jobs.create("album", task))
        assert refused.state is JobState.FAILED
        assert refused.error is not None
        assert (refused.error.reason, refused.counts.done) == ("INVALID_ARGUMENT", 0)
        assert "of the 10 items that came from this one nothing" in refused.error.message
        assert kept <= set(await stored(engine, "album"))


def write_manifest(folder: Path, lines: list[Any], *more: str) -> IngestManifest:
    """Writes a list of files, with blank lines between, and what else is to be in it."""
    manifest = folder / "list.jsonl"
    manifest.write_text("\n\n".join([*(json.dumps(line) for line in lines), *more]))
    return IngestManifest(str(manifest))


async def test_a_manifest_names_files_ids_and_metadata(tmp_path: Path) -> None:
    folder = write_gallery(tmp_path / "files" / "gallery")
    picture = str(folder / "deep" / "red.png")
    lines: list[dict[str, Any]] = [
        {"path": "words.txt", "id": "apple", "metadata": {"year": 2020}},
        {"path": picture},
    ]
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        for year, counts in (
            (2020, JobCounts(2, added=2)),
            (2021, JobCounts(2, changed=1, unchanged=1)),
        ):
            lines[0]["metadata"]["year"] = year
            job = await engine.jobs.create("album", write_manifest(folder, lines))
            assert (await over(engine.jobs, job)).counts == counts
            items = await stored(engine, "album")
            assert set(items) == {"apple", picture}
            assert items["apple"].metadata["year"] == year


async def test_a_bad_line_of_a_manifest_costs_itself(tmp_path: Path) -> None:
    folder = write_gallery(tmp_path / "files" / "gallery")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (folder / "link.txt").symlink_to(secret)
    bad: dict[str, tuple[Any, str]] = {
        "line 3": ({"path": "words.txt"}, "an id must be there once, 'words.txt' is there again"),
        "gone.png": ({"path": "gone.png"}, "No such file or directory"),
        "../../secret.txt": ({"path": "../../secret.txt"}, "must lead to where jobs may read"),
        "link.txt": ({"path": "link.txt"}, "must lead to where jobs may read"),
        str(secret): ({"path": str(secret)}, "must lead to where jobs may read"),
        "deep": ({"path": "deep"}, "a path must lead to a file, got deep"),
        "line 15": ({"path": "a", "metadata": {"sha256": "mine"}}, "metadata ['sha256'] are kept"),
        "line 17": ({"path": "photo.png", "metdata": {}}, "got ['metdata']"),
        "line 19": ({"file": "photo.png"}, "with a text 'path'"),
        "nul": ({"path": "nul\0", "id": "nul"}, "no NUL character"),
        "line 23": ({"path": "\ud800.png"}, "must be valid Unicode"),
    }
    lines = [{"path": "words.txt"}, *(line for line, _ in bad.values())]
    task = write_manifest(folder, lines, "no JSON", "x" * 3_000_000)
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await over(engine.jobs, await engine.jobs.create("album", task))
        assert info.counts == JobCounts(len(lines) + 2, added=1, failed=len(bad) + 2)
        errors = (await engine.jobs.errors(info.id)).errors
    told = {each.id: each.error.message for each in errors}
    assert told.keys() == {*bad, "line 25", "line 27"}
    for name, (_, reason) in bad.items():
        assert reason in told[name]


async def test_a_job_is_told_as_over_when_that_is_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add, written = JobFiles.add_errors, threading.Event()

    def slowly(files: JobFiles, job: str, errors: Sequence[JobError]) -> None:
        time.sleep(0.1)
        add(files, job, errors)
        written.set()

    monkeypatch.setattr(JobFiles, "add_errors", slowly)
    folder = write_gallery(tmp_path / "files" / "gallery")
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        job = await engine.jobs.create("album", IngestFolder(str(folder)))
        assert (await over(engine.jobs, job)).counts.failed == 1
        assert written.is_set()
        assert [it.id for it in (await engine.jobs.errors(job.id)).errors] == ["broken.png"]


async def test_a_collection_is_embedded_again_in_another_space(tmp_path: Path) -> None:
    first, second = CountingEmbedder(), CountingEmbedder(name="second")
    async with running(tmp_path, first, second) as engine:
        await engine.collections.create(NewCollection("album"))
        items = [ItemInput(TextContent(f"word{n}"), f"{n}", {"n": n}) for n in range(40)]
        items += [ItemInput(MediaContent(Modality.IMAGE, image_bytes(photo())), "photo")]
        await engine.collections.upsert("album", items)
        bare = Settings.model_validate({"data": tmp_path / "data", "keep_content": False})
        engine.collections._settings = bare
        await engine.collections.upsert("album", [ItemInput(TextContent("bare"), "bare")])
        engine.collections._settings = engine.settings
        before = first.items

        job = await engine.jobs.create("again", Reembed("album", "second"))
        info = await over(engine.jobs, job)
        assert info.state is JobState.SUCCEEDED
        assert info.counts == JobCounts(42, added=41, failed=1)
        (error,) = (await engine.jobs.errors(info.id)).errors
        assert (error.id, error.error.reason) == ("bare", "CONTENT_NOT_KEPT")
        assert (first.items, second.items) == (before, 41)
        assert (await engine.collections.get("again")).model == "second"
        await engine.collections.create(NewCollection("direct", "second"))
        await engine.collections.upsert("direct", items)
        expected = comparable(await stored(engine, "direct"))
        assert comparable(await stored(engine, "again")) == expected
        with pytest.raises(CollectionExists):
            await engine.jobs.create("again", Reembed("album", "second"))
        with pytest.raises(CollectionNotFound):
            await engine.jobs.create("third", Reembed("nobody"))


@pytest.mark.parametrize("way", ["outside", "dots", "link", "relative", "nul", "gone"])
async def test_a_path_elsewhere_is_refused(tmp_path: Path, way: str) -> None:
    files = tmp_path / "files"
    files.mkdir()
    (tmp_path / "files-not").mkdir()
    (files / "link").symlink_to(tmp_path)
    paths = {
        "outside": str(tmp_path / "files-not"),
        "dots": f"{files}/../",
        "link": str(files / "link"),
        "relative": os.path.relpath(files),
        "nul": f"{files}\0",
        "gone": str(tmp_path / "nowhere"),
    }
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        for task in (IngestFolder(paths[way]), IngestManifest(paths[way])):
            with pytest.raises(PermissionDenied, match="below the server's job_folders"):
                await engine.jobs.create("album", task)
        assert await engine.jobs.list() == ()


async def test_without_the_setting_nothing_may_be_read(tmp_path: Path) -> None:
    async with running(tmp_path, job_folders=()) as engine:
        await engine.collections.create(NewCollection("album"))
        with pytest.raises(PermissionDenied, match="its setting job_folders names none"):
            await engine.jobs.create("album", IngestFolder(str(tmp_path)))


async def test_a_link_out_of_the_folders_costs_itself_alone(tmp_path: Path) -> None:
    folder = write_words(tmp_path / "files", 2)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "out.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "in.txt").symlink_to(folder / "0000.txt")
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await over(engine.jobs, await engine.jobs.create("album", IngestFolder(str(folder))))
        assert info.counts == JobCounts(4, added=3, failed=1)
        (error,) = (await engine.jobs.errors(info.id)).errors
        assert (error.id, error.error.reason) == ("out.txt", "UNREADABLE_FILE")
        assert set(await stored(engine, "album")) == {"0000.txt", "0001.txt", "in.txt"}


async def test_what_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    async with running(tmp_path) as engine:
        files = str(tmp_path / "files")
        with pytest.raises(CollectionNotFound):
            await engine.jobs.create("nobody", IngestFolder(files))
        with pytest.raises(InvalidRequest, match="path must be a folder"):
            await engine.jobs.create("nobody", IngestFolder(f"{files}/gone"))
        with pytest.raises(InvalidRequest, match="path must be a file"):
            await engine.jobs.create("nobody", IngestManifest(files))


async def test_cancelling_keeps_what_was_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # On a busy machine two batches may share a pass, and then be held up together.
    monkeypatch.setattr("service.ingest.ingest.BATCHES_IN_FLIGHT", 1)
    folder, model = write_words(tmp_path / "files" / "words", 100), CountingEmbedder(free=40)
    async with running(tmp_path, model) as engine:
        await engine.collections.create(NewCollection("album"))
        task = IngestFolder(str(folder))
        info = await engine.jobs.create("album", task)
        waiting = await engine.jobs.create("album", task)
        async for told in await engine.jobs.watch(info.id):
            if told.counts.added == 2 * BATCH_FILES:
                break
        assert told.state is JobState.RUNNING
        assert (await engine.jobs.cancel(waiting.id)).state is JobState.CANCELLED
        cancelled = await engine.jobs.cancel(info.id)
        model.gate.set()
        assert cancelled.state is JobState.CANCELLED
        assert await over(engine.jobs, info) == cancelled == await engine.jobs.cancel(info.id)
        kept = set(await stored(engine, "album"))
        assert cancelled.counts.added == len(kept) == 2 * BATCH_FILES
        assert await engine.jobs.list() == (await engine.jobs.get(waiting.id), cancelled)
        done = await over(engine.jobs, await engine.jobs.create("album", task))
        assert done.counts == JobCounts(100, added=100 - len(kept), unchanged=len(kept))


async def test_a_stopped_server_goes_on_after_its_next_start(tmp_path: Path) -> None:
    folder, model = write_words(tmp_path / "files" / "words", 100), CountingEmbedder(free=40)
    async with running(tmp_path, model) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await engine.jobs.create("album", IngestFolder(str(folder)))
        then = await engine.jobs.create("album", IngestFolder(str(folder), "again/"))
        watching = await engine.jobs.watch(info.id)
        await anext(watching)
        await asyncio.to_thread(model.is_held.wait)
        model.gate.set()
    assert [info async for info in watching] == []
    async with running(tmp_path) as engine:
        assert [each.id for each in await engine.jobs.list()] == [then.id, info.id]
        ended = await over(engine.jobs, info)
        assert ended.state is JobState.SUCCEEDED
        assert ended.counts.added + ended.counts.unchanged == 100
        assert ended.counts.unchanged >= 16
        assert (await over(engine.jobs, then)).counts == JobCounts(100, added=100)
        assert len(await stored(engine, "album")) == 200
    async with running(tmp_path) as engine:
        assert replace(await engine.jobs.get(info.id)) == ended


async def test_errors_are_kept_up_to_a_limit_and_listed_in_pages(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    for number in range(8):
        (folder / f"{number}.png").write_bytes(b"no picture")
    async with running(tmp_path, job_errors=5) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await over(engine.jobs, await engine.jobs.create("album", IngestFolder(str(folder))))
        assert info.counts == JobCounts(8, failed=8)
        found: list[JobError] = []
        token = ""
        while True:
            page = await engine.jobs.errors(info.id, page_size=2, page_token=token)
            found += page.errors
            if not (token := page.next_page_token):
                break
        assert [each.id for each in found] == [f"{number}.png" for number in range(5)]
        for wrong in ({"page_size": 0}, {"page_token": "x"}, {"page_token": "-1"}):
            with pytest.raises(InvalidRequest, match=next(iter(wrong))):
                await engine.jobs.errors(info.id, **wrong)


async def test_a_job_that_cannot_go_on_says_why(tmp_path: Path) -> None:
    folder, model = write_words(tmp_path / "files" / "words", 100), CountingEmbedder(free=0)
    async with running(tmp_path, model) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await engine.jobs.create("album", IngestFolder(str(folder)))
        await asyncio.to_thread(model.is_held.wait)
        await engine.collections.delete("album")
        model.gate.set()
        ended = await over(engine.jobs, info)
        assert (ended.state, ended.error and ended.error.reason) == (
            JobState.FAILED,
            "COLLECTION_NOT_FOUND",
        )


async def test_a_small_limit_on_requests_only_makes_smaller_requests(tmp_path: Path) -> None:
    folder = write_words(tmp_path / "files" / "words", 40)
    async with running(tmp_path, max_items=3, queue_size=3) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await over(engine.jobs, await engine.jobs.create("album", IngestFolder(str(folder))))
        assert info.counts == JobCounts(40, added=40)


async def test_more_files_than_the_limit_are_refused(tmp_path: Path) -> None:
    folder = write_words(tmp_path / "files" / "words", 4)
    async with running(tmp_path, max_job_items=3) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await over(engine.jobs, await engine.jobs.create("album", IngestFolder(str(folder))))
        assert info.error
        assert info.error.message == "a job may bring in at most 3 files, got more"


async def test_the_oldest_that_are_over_make_room(tmp_path: Path) -> None:
    folder, model = write_words(tmp_path / "files" / "words", 4), CountingEmbedder(free=4)
    async with running(tmp_path, model, max_jobs=2) as engine:
        await engine.collections.create(NewCollection("album"))
        done = [
            await over(engine.jobs, await engine.jobs.create("album", IngestFolder(str(folder))))
            for _ in range(3)
        ]
        assert await engine.jobs.list() == (done[2], done[1])
        assert {path.name for path in (tmp_path / "data" / ".jobs").iterdir()} == {
            each.id for each in done[1:]
        }
        more = write_words(tmp_path / "files" / "more", 5)
        held = [await engine.jobs.create("album", IngestFolder(str(more))) for _ in range(2)]
        await asyncio.to_thread(model.is_held.wait)
        with pytest.raises(Overloaded, match="at most 2 jobs"):
            await engine.jobs.create("album", IngestFolder(str(folder)))
        model.gate.set()
        for info in held:
            await over(engine.jobs, info)


async def test_a_job_is_seen_by_who_created_it_and_by_admins(tmp_path: Path) -> None:
    folder = write_words(tmp_path / "files" / "words", 4)
    writer = Caller("writer", frozenset({Scope.READ, Scope.WRITE}), frozenset({"album"}))
    other = Caller("other", frozenset({Scope.READ, Scope.WRITE}))
    limited = Caller("limited", frozenset(Scope), frozenset({"else"}))
    reader = Caller("reader", frozenset({Scope.READ}))
    async with running(tmp_path) as engine:
        for name in ("album", "else"):
            await engine.collections.create(NewCollection(name))
        task = IngestFolder(str(folder))
        caller.set(reader)
        with pytest.raises(PermissionDenied, match="scope write"):
            await engine.jobs.create("album", task)
        caller.set(writer)
        with pytest.raises(PermissionDenied, match="only the collections album"):
            await engine.jobs.create("else", task)
        with pytest.raises(PermissionDenied, match="only the collections album"):
            await engine.jobs.create("album", Reembed("else"))
        info = await over(engine.jobs, await engine.jobs.create("album", task))
        assert info.state is JobState.SUCCEEDED
        assert info.owner == "writer"
        for who in (other, limited, reader):
            caller.set(who)
            assert await engine.jobs.list() == ()
            for method in (engine.jobs.get, engine.jobs.watch, engine.jobs.errors):
                with pytest.raises(JobNotFound):
                    await method(info.id)
        caller.set(OWNER)
        assert await engine.jobs.list() == (info,)
        with pytest.raises(JobNotFound, match="there is no job 'nobody'"):
            await engine.jobs.get("nobody")


async def test_what_is_damaged_costs_itself_alone(tmp_path: Path) -> None:
    folder = write_words(tmp_path / "files" / "words", 4)
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        task = IngestFolder(str(folder))
        jobs = [await over(engine.jobs, await engine.jobs.create("album", task)) for _ in range(2)]
    kept = tmp_path / "data" / ".jobs"
    (kept / jobs[0].id / "job.json").write_text("{")
    (kept / "20260101t000000-00000000").mkdir()  # what a crash leaves of a creation
    async with running(tmp_path) as engine:
        assert await engine.jobs.list() == (jobs[1],)
        assert asdict(jobs[1]) == asdict(await engine.jobs.get(jobs[1].id))
    assert {path.name for path in kept.iterdir()} == {each.id for each in jobs}
