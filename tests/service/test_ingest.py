"""A folder becomes items: only what is new, and every file has an outcome."""

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from embedder.media import Modality
from service.ingest.folder import File, list_files
from service.ingest.ingest import BATCH_BYTES, BATCH_FILES, Fate, Ingest, Outcome, batches
from service.messages import (
    Content,
    EmbedAnswer,
    ItemError,
    ItemInput,
    ItemResult,
    MediaContent,
    ModelInfo,
    NewCollection,
    SearchAnswer,
    SearchQuery,
    StoredItem,
    TextContent,
)
from tests.samples import audio_bytes, image_bytes, photo, tone


class DictBackend:
    """A backend that keeps items in a dictionary and refuses the content that it is told to."""

    def __init__(self, refused: bytes = b"nothing") -> None:
        self.stored: dict[str, ItemInput] = {}
        self.requests: list[list[str]] = []
        self._refused = refused

    async def models(self) -> Sequence[ModelInfo]:
        return ()

    async def embed(self, contents: Sequence[Content], *, windows: bool = False) -> EmbedAnswer:
        raise NotImplementedError

    async def ensure_collection(self, new: NewCollection) -> None:
        raise NotImplementedError

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        raise NotImplementedError

    async def items(self, collection: str) -> AsyncIterator[StoredItem]:
        for item in self.stored.values():
            yield StoredItem(item.id or "", Modality.TEXT, item.metadata, "", True)

    async def upsert(
        self, collection: str, items: Sequence[ItemInput], *, windows: bool = False
    ) -> Sequence[ItemResult]:
        self.requests.append([item.id or "" for item in items])
        return [self._store(index, item) for index, item in enumerate(items)]

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        for name in ids:
            self.stored.pop(name, None)

    def _store(self, index: int, item: ItemInput) -> ItemResult:
        if isinstance(item.content, MediaContent) and self._refused in item.content.data:
            return ItemResult(index, item.id, error=ItemError("UNDECODABLE_MEDIA", "it is broken"))
        self.stored[item.id or ""] = item
        return ItemResult(index, item.id)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture, a sound behind a wrong name, a text, and what is no media."""
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.png").write_bytes(image_bytes(photo()))
    (tmp_path / "deep" / "er" / "sound.jpg").write_bytes(audio_bytes(tone()))
    (tmp_path / "deep" / "note.txt").write_text("a red apple", encoding="utf-8")
    (tmp_path / "deep" / "data.csv").write_text("1,2,3", encoding="utf-8")
    (tmp_path / ".hidden.png").write_bytes(image_bytes(photo()))
    return tmp_path


def run(backend: DictBackend, folder: Path, max_item_bytes: int = 10**9) -> dict[str, Outcome]:
    """Ingests a folder and returns the outcomes by id."""

    async def collect() -> dict[str, Outcome]:
        ingest = Ingest(backend, "default", max_item_bytes)
        return {outcome.id: outcome async for outcome in ingest.run(list_files(folder))}

    return asyncio.run(collect())


def fates(outcomes: dict[str, Outcome]) -> dict[str, Fate]:
    return {name: outcome.fate for name, outcome in outcomes.items()}


def test_content_says_what_a_file_is(folder: Path) -> None:
    backend = DictBackend()
    assert fates(run(backend, folder)) == {
        "a.png": Fate.ADDED,
        "deep/er/sound.jpg": Fate.ADDED,
        "deep/note.txt": Fate.ADDED,
        "deep/data.csv": Fate.PASSED_BY,
    }
    sound = backend.stored["deep/er/sound.jpg"].content
    assert isinstance(sound, MediaContent)
    assert sound.modality is Modality.AUDIO
    assert backend.stored["deep/note.txt"].content == TextContent("a red apple")


@pytest.mark.parametrize("name", ["a.txt", "README.md", "deep.RST"])
def test_texts_are_known_by_their_names(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("# a red apple\n", encoding="utf-8")
    for other in ("a.html", "a.json", "a.pdf", "a.py", "md"):
        (tmp_path / other).write_text("a red apple", encoding="utf-8")
    backend = DictBackend()
    outcomes = fates(run(backend, tmp_path))
    assert outcomes.pop(name) is Fate.ADDED
    assert set(outcomes.values()) == {Fate.PASSED_BY}
    assert backend.stored[name].content == TextContent("# a red apple\n")


def test_second_run_stores_only_what_is_new(folder: Path) -> None:
    backend = DictBackend()
    run(backend, folder)
    backend.requests.clear()
    (folder / "b.png").write_bytes(image_bytes(photo(seed=1)))
    outcomes = fates(run(backend, folder))
    assert backend.requests == [["b.png"]]
    assert outcomes["b.png"] is Fate.ADDED
    assert outcomes["a.png"] is outcomes["deep/note.txt"] is Fate.UNCHANGED


def test_changed_content_is_stored_again_and_a_mere_touch_is_not(folder: Path) -> None:
    backend = DictBackend()
    run(backend, folder)
    backend.requests.clear()
    (folder / "a.png").write_bytes(image_bytes(photo(seed=2)))
    os.utime(folder / "deep" / "note.txt", ns=(10**18, 10**18))
    outcomes = fates(run(backend, folder))
    assert backend.requests == [["a.png"]]
    assert outcomes["a.png"] is Fate.CHANGED
    assert outcomes["deep/note.txt"] is Fate.UNCHANGED


def test_what_cannot_be_read_is_told_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "good.png").write_bytes(image_bytes(photo()))
    (tmp_path / "broken.png").write_bytes(image_bytes(photo(seed=3))[:-20])
    (tmp_path / "empty.wav").write_bytes(b"")
    (tmp_path / "latin.txt").write_bytes("é".encode("latin-1"))
    (tmp_path / "words.jpg").write_text("no picture", encoding="utf-8")
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere")
    (tmp_path / "large.bmp").write_bytes(image_bytes(photo(size=(400, 400)), "BMP"))
    backend = DictBackend(refused=image_bytes(photo(seed=3))[:-20])
    outcomes = run(backend, tmp_path, max_item_bytes=100_000)
    assert set(backend.stored) == {"good.png"}
    reasons = {o.id: o.reason for o in outcomes.values() if o.fate is Fate.FAILED}
    assert reasons == {
        "broken.png": "it is broken",
        "empty.wav": "a file must not be empty",
        "latin.txt": reasons["latin.txt"],
        "words.jpg": "a file must hold a picture or a sound, or be a text called .md, .rst, .txt; "
        "it begins with b'no pictu'",
        "gone.png": "No such file or directory",
        "large.bmp": "an item must have at most 100000 bytes, got 480054",
    }
    assert "UTF-8" in reasons["latin.txt"]


def test_a_name_that_is_no_text_is_refused_and_can_be_shown(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.txt")).write_text(
        "coffee", encoding="utf-8"
    )
    (outcome,) = run(DictBackend(), tmp_path).values()
    assert outcome.fate is Fate.FAILED
    assert "must be UTF-8" in outcome.reason
    assert outcome.id.encode() == b"caf\\udce9.txt"


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path) -> None:
    listing = list_files(tmp_path / "gone")
    assert listing.unreadable == {".": "No such file or directory"}


def test_a_prefix_keeps_two_folders_apart(folder: Path) -> None:
    assert next(file.id for file in list_files(folder, "mine/").files) == "mine/a.png"


def test_outcomes_told_before_a_stop_are_stored(tmp_path: Path) -> None:
    for number in range(3 * BATCH_FILES):
        (tmp_path / f"{number:03}.txt").write_text(f"text {number}", encoding="utf-8")
    backend = DictBackend()

    async def stop_after(count: int) -> set[str]:
        told: set[str] = set()
        outcomes = Ingest(backend, "default", 10**9).run(list_files(tmp_path))
        async for outcome in outcomes:
            told.add(outcome.id)
            if len(told) == count:
                break
        await outcomes.aclose()
        return told

    told = asyncio.run(stop_after(BATCH_FILES + 1))
    assert told <= set(backend.stored)
    outcomes = fates(run(backend, tmp_path))
    assert len(outcomes) == len(backend.stored) == 3 * BATCH_FILES
    assert all(outcomes[name] is Fate.UNCHANGED for name in told)


def test_batches_are_bounded_in_files_and_bytes() -> None:
    sizes = [1] * (BATCH_FILES + 1) + [BATCH_BYTES, 2 * BATCH_BYTES, 1]
    files = [File(str(i), Path(str(i)), size, "") for i, size in enumerate(sizes)]
    cut = [[file.bytes for file in batch] for batch in batches(files)]
    assert cut == [[1] * BATCH_FILES, [1], [BATCH_BYTES], [2 * BATCH_BYTES], [1]]
