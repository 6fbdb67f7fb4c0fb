"""What is gone from a folder goes from the collection, if that is asked, and nothing else does."""

import asyncio
import platform
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest

from indexes.local.folder import FolderStore
from service.errors import InvalidRequest
from service.ingest.folder import SOUND, Listing, list_files, origin_of
from service.ingest.ingest import BATCH_FILES, Fate, Ingest, Outcome
from service.messages import ItemInput, TextContent
from tests.samples import colours, film_bytes, image_bytes, photo, tone
from tests.service.test_cli import data, kindred, said
from tests.service.test_ingest import DictBackend

__all__ = ["data"]

FILM = film_bytes(colours("red"), sound=tone(440, seconds=1, sample_rate=48_000))
SILENT = film_bytes(colours("blue"))


def index(backend: DictBackend, listing: Listing, *, prune: bool = False) -> Mapping[str, Fate]:
    """Ingests what is listed, prunes if that is asked, and returns every fate."""

    async def work() -> list[Outcome]:
        ingest = Ingest(backend, "default", 10**9)
        known = await ingest.survey(listing)
        gone = known.removable() if prune else {}
        stored = [outcome async for outcome in ingest.run(listing, known)]
        return stored + [outcome async for outcome in ingest.remove(gone)]

    return {outcome.id: outcome.fate for outcome in asyncio.run(work())}


def texts(folder: Path, *names: str) -> Path:
    """Writes files of one word each."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def test_only_what_came_from_this_folder_and_is_gone_is_removed(tmp_path: Path) -> None:
    here = texts(tmp_path / "here", "a.txt", "b.txt", "deep/c.txt")
    there = texts(tmp_path / "there", "d.txt")
    (here / "clip.mp4").write_bytes(FILM)
    backend = DictBackend()
    index(backend, list_files(here))
    index(backend, list_files(there))
    index(backend, list_files(here, "again/"))
    index(backend, list_files(here, machine="other"))  # the same ids: nothing is stored anew
    backend.stored["sent"] = ItemInput(TextContent("sent"), "sent", {"year": 2020})
    before = {"bytes": 3, "modified": "2020", "sha256": "0"}
    backend.stored["before.txt"] = ItemInput(TextContent("old"), "before.txt", before)
    kept = set(backend.stored)
    for name in ("b.txt", "deep/c.txt", "clip.mp4"):
        (here / name).unlink()
    (there / "d.txt").unlink()
    assert index(backend, list_files(here)) == {"a.txt": Fate.UNCHANGED}
    assert index(backend, list_files(here), prune=True) == {
        "a.txt": Fate.UNCHANGED,
        **dict.fromkeys(["b.txt", "deep/c.txt", "clip.mp4", "clip.mp4" + SOUND], Fate.REMOVED),
    }
    assert set(backend.stored) == kept - {"b.txt", "deep/c.txt", "clip.mp4", "clip.mp4" + SOUND}


def test_what_could_not_be_looked_at_is_not_gone(tmp_path: Path) -> None:
    texts(tmp_path, "a.txt", "b.txt", "closed/c.txt", "closed/er/d.txt", "closedness.txt")
    backend, listing = DictBackend(), list_files(tmp_path, "p/")
    index(backend, listing)
    seen = [file for file in listing.files if file.id == "p/a.txt"]
    reasons = {"p/closed": "Permission denied", "p/b.txt": "Input/output error"}
    fates = index(backend, replace(listing, files=seen, unreadable=reasons), prune=True)
    removed = {name for name, fate in fates.items() if fate is Fate.REMOVED}
    assert removed == {"p/closedness.txt"}


def test_a_folder_that_came_to_nothing_is_refused_before_anything_is_stored(tmp_path: Path) -> None:
    texts(tmp_path, "a.txt", "b.txt")
    backend = DictBackend()
    index(backend, list_files(tmp_path), prune=True)
    for file in tmp_path.iterdir():
        file.unlink()
    for listing in (list_files(tmp_path), list_files(texts(tmp_path, "other.txt"))):
        with pytest.raises(InvalidRequest, match=r"of the 2 items .* nothing is in it any more"):
            index(backend, listing, prune=True)
    assert set(backend.stored) == {"a.txt", "b.txt"}


def test_what_is_stored_anew_meanwhile_stays(tmp_path: Path) -> None:
    names = [f"{number:03}.txt" for number in range(2 * BATCH_FILES)]
    texts(tmp_path, "kept.txt", *names)
    backend = DictBackend()
    index(backend, list_files(tmp_path))
    for name in names:
        (tmp_path / name).unlink()

    async def work() -> list[str]:
        ingest = Ingest(backend, "default", 10**9)
        gone = (await ingest.survey(list_files(tmp_path))).removable()
        mine = replace(backend.stored["007.txt"], metadata={"year": 2020})
        backend.stored["007.txt"] = mine
        return [outcome.id async for outcome in ingest.remove(gone)]

    assert sorted(asyncio.run(work())) == [name for name in names if name != "007.txt"]
    assert set(backend.stored) == {"kept.txt", "007.txt"}


def test_what_a_stop_left_is_removed_the_next_time(tmp_path: Path) -> None:
    texts(tmp_path, "kept.txt", *(f"{number:03}.txt" for number in range(3 * BATCH_FILES)))
    backend = DictBackend()
    index(backend, list_files(tmp_path))
    for number in range(3 * BATCH_FILES):
        (tmp_path / f"{number:03}.txt").unlink()

    async def stopped() -> set[str]:
        ingest = Ingest(backend, "default", 10**9)
        outcomes = ingest.remove((await ingest.survey(list_files(tmp_path))).removable())
        told = {(await anext(outcomes)).id for _ in range(BATCH_FILES + 1)}
        await outcomes.aclose()
        return told

    told = asyncio.run(stopped())
    assert told.isdisjoint(backend.stored)
    assert len(backend.stored) == 1 + BATCH_FILES
    fates = index(backend, list_files(tmp_path), prune=True)
    assert list(fates.values()) == [Fate.UNCHANGED, *[Fate.REMOVED] * BATCH_FILES]
    assert set(backend.stored) == {"kept.txt"}


def test_an_origin_is_of_one_folder_prefix_and_machine_and_tells_none(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    asked = [
        (tmp_path, "", ""),
        (tmp_path, "a", ""),
        (tmp_path, "", "a"),
        (tmp_path.parent, "", ""),
    ]
    found = [origin_of(*each) for each in asked]
    assert len(set(found)) == 4
    assert origin_of(tmp_path / "link", "", "") == found[0]
    assert all(len(each) == 16 and int(each, 16) for each in found)


@pytest.mark.parametrize("after", [SILENT, image_bytes(photo()), b"words"])
def test_a_film_that_is_silent_by_now_is_heard_no_more(tmp_path: Path, after: bytes) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(FILM)
    texts(tmp_path, "own.txt", "own.txt#sound")
    backend = DictBackend(refused=b"words")
    index(backend, list_files(tmp_path))
    assert set(backend.stored) == {"clip.mp4", "clip.mp4#sound", "own.txt"}
    own = replace(backend.stored["own.txt"], id="own.txt#sound")  # a file of this very name
    backend.stored["own.txt#sound"] = own
    texts(tmp_path, "own.txt").joinpath("own.txt").write_text("changed", encoding="utf-8")
    clip.write_bytes(after)
    index(backend, list_files(tmp_path))
    heard = {"clip.mp4#sound"} if after == b"words" else set()  # then the film stays as it was
    assert set(backend.stored) == {"clip.mp4", "own.txt", "own.txt#sound", *heard}


def _answered(answer: bool, asked: list[str], question: str, *, err: bool) -> bool:
    asked.append(question)
    return answer and err


class TestCommand:
    """`kindred index --prune`, on a folder of collections."""

    def test_asks_before_it_removes(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = texts(tmp_path / "texts", *(f"{number}.txt" for number in range(8)))
        assert kindred("index", folder, "--data", data).exit_code == 0
        for number in range(7):
            (folder / f"{number}.txt").unlink()
        args = ("index", folder, "--data", data, "--prune")
        unasked = kindred(*args)
        assert (unasked.exit_code, unasked.stdout) == (2, "")
        assert "nobody can answer here: give --yes" in said(unasked)
        terminal = SimpleNamespace(isatty=lambda: True)
        monkeypatch.setattr("service.cli.index.sys", SimpleNamespace(stdin=terminal))
        asked: list[str] = []
        for answer, stored in ((False, 8), (True, 1)):
            confirm = partial(_answered, answer, asked)
            monkeypatch.setattr("typer.confirm", confirm)
            result = kindred(*args)
            assert result.exit_code == 0, result.output
            assert asked.pop() == "Remove 7 items from default?"
            assert "0.txt, 1.txt, 2.txt, 3.txt, 4.txt and 2 more" in said(result)
            told = "default: 1 unchanged, 7 removed, in " if answer else "default: 1 unchanged, in "
            assert result.stdout.startswith(told)
            with FolderStore(data) as store:
                assert store.open("default").count() == {"text": stored}

    def test_removes_unasked_and_tells_of_what_stays(
        self, tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder = texts(tmp_path / "texts", "a.txt", "b.txt", "c.txt")
        kindred("index", folder, "--data", data)
        monkeypatch.setattr(platform, "node", lambda: "renamed")
        texts(folder, "d.txt", "e.txt")
        kindred("index", folder, "--data", data)
        for name in "ae":
            (folder / f"{name}.txt").unlink()
        result = kindred("index", folder, "--data", data, "--prune", "--yes", "--verbose")
        assert result.exit_code == 0, result.output
        assert result.stdout.startswith("default: 3 unchanged, 1 removed, in ")
        assert "- e.txt" in result.stderr
        assert "of files elsewhere, and left: 1 item\n" in result.stderr

    def test_refuses_a_folder_that_came_to_nothing(self, tmp_path: Path, data: Path) -> None:
        folder = texts(tmp_path / "texts", "a.txt")
        kindred("index", folder, "--data", data)
        (folder / "a.txt").unlink()
        result = kindred("index", folder, "--data", data, "--prune", "--yes")
        assert result.exit_code == 2
        assert "is its disk mounted?" in said(result)
