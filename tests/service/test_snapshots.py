"""Snapshots over real sockets: taken while writing, sent here and there, and what is refused."""

import os
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from indexes.errors import CollectionExists, InvalidSnapshot, SpaceMismatch, StorageError
from service.engine import Engine
from service.errors import InvalidRequest, PayloadTooLarge, SnapshotExists, SnapshotNotFound
from service.messages import ItemInput, NewCollection, QueryPart, SearchQuery, TextContent
from service.serve import listening
from service.settings import Settings
from service.snapshots import LEFT_SECONDS
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio

QUERY = SearchQuery([QueryPart(TextContent("red"))])


def settings(folder: Path, **options: object) -> Settings:
    return Settings.model_validate({"data": folder, "port": 0, "grpc_port": 0, **options})


async def in_pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), 1000):
        yield data[start : start + 1000]


async def album(engine: Engine) -> None:
    await engine.collections.create(NewCollection("album", indexed=("year",), recall_target=0.9))
    items = [ItemInput(TextContent(f"red word{n}"), str(n), {"year": n}) for n in range(20)]
    assert (await engine.collections.upsert("album", items)).ok == len(items)


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with Engine(settings(tmp_path / "data"), [FakeEmbedder()]) as running:
        await album(running)
        yield running


async def test_a_restored_collection_answers_as_it_did(engine: Engine) -> None:
    taken = await engine.snapshots.take("album")
    assert (taken.collection, taken.items, taken.model, taken.space) == (
        "album",
        20,
        "fake",
        FakeEmbedder().space.id,
    )
    assert taken.name.startswith("album-")
    assert taken.bytes == engine.snapshots._path(taken.name).stat().st_size
    before = await engine.collections.search("album", QUERY)
    await engine.collections.upsert("album", [ItemInput(TextContent("red"), "later")])
    made = await engine.snapshots.restore(taken.name, "again")
    assert (made.name, made.counts, made.indexed, made.recall_target) == (
        "again",
        {"text": 20},
        ("year",),
        0.9,
    )
    after = await engine.collections.search("again", QUERY)
    assert [(hit.id, hit.score, hit.metadata) for hit in after.hits] == [
        (hit.id, hit.score, hit.metadata) for hit in before.hits
    ]


async def test_snapshots_are_listed_and_deleted_and_no_collections(engine: Engine) -> None:
    assert await engine.snapshots.list() == ()
    one, two = await engine.snapshots.take("album"), await engine.snapshots.take("album")
    assert await engine.snapshots.list() == (one, two)
    await engine.snapshots.delete(one.name)
    assert await engine.snapshots.list() == (two,)
    assert [info.name for info in await engine.collections.list()] == ["album"]
    with pytest.raises(SnapshotNotFound, match="no snapshot named"):
        await engine.snapshots.delete(one.name)


async def test_a_file_that_is_sent_is_kept_and_restored(engine: Engine, tmp_path: Path) -> None:
    written = await engine.snapshots.write("album", tmp_path / "mine.snapshot")
    data = (tmp_path / "mine.snapshot").read_bytes()
    sent = await engine.snapshots.keep("sent.snapshot", in_pieces(data))
    assert (sent.name, sent.items, sent.bytes) == ("sent.snapshot", 20, len(data))
    assert written.bytes == len(data)
    await engine.collections.delete("album")
    assert (await engine.snapshots.restore("sent.snapshot")).name == "album"
    with pytest.raises(SnapshotExists):
        await engine.snapshots.keep("sent.snapshot", in_pieces(data))


async def test_what_is_no_whole_snapshot_changes_nothing(engine: Engine, tmp_path: Path) -> None:
    await engine.snapshots.write("album", tmp_path / "mine.snapshot")
    data = (tmp_path / "mine.snapshot").read_bytes()
    with pytest.raises(InvalidSnapshot):
        await engine.snapshots.keep("words.snapshot", in_pieces(b"no snapshot"))
    with pytest.raises(InvalidSnapshot):
        await engine.snapshots.keep("empty.snapshot", in_pieces(b""))
    (tmp_path / "cut.snapshot").write_bytes(data[: len(data) // 2])
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 1
    (tmp_path / "flipped.snapshot").write_bytes(flipped)
    for name in ("cut", "flipped"):
        with pytest.raises(InvalidSnapshot):
            await engine.snapshots.read(tmp_path / f"{name}.snapshot", "again")
    assert [info.name for info in await engine.collections.list()] == ["album"]
    assert await engine.snapshots.list() == ()
    assert list((tmp_path / "data" / ".snapshots").iterdir()) == []


async def test_a_name_that_is_taken_or_a_path_is_refused(engine: Engine, tmp_path: Path) -> None:
    taken = await engine.snapshots.take("album")
    with pytest.raises(CollectionExists):
        await engine.snapshots.restore(taken.name)
    with pytest.raises(StorageError):
        await engine.snapshots.write("album", engine.snapshots._path(taken.name))
    await engine.snapshots.write("album", tmp_path / "secret")
    for name in ("../../secret", "..", "", ".part-1", "a/b", "a\\b", str(tmp_path / "secret")):
        with pytest.raises(InvalidRequest, match="a snapshot's name"):
            await engine.snapshots.restore(name, "stolen")


async def test_a_foreign_space_is_refused_before_anything_changes(tmp_path: Path) -> None:
    async with Engine(settings(tmp_path), [FakeEmbedder()]) as before:
        await album(before)
        taken = await before.snapshots.take("album")
    async with Engine(settings(tmp_path), [FakeEmbedder(gap=1)]) as after:
        with pytest.raises(SpaceMismatch, match="fake-gap-0"):
            await after.snapshots.restore(taken.name, "again")
        assert [info.name for info in await after.collections.list()] == ["album"]


async def test_a_file_larger_than_the_limit_is_refused(tmp_path: Path) -> None:
    small = settings(tmp_path, max_snapshot_bytes=5000, max_body_bytes=1000)
    async with (
        Engine(small, [FakeEmbedder()]) as engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as client,
    ):
        with pytest.raises(PayloadTooLarge, match="at most 5000 bytes, got 6000"):
            await engine.snapshots.keep("large", in_pieces(bytes(9000)))
        large = await client.put("/v1/snapshots/large", content=bytes(9000))
        assert (large.status_code, large.json()["error"]["reason"]) == (413, "PAYLOAD_TOO_LARGE")
        body = await client.put("/v1/snapshots/body", content=bytes(4000))
        assert (body.status_code, body.json()["error"]["reason"]) == (400, "INVALID_SNAPSHOT")
        assert await engine.snapshots.list() == ()


async def test_a_download_tells_its_length_and_goes_on_where_it_broke_off(
    http: httpx.AsyncClient,
) -> None:
    await http.post("/v1/collections", json={"name": "album"})
    taken = (await http.post("/v1/collections/album:snapshot")).json()
    whole = await http.get(f"/v1/snapshots/{taken['name']}")
    assert int(whole.headers["content-length"]) == taken["bytes"] == len(whole.content)
    assert whole.headers["content-type"] == "application/octet-stream"
    rest = await http.get(f"/v1/snapshots/{taken['name']}", headers={"range": "bytes=100-"})
    assert (rest.status_code, rest.content) == (206, whole.content[100:])


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("bytes=0-0", 206),
        ("bytes=-5", 206),
        ("bytes=0-999999999999999999", 206),
        *((each, 416) for each in ("bytes=999999999-", "bytes=-0", "bytes=999999999999999999-")),
        *((each, 200) for each in ("", "bytes=", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2")),
        *((each, 200) for each in ("bytes=-", "\xb2", "bytes=" + "9" * 5000 + "-")),
    ],
)
async def test_a_range_is_answered_refused_or_passed_by(
    http: httpx.AsyncClient, asked: str, status: int
) -> None:
    await http.post("/v1/collections", json={"name": "album"})
    name = (await http.post("/v1/collections/album:snapshot")).json()["name"]
    whole = await http.get(f"/v1/snapshots/{name}")
    for path in (f"/v1/snapshots/{name}", "/docs"):
        answer = await http.get(path, headers={b"range": asked.encode("latin-1")})
        assert answer.status_code == (status if path != "/docs" else 200)
        if answer.status_code == 416:
            assert answer.json()["error"]["reason"] == "RANGE_NOT_SATISFIABLE"
        elif answer.status_code == 206:
            assert answer.content in whole.content
        elif path != "/docs":
            assert answer.content == whole.content


async def test_what_a_killed_process_left_is_swept_up(tmp_path: Path) -> None:
    folder = tmp_path / ".snapshots"
    folder.mkdir()
    for name, age in ((".old.partial", LEFT_SECONDS + 60), (".new.partial", 0), ("mine", 1e7)):
        (folder / name).write_text("bytes")
        os.utime(folder / name, (time.time() - age,) * 2)
    async with Engine(settings(tmp_path), [FakeEmbedder()]):
        assert {path.name for path in folder.iterdir()} == {".new.partial", "mine"}
