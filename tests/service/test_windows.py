"""Windows and films from end to end, with a model whose every answer can be predicted."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from typer.testing import CliRunner

from embedder.decode import decode_audio, decode_video, sound_track
from embedder.frames import evenly
from embedder.media import Audio, Modality, Text
from embedder.windows import Window, WindowVectors
from kindred.v1 import content_pb2 as content_pb
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from service.cli import app
from service.engine import Engine
from service.messages import (
    Content,
    ItemInput,
    MediaContent,
    NewCollection,
    QueryPart,
    SearchQuery,
    TextContent,
)
from service.serve import Addresses
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.samples import audio_bytes, colours, film_bytes, image_bytes, picture, tone

pytestmark = pytest.mark.anyio

LOUDNESS = [0.02] * 9 + [0.9] * 5 + [0.02] * 3
"""Of a sound of 17 seconds, which is loud from the ninth to the fourteenth."""
LONG = Audio(np.concatenate([tone(loudness=loud).samples for loud in LOUDNESS], axis=1), 16_000)
SONG = audio_bytes(LONG)
FILM = film_bytes(
    colours(*["blue"] * 8, *["red"] * 5, *["green"] * 4, rate=4),
    rate=4,
    sound=Audio(LONG.samples.repeat(3, axis=1), 48_000),
)
"""A film of 17 seconds, red from the eighth to the thirteenth, with the sound above, lower."""


def heard(data: bytes) -> MediaContent:
    return MediaContent(Modality.AUDIO, data)


def seen(data: bytes) -> MediaContent:
    return MediaContent(Modality.IMAGE, data)


def settings(folder: Path, **options: object) -> Settings:
    return Settings.model_validate({"data": folder, "decode_workers": 0, **options})


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with Engine(settings(tmp_path), [FakeEmbedder(gap=0.5)]) as running:
        yield running


def assert_equal(found: WindowVectors | None, expected: WindowVectors) -> None:
    assert found is not None
    assert found.windows == expected.windows
    np.testing.assert_allclose(found.vectors, expected.vectors, atol=1e-6)


async def test_windows_are_the_models_own(engine: Engine) -> None:
    model = FakeEmbedder(gap=0.5)
    contents: list[Content] = [
        heard(SONG),
        TextContent("red"),
        seen(FILM),
        heard(FILM),
        heard(b"RIFF"),
    ]
    answer = await engine.embed([*contents, seen(image_bytes(picture()))], windows=True)
    song, words, film, track, broken, still = answer.results
    assert_equal(song.windows, model.embed_windows(decode_audio(SONG)))
    assert_equal(film.windows, model.embed_windows(decode_video(FILM)))
    assert_equal(track.windows, model.embed_windows(decode_audio(FILM)))
    assert_equal(words.windows, model.embed_windows(Text("red")))
    assert still.windows is not None
    assert still.windows.windows == (Window(0, 0),)
    assert broken.error is not None
    assert broken.windows is None
    assert (film.modality, track.modality) == ("image", "audio")
    assert film.treatment.windows == len(evenly(4, 68))
    plain = (await engine.embed([heard(SONG)])).results[0]
    assert plain.windows is None
    assert plain.vector is not None
    np.testing.assert_array_equal(plain.vector, song.vector)


async def test_windows_are_cut_to_dimensions_and_cost_what_they_cost(engine: Engine) -> None:
    plain = await engine.embed([heard(SONG)])
    answer = await engine.embed([heard(SONG)], windows=True, dimensions=20)
    found = answer.results[0].windows
    assert found is not None
    assert found.vectors.shape == (len(found.windows), 20)
    np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-6)
    assert answer.units == plain.units + len(found.windows)


async def test_settings_say_how_long_windows_are_and_how_many(tmp_path: Path) -> None:
    chosen = settings(tmp_path, window_seconds=8.0, max_windows=3)
    async with Engine(chosen, [FakeEmbedder()]) as engine:
        found = (await engine.embed([heard(SONG)], windows=True)).results[0].windows
    assert found is not None
    assert found.windows == (Window(0, 8.5), Window(4.25, 12.75), Window(8.5, 17))


async def stored(engine: Engine, *, windows: bool) -> None:
    await engine.collections.create(NewCollection("library"))
    items = [
        ItemInput(heard(SONG), "song"),
        ItemInput(seen(FILM), "film"),
        ItemInput(heard(audio_bytes(tone(seconds=2))), "short"),
        ItemInput(seen(image_bytes(picture("red"))), "still"),
        ItemInput(TextContent("red and loud"), "words"),
    ]
    answer = await engine.collections.upsert("library", items, windows=windows)
    assert answer.failed == 0


async def moments(engine: Engine, words: str) -> dict[str, Window | None]:
    query = SearchQuery([QueryPart(TextContent(words))])
    answer = await engine.collections.search("library", query)
    assert len(answer.hits) == 5
    return {hit.id: hit.at for hit in answer.hits}


async def test_a_hit_tells_where_in_its_item_it_matches(engine: Engine) -> None:
    await stored(engine, windows=True)
    red, loud = await moments(engine, "red"), await moments(engine, "loud")
    assert red["film"] == Window(7.5, 12.5)
    assert loud["song"] == Window(7.5, 12.5)  # as loud as can be, and the next one no louder
    assert [red[name] for name in ("short", "still", "words")] == [None] * 3
    await engine.collections.upsert("library", [ItemInput(heard(SONG), "song")])
    assert (await moments(engine, "loud"))["song"] is None


async def test_without_windows_there_are_no_moments(engine: Engine) -> None:
    await stored(engine, windows=False)
    assert set((await moments(engine, "loud")).values()) == {None}


async def test_what_is_refused_is_told_of_films(tmp_path: Path) -> None:
    chosen = settings(tmp_path, max_video_seconds=10.0)
    async with Engine(chosen, [FakeEmbedder()]) as engine:
        found = (await engine.embed([seen(FILM), heard(FILM)], windows=True)).results
    assert found[0].error is not None
    assert found[0].error.reason == "VIDEO_TOO_LONG"
    assert found[1].error is None


def base64_of(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def test_windows_over_rest_in_both_encodings(http: httpx.AsyncClient) -> None:
    question: dict[str, Any] = {
        "input": [{"type": "audio", "data": base64_of(SONG)}, "red"],
        "windows": True,
    }
    numbers = (await http.post("/v1/embeddings", json=question)).json()["data"]
    packed = (
        await http.post("/v1/embeddings", json={**question, "encoding_format": "base64"})
    ).json()
    expected = FakeEmbedder().embed_windows(decode_audio(SONG))
    for each, window, vector in zip(
        numbers[0]["window_embeddings"], expected.windows, expected.vectors, strict=True
    ):
        assert (each["start"], each["end"]) == (window.start, window.end)
        np.testing.assert_allclose(each["embedding"], vector, atol=1e-6)
    unpacked = [
        np.frombuffer(base64.b64decode(each["embedding"]), "<f4")
        for each in packed["data"][0]["window_embeddings"]
    ]
    np.testing.assert_allclose(unpacked, expected.vectors, atol=1e-6)
    assert [(each["start"], each["end"]) for each in numbers[1]["window_embeddings"]] == [(0, 0)]
    assert numbers[0]["windows"] == 2
    plain = (await http.post("/v1/embeddings", json={"input": "red"})).json()["data"][0]
    assert "window_embeddings" not in plain


async def test_windows_in_a_stream(addresses: Addresses) -> None:
    async with grpc.aio.insecure_channel(addresses.grpc) as channel:
        stub = embeddings_grpc.EmbeddingServiceStub(channel)
        asked = embeddings_pb.EmbedStreamRequest(
            content=content_pb.Content(audio=SONG), windows=True
        )
        answers = [each async for each in stub.EmbedStream(iter([asked]))]
    found = answers[0].result.embedding.window_embeddings
    assert [each.window.end for each in found] == [5, 7.5, 10, 12.5, 15, 17]


async def test_a_film_that_is_uploaded_is_known_by_its_content(http: httpx.AsyncClient) -> None:
    await http.post("/v1/collections", json={"name": "films"})
    files = [("file", ("holiday.bin", FILM)), ("file", ("song.bin", sound_track(FILM) or b""))]
    answer = await http.post(
        "/v1/collections/films/items:upload",
        files=files,
        data={"windows": "true", "id": ["f", "s"]},
    )
    assert [each["modality"] for each in answer.json()["results"]] == ["image", "audio"]
    hits = (await http.post("/v1/collections/films/items:search", json={"query": "red"})).json()
    at = {hit["id"]: hit["at"] for hit in hits["hits"]}
    assert at["f"] == {"start": 7.5, "end": 12.5}
    assert at["s"]["end"] - at["s"]["start"] == pytest.approx(5)
    for name, kind in (("f", "video/mp4"), ("s", "audio/mp4")):
        content = await http.get(f"/v1/collections/films/items/{name}/content")
        assert content.headers["content-type"] == kind


def kindred(*args: str | Path) -> Any:  # noqa: ANN401 - typer's own
    def opened(settings: Settings) -> Engine:
        return Engine(settings, [FakeEmbedder()])

    return CliRunner().invoke(app, [str(arg) for arg in args], obj=opened)


@pytest.mark.usefixtures("decodes_here")
def test_the_command_line_indexes_films_and_says_where(tmp_path: Path) -> None:
    folder, data = tmp_path / "films", tmp_path / "data"
    folder.mkdir()
    (folder / "holiday.mov").write_bytes(FILM)
    (folder / "silent.mp4").write_bytes(film_bytes(colours("green", "green")))
    (folder / "song.wav").write_bytes(SONG)
    first = kindred("index", folder, "--data", data)
    assert first.stdout.startswith("default: 3 added, in "), first.output
    assert kindred("index", folder, "--data", data).stdout.startswith("default: 3 unchanged, in ")
    found = kindred("search", "red", "--data", data)
    assert "holiday.mov at 7.5-12.5 s" in found.stdout
    hits = json.loads(kindred("search", "red", "--data", data, "--json").stdout)["hits"]
    at = {hit["id"]: hit.get("at") for hit in hits}
    assert set(at) == {"holiday.mov", "holiday.mov#sound", "silent.mp4", "song.wav"}
    assert at["holiday.mov"] == {"start": 7.5, "end": 12.5}
    assert at["silent.mp4"] is None
    other = tmp_path / "other"
    kindred("index", folder, "--no-windows", "--data", other)
    assert " s " not in kindred("search", "red", "--data", other).stdout


@pytest.mark.usefixtures("decodes_here")
def test_a_model_without_ears_indexes_what_is_seen(tmp_path: Path) -> None:
    folder = tmp_path / "films"
    folder.mkdir()
    (folder / "holiday.mp4").write_bytes(FILM)
    deaf = frozenset({Modality.TEXT, Modality.IMAGE})

    def opened(settings: Settings) -> Engine:
        return Engine(settings, [FakeEmbedder(modalities=deaf)])

    found = CliRunner().invoke(
        app, ["index", str(folder), "--data", str(tmp_path / "d")], obj=opened
    )
    assert found.stdout.startswith("default: 1 added, in "), found.output


def test_the_command_line_prints_windows(tmp_path: Path) -> None:
    file = tmp_path / "song.wav"
    file.write_bytes(SONG)
    line = json.loads(kindred("embed", "--audio", file, "--windows").stdout)
    expected = FakeEmbedder().embed_windows(decode_audio(SONG))
    found = [(each["start"], each["end"]) for each in line["window_embeddings"]]
    assert found == [(window.start, window.end) for window in expected.windows]
    vectors = [each["embedding"] for each in line["window_embeddings"]]
    np.testing.assert_allclose(vectors, expected.vectors, atol=1e-6)
    refused = kindred("embed", "red", "--windows", "-o", tmp_path / "x.npy")
    assert refused.exit_code == 2
