"""Folders and manifests that somebody made to hurt: each file or line costs itself alone."""

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path

import pytest

from embedder.errors import MediaTooLarge, UndecodableMedia
from service.errors import InvalidRequest, PermissionDenied
from service.ingest.folder import file_of, list_files, read_media
from service.jobs.messages import IngestFolder, IngestManifest, JobInfo, JobState
from service.messages import NewCollection
from tests.service.jobs.test_jobs import over, running, stored

pytestmark = pytest.mark.anyio

Told = tuple[JobInfo, dict[str, str], Set[str]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that jobs may read, with one good file."""
    made = tmp_path / "files"
    made.mkdir()
    (made / "good.txt").write_text("good")
    return made


async def _ended(
    tmp_path: Path, task: IngestFolder | IngestManifest, *, data: str = "data", most: int = 100
) -> Told:
    """Returns how a job ended, what was wrong with items by id, and the ids that are stored."""
    async with running(tmp_path, data=data, max_job_items=most) as engine:
        await engine.collections.create(NewCollection("album"))
        info = await over(engine.jobs, await engine.jobs.create("album", task))
        errors = (await engine.jobs.errors(info.id, page_size=1000)).errors
        return info, {it.id: it.error.message for it in errors}, set(await stored(engine, "album"))


async def test_what_is_no_file_is_never_opened(tmp_path: Path, folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket.txt"))
    for name, place in (("zero", "/dev/zero"), ("mem", "/proc/self/mem"), ("round", "round.txt")):
        (folder / f"{name}.txt").symlink_to(place)
    (folder / "here").symlink_to(folder)
    info, told, ids = await _ended(tmp_path, IngestFolder(str(folder)))
    assert (info.state, ids) == (JobState.SUCCEEDED, {"good.txt"})
    assert told == {
        "round.txt": "Too many levels of symbolic links",
        "mem.txt": "a link must not lead out of the folders that job_folders names",
    }


async def test_a_name_that_is_no_id_costs_itself(tmp_path: Path, folder: Path) -> None:
    names = ("line\nfeed", "\x1b[2Jescape", "\x7f", "tab\t")
    for name in names:
        (folder / f"{name}.txt").write_text("words")
    coffee = Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9"))
    coffee.mkdir()
    (coffee / "in.txt").write_text("coffee")
    info, told, ids = await _ended(tmp_path, IngestFolder(str(folder)))
    assert (info.state, ids) == (JobState.SUCCEEDED, {"good.txt"})
    assert "must be UTF-8" in told.pop("caf\\udce9/in.txt")
    assert told.keys() == {f"{name}.txt" for name in names}
    assert all("no control character" in reason for reason in told.values())


@contextmanager
def _deep_folders(folder: Path, levels: int) -> Iterator[Path]:
    """Yields the deepest of folders within each other, and removes all: `shutil` calls itself."""
    deepest = folder.joinpath(*["d"] * levels)
    made = folder
    for _ in range(levels):
        made /= "d"
        made.mkdir()
    try:
        yield deepest
    finally:
        while made != folder:
            for file in made.glob("*.txt"):
                file.unlink()
            made.rmdir()
            made = made.parent


async def test_folders_may_be_deeper_than_python_calls(tmp_path: Path, folder: Path) -> None:
    with _deep_folders(folder, 1100) as deepest:
        (deepest / "deep.txt").write_text("deep")
        (found,) = (file for file in list_files(folder).files if file.id != "good.txt")
        assert (found.id, found.bytes) == ("d/" * 1100 + "deep.txt", 4)
        info, told, ids = await _ended(tmp_path, IngestFolder(str(folder)))
    assert (info.state, ids) == (JobState.SUCCEEDED, {"good.txt"})
    assert "an id" in told[found.id]


@pytest.mark.parametrize("seconds", [1e17, -1e17])
def test_a_time_that_no_calendar_has_is_refused(folder: Path, seconds: float) -> None:
    times = [int(seconds)] * 3
    status = os.stat_result((0o100644, 1, 1, 1, 0, 0, 4, *times))
    with pytest.raises(InvalidRequest, match=r"of the years 1 to 9999, got -?1e\+17 s"):
        file_of("good.txt", folder / "good.txt", status)


LINES: Mapping[str, tuple[str, str]] = {
    "a circle of links": ('{"path": "round"}', "must lead to a file, got round|symbolic links"),
    "beyond a circle": ('{"path": "round/x"}', "symbolic links|Not a directory|No such file"),
    "a long name": (f'{{"path": "{"a" * 5000}"}}', "File name too long"),
    "a long path": (f'{{"path": "{"a/" * 3000}"}}', "File name too long"),
    "a pipe": ('{"path": "pipe"}', "must lead to a file, got pipe"),
    "a device": ('{"path": "/dev/zero"}', "must lead to where jobs may read"),
    "a process": ('{"path": "/proc/self/mem"}', "must lead to where jobs may read"),
    "deep": ("[" * 100_000, "must be a JSON object"),
    "digits": ('{"path": ' + "9" * 5000 + "}", "must be a JSON object"),
    "half a letter": (r'{"path": "good.txt", "id": "a", "metadata": {"a": "\ud800"}}', "Unicode"),
    "no number": ('{"path": "good.txt", "id": "a", "metadata": {"a": NaN}}', "finite, got nan"),
    "too large": ('{"path": "good.txt", "id": "a", "metadata": {"a": 1e999}}', "finite, got inf"),
    "nested": (
        '{"path": "good.txt", "id": "a", "metadata": {"a": ' + "[" * 900 + "]" * 900 + "}}",
        "32 levels deep",
    ),
}


async def test_a_line_that_was_made_to_hurt_costs_itself(tmp_path: Path, folder: Path) -> None:
    (folder / "round").symlink_to("round")
    os.mkfifo(folder / "pipe")
    for name, (line, reason) in LINES.items():
        (folder / "list").write_text(json.dumps({"path": "good.txt"}) + "\n" + line)
        task = IngestManifest(str(folder / "list"))
        data = name.replace(" ", "-")
        info, told, ids = await _ended(tmp_path, task, data=data)
        assert (info.state, ids) == (JobState.SUCCEEDED, {"good.txt"}), name
        (said,) = told.values()
        assert any(each in said for each in reason.split("|")), (name, said)


@pytest.mark.parametrize("path", ["round", "round/x", "a" * 5000, "a/" * 3000])
async def test_a_job_of_a_path_that_leads_nowhere_is_refused(
    tmp_path: Path, folder: Path, path: str
) -> None:
    (folder / "round").symlink_to("round")
    async with running(tmp_path) as engine:
        await engine.collections.create(NewCollection("album"))
        for kind in (IngestFolder, IngestManifest):
            with pytest.raises((InvalidRequest, PermissionDenied), match=r"path must be|may read"):
                await engine.jobs.create("album", kind(str(folder / path)))


@pytest.mark.parametrize("kind", ["folder", "good lines", "bad lines"])
async def test_more_files_than_a_job_may_bring_in_are_not_even_listed(
    tmp_path: Path, folder: Path, kind: str
) -> None:
    for number in range(4):
        (folder / f"{number}.txt").write_text("words")
    names = (
        [f"{n}.txt" for n in range(4)] if kind == "good lines" else [f"no-{n}" for n in range(4)]
    )
    (folder / "list").write_text("\n".join(json.dumps({"path": name}) for name in names))
    task = IngestFolder(str(folder)) if kind == "folder" else IngestManifest(str(folder / "list"))
    info, _, ids = await _ended(tmp_path, task, most=3)
    assert (info.state, ids) == (JobState.FAILED, set())
    assert info.error
    assert info.error.message == "a job may bring in at most 3 files, got more"


def test_a_file_that_grows_is_read_no_further_than_an_item_may_be(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fstat: Callable[[int], os.stat_result] = os.fstat

    def before_it_grew(file: int) -> os.stat_result:
        found = fstat(file)
        return os.stat_result((*found[:6], 10, *found[7:]))

    (folder / "log.txt").write_text("x" * 1_000)
    monkeypatch.setattr("os.fstat", before_it_grew)
    with pytest.raises(MediaTooLarge, match="at most 100 bytes; this one grows"):
        read_media(folder / "log.txt", 100)
    assert read_media(folder / "log.txt", 1_000) == b"x" * 1_000


def test_a_file_that_became_a_pipe_is_waited_for_by_nobody(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")
    with pytest.raises(UndecodableMedia, match="no file any more"):
        read_media(folder / "pipe.txt", 1_000)


async def test_a_file_that_is_gone_when_it_is_read_costs_itself(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gone.txt").write_text("words")
    listed = list_files

    def then_gone(*given: object) -> object:
        listing = listed(*given)  # type: ignore[arg-type]
        (folder / "gone.txt").unlink()
        return listing

    monkeypatch.setattr("service.jobs.tasks.list_files", then_gone)
    _, told, ids = await _ended(tmp_path, IngestFolder(str(folder)))
    assert (told, ids) == ({"gone.txt": "No such file or directory"}, {"good.txt"})
