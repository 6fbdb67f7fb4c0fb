"""The use cases, with real collections on a disk and a model whose answers can be predicted."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from embedder.base import Embedder, Prepared, Vectors
from embedder.errors import ConditioningError, InputsCancel, ModelNotFound
from embedder.media import Modality, Text
from indexes.errors import (
    CollectionExists,
    CollectionNotFound,
    InvalidFilter,
    InvalidQuery,
    ItemNotFound,
    SpaceMismatch,
    StorageError,
)
from service.engine import Engine
from service.errors import (
    InvalidRequest,
    ItemFailed,
    TooManyItems,
    status_of,
)
from service.messages import (
    BrokenContent,
    Content,
    ItemContent,
    ItemInput,
    MediaContent,
    NewCollection,
    QueryPart,
    SearchQuery,
    TextContent,
    VectorContent,
)
from service.settings import Settings
from tests.fakes import DIM, FakeEmbedder
from tests.samples import audio_bytes, image_bytes, picture, tone
from tests.service.poison import POISON

pytestmark = pytest.mark.anyio


def settings(folder: Path, **options: object) -> Settings:
    return Settings.model_validate({"data": folder, "decode_workers": 0, **options})


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with Engine(settings(tmp_path), [FakeEmbedder()]) as running:
        yield running


def image(colour: str, size: tuple[int, int] = (32, 24)) -> MediaContent:
    return MediaContent(Modality.IMAGE, image_bytes(picture(colour, size)))


def sound(loudness: float) -> MediaContent:
    return MediaContent(Modality.AUDIO, audio_bytes(tone(loudness=loudness)))


def ask(*parts: Content | tuple[Content, float], **options: object) -> SearchQuery:
    weighted = [part if isinstance(part, tuple) else (part, 1.0) for part in parts]
    return SearchQuery([QueryPart(*part) for part in weighted], **options)  # type: ignore[arg-type]


async def gallery(engine: Engine) -> None:
    await engine.collections.create(NewCollection("gallery"))
    items = [ItemInput(image(c), c, {"year": 2000 + i}) for i, c in enumerate(("red", "green"))]
    items += [ItemInput(sound(0.9), "loud"), ItemInput(TextContent("red green"), "words")]
    answer = await engine.collections.upsert("gallery", items)
    assert [result.error for result in answer.results] == [None] * 4


async def found(engine: Engine, query: SearchQuery) -> list[str]:
    return [hit.id for hit in (await engine.collections.search("gallery", query)).hits]


async def test_embed_answers_the_models_vectors_in_order(engine: Engine) -> None:
    contents: list[Content] = [
        TextContent("red"),
        image("red"),
        TextContent("loud sea"),
        sound(0.8),
    ]
    answer = await engine.embed(contents)
    expected = FakeEmbedder().embed([Text("red"), picture(), Text("loud sea"), tone(loudness=0.8)])
    vectors = [result.vector for result in answer.results if result.vector is not None]
    np.testing.assert_allclose(vectors, expected, atol=1e-4)
    assert [result.modality for result in answer.results] == ["text", "image", "text", "audio"]
    assert (answer.model, answer.space, answer.units) == ("fake", "fake-gap-0", 1 + 1 + 2 + 1)
    assert answer.timing_ms.total >= answer.timing_ms.embed > 0


async def test_dimensions_cut_a_vector_and_make_it_unit_again(engine: Engine) -> None:
    whole = (await engine.embed([TextContent("red loud loud")])).results[0].vector
    part = (await engine.embed([TextContent("red loud loud")], dimensions=7)).results[0].vector
    assert whole is not None
    assert part is not None
    np.testing.assert_allclose(part, whole[:7] / np.linalg.norm(whole[:7]), atol=1e-6)


@pytest.mark.parametrize("dimensions", [0, -1, DIM + 1])
async def test_impossible_dimensions_are_refused(engine: Engine, dimensions: int) -> None:
    with pytest.raises(InvalidRequest, match=f"1 to {DIM}, got {dimensions}"):
        await engine.embed([TextContent("red")], dimensions=dimensions)


async def test_a_request_is_bounded(tmp_path: Path) -> None:
    bounded = settings(tmp_path, max_items=2, max_k=5)
    async with Engine(bounded, [FakeEmbedder()]) as engine:
        await engine.collections.create(NewCollection("gallery"))
        with pytest.raises(TooManyItems, match="at most 2 items, got 3"):
            await engine.embed([TextContent("a")] * 3)
        with pytest.raises(InvalidRequest, match="at least one item"):
            await engine.embed([])
        with pytest.raises(TooManyItems, match="k must be at most 5, got 6"):
            await engine.collections.search("gallery", ask(TextContent("red"), k=6))


@pytest.mark.parametrize("name", POISON)
async def test_poison_costs_itself_alone_in_the_middle_of_a_batch(
    engine: Engine, name: str
) -> None:
    poison, expected = POISON[name]
    contents: list[Content] = [TextContent(f"word{i}") for i in range(32)]
    contents[16] = poison
    (alone,) = (await engine.embed([poison])).results
    results = (await engine.embed(contents)).results
    for outcome in (alone, results[16]):
        assert (outcome.error.reason if outcome.error else "ok") == expected
    assert [i for i, result in enumerate(results) if result.vector is None] == (
        [] if expected == "ok" else [16]
    )


async def test_the_first_bad_content_fails_a_request_that_asks_for_all(engine: Engine) -> None:
    bad = MediaContent(Modality.IMAGE, b"no picture")
    with pytest.raises(ItemFailed, match="item 1: image must be one of") as failure:
        await engine.embed([TextContent("a"), bad], on_error="request")
    assert status_of(failure.value).reason == "UNDECODABLE_MEDIA"
    assert failure.value.details == {"index": 1}


async def test_rank_is_a_softmax_over_cosines(engine: Engine) -> None:
    words = ("green", "red", "blue loud")
    answer = await engine.rank(image("red"), [TextContent(word) for word in words])
    model = FakeEmbedder()
    cosines = model.embed([Text(word) for word in words]) @ model.embed([picture("red")])[0]
    odds = np.exp(model.logit_scale * cosines.astype(np.float64))
    order = np.argsort(-cosines, kind="stable")
    assert [each.index for each in answer.candidates] == order.tolist()
    np.testing.assert_allclose(
        [each.score for each in answer.candidates], cosines[order], atol=1e-6
    )
    np.testing.assert_allclose(
        [each.probability for each in answer.candidates], (odds / odds.sum())[order], atol=1e-4
    )


async def test_words_find_pictures_and_pictures_find_words(engine: Engine) -> None:
    await gallery(engine)
    assert (await found(engine, ask(TextContent("green"), modalities=(Modality.IMAGE,))))[0] == (
        "green"
    )
    assert (await found(engine, ask(image("red"), k=1))) == ["red"]
    assert (await found(engine, ask(sound(0.8), k=1))) == ["loud"]
    assert (await found(engine, ask(TextContent("loud"), k=1))) == ["loud"]


async def test_the_score_is_the_cosine_of_the_mixed_query(engine: Engine) -> None:
    await gallery(engine)
    query = ask((TextContent("red"), 1.0), (TextContent("bright"), 0.5), (TextContent("green"), -2))
    answer = await engine.collections.search("gallery", query)
    red, bright, green, stored = FakeEmbedder().embed(
        [Text("red"), Text("bright"), Text("green"), picture("red")]
    )
    mix = red + 0.5 * bright - 2 * green
    (hit,) = (hit for hit in answer.hits if hit.id == "red")
    assert hit.score == pytest.approx(float(mix @ stored / np.linalg.norm(mix)), abs=1e-5)
    assert hit.metadata == {"year": 2000}
    assert answer.exact
    assert answer.space == "fake-gap-0"


async def test_parts_that_cancel_out_are_an_error(engine: Engine) -> None:
    await gallery(engine)
    with pytest.raises(InputsCancel, match="must not cancel out"):
        await engine.collections.search(
            "gallery", ask((TextContent("red"), 1), (TextContent("red"), -1))
        )
    with pytest.raises(InputsCancel):
        await engine.collections.search("gallery", ask((TextContent("red"), 0)))
    with pytest.raises(ConditioningError, match="weight must be finite"):
        await engine.collections.search("gallery", ask((TextContent("red"), float("nan"))))


async def test_a_stored_item_and_a_vector_can_be_asked_about(engine: Engine) -> None:
    await gallery(engine)
    by_item = await engine.collections.search("gallery", ask(ItemContent("green"), k=1))
    vector = (await engine.collections.item("gallery", "green", with_vector=True)).vector
    assert vector is not None
    by_vector = await engine.collections.search(
        "gallery", ask(VectorContent(7 * vector, Modality.IMAGE), k=1, with_vectors=True)
    )
    assert by_item.hits[0].id == by_vector.hits[0].id == "green"
    assert by_item.hits[0].score == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(by_vector.hits[0].vector, vector)


@pytest.mark.parametrize(
    ("part", "reason"),
    [
        (ItemContent("nobody"), "ITEM_NOT_FOUND"),
        (VectorContent(np.ones(3, np.float32), Modality.TEXT), "INVALID_VECTOR"),
        (VectorContent(np.zeros(DIM, np.float32), Modality.TEXT), "INVALID_VECTOR"),
        (VectorContent(np.full(DIM, np.nan, np.float32), Modality.TEXT), "INVALID_VECTOR"),
        (TextContent("  "), "INVALID_MEDIA"),
        (BrokenContent(InvalidRequest("not base64")), "INVALID_ARGUMENT"),
    ],
)
async def test_a_bad_part_fails_the_query_and_is_named(
    engine: Engine, part: Content, reason: str
) -> None:
    await gallery(engine)
    with pytest.raises(ItemFailed, match="item 1: ") as failure:
        await engine.collections.search("gallery", ask(TextContent("red"), part))
    assert status_of(failure.value).reason == reason


async def test_filters_and_bounds_reach_the_collection(engine: Engine) -> None:
    await gallery(engine)
    query = ask(TextContent("red"), filter={"year": {"$gte": 2001}})
    assert await found(engine, query) == ["green"]
    assert await found(engine, ask(TextContent("red"), min_score=1.1)) == []
    assert len(await found(engine, ask(TextContent("red"), k_per_modality=1))) == 3
    with pytest.raises(InvalidFilter):
        await engine.collections.search(
            "gallery", ask(TextContent("red"), filter={"year": {"$near": 1}})
        )
    with pytest.raises(InvalidQuery):
        await engine.collections.search("gallery", ask(TextContent("red"), k=0))


async def test_one_bad_item_of_an_upsert_costs_itself_alone(engine: Engine) -> None:
    await engine.collections.create(NewCollection("gallery"))
    answer = await engine.collections.upsert(
        "gallery",
        [
            ItemInput(image("red"), "good"),
            ItemInput(MediaContent(Modality.IMAGE, b"bad"), "undecodable"),
            ItemInput(image("blue"), "bad\nid"),
            ItemInput(image("blue"), "bad metadata", {"a": float("inf")}),
            ItemInput(image("blue"), "also good"),
        ],
    )
    reasons = [result.error.reason if result.error else "ok" for result in answer.results]
    assert reasons == ["ok", "UNDECODABLE_MEDIA", "INVALID_ARGUMENT", "INVALID_ARGUMENT", "ok"]
    assert answer.results[1].id == "undecodable"
    assert (answer.collection, answer.ok, answer.failed) == ("gallery", 2, 3)
    page = await engine.collections.items("gallery")
    assert [item.id for item in page.items] == ["good", "also good"]


async def test_an_item_without_an_id_is_named_by_its_content(engine: Engine) -> None:
    await engine.collections.create(NewCollection("gallery"))
    once = await engine.collections.upsert(
        "gallery", [ItemInput(image("red")), ItemInput(TextContent("sea"))]
    )
    again = await engine.collections.upsert("gallery", [ItemInput(image("red"))])
    assert once.results[0].id == again.results[0].id != once.results[1].id
    info = await engine.collections.get("gallery")
    assert dict(info.counts) == {"image": 1, "text": 1}
    assert (info.model, info.space, info.dim) == ("fake", "fake-gap-0", DIM)
    assert info.bytes > 0


async def test_content_is_kept_with_the_type_that_its_bytes_show(engine: Engine) -> None:
    await gallery(engine)
    assert await engine.collections.content("gallery", "red") == (image("red").data, "image/png")
    assert await engine.collections.content("gallery", "words") == (b"red green", "text/plain")
    assert (await engine.collections.content("gallery", "loud"))[1] == "audio/wav"
    assert (await engine.collections.item("gallery", "red")).has_content


async def test_content_is_not_kept_when_told_so(tmp_path: Path) -> None:
    async with Engine(settings(tmp_path, keep_content=False), [FakeEmbedder()]) as engine:
        await gallery(engine)
        assert not (await engine.collections.item("gallery", "red")).has_content
        with pytest.raises(ItemNotFound):
            await engine.collections.content("gallery", "red")


async def test_deleting_tells_what_there_was(engine: Engine) -> None:
    await gallery(engine)
    answer = await engine.collections.delete_items("gallery", ["red", "nobody"])
    assert [result.error.reason if result.error else "ok" for result in answer.results] == [
        "ok",
        "ITEM_NOT_FOUND",
    ]
    assert "red" not in await found(engine, ask(TextContent("red")))


async def test_items_come_in_pages(engine: Engine) -> None:
    await gallery(engine)
    first = await engine.collections.items("gallery", page_size=3)
    rest = await engine.collections.items("gallery", page_size=3, page_token=first.next_page_token)
    ids = [item.id for item in (*first.items, *rest.items)]
    assert ids == ["red", "green", "loud", "words"]
    assert rest.next_page_token == ""
    only = await engine.collections.items(
        "gallery", filter={"modality": "audio"}, with_vectors=True
    )
    assert [item.id for item in only.items] == ["loud"]
    assert only.items[0].vector is not None


async def test_collections_come_and_go(engine: Engine) -> None:
    await engine.collections.create(NewCollection("b"))
    await engine.collections.create(NewCollection("a", model="fake"))
    assert [info.name for info in await engine.collections.list()] == ["a", "b"]
    with pytest.raises(CollectionExists):
        await engine.collections.create(NewCollection("a"))
    with pytest.raises(ModelNotFound, match=r"served \(fake\), got 'other'"):
        await engine.collections.create(NewCollection("c", model="other"))
    await engine.collections.delete("a")
    with pytest.raises(CollectionNotFound):
        await engine.collections.get("a")


async def test_a_collection_of_another_space_is_refused(tmp_path: Path) -> None:
    async with Engine(settings(tmp_path), [FakeEmbedder()]) as before:
        await gallery(before)
    async with Engine(settings(tmp_path), [FakeEmbedder(gap=1)]) as after:
        with pytest.raises(SpaceMismatch, match="fake-gap-0"):
            await after.collections.search("gallery", ask(TextContent("red")))
        with pytest.raises(SpaceMismatch):
            await after.collections.upsert("gallery", [ItemInput(TextContent("red"))])
        assert (await after.collections.item("gallery", "red")).id == "red"
    both: list[Embedder] = [FakeEmbedder(gap=1, name="new"), FakeEmbedder()]
    async with Engine(settings(tmp_path), both) as engine:
        assert [info.name for info in engine.models()] == ["new", "fake"]
        assert (
            await engine.collections.search("gallery", ask(TextContent("red")))
        ).space == "fake-gap-0"


async def test_a_damaged_collection_does_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with Engine(settings(tmp_path), [FakeEmbedder()]) as before:
        for name in ("broken", "whole"):
            await before.collections.create(NewCollection(name))
    (tmp_path / "broken" / "collection.sqlite3").write_bytes(b"no database" * 1000)
    async with Engine(settings(tmp_path), [FakeEmbedder()]) as engine:
        assert [info.name for info in await engine.collections.list()] == ["whole"]
        assert "collection broken cannot be opened" in caplog.text
        with pytest.raises(StorageError):
            await engine.collections.get("broken")


class Breakable(FakeEmbedder):
    """Counts forward passes; fails those of one modality when told to."""

    broken: Modality | None = None
    passes = 0

    def encode(self, batch: Sequence[Prepared]) -> Vectors:
        self.passes += 1
        if batch[0].modality == self.broken:
            raise RuntimeError("secret of the house")
        return super().encode(batch)


async def test_readiness_is_a_real_forward_pass_of_each_modality(tmp_path: Path) -> None:
    model = Breakable()
    async with Engine(settings(tmp_path, ready_seconds=0), [model]) as engine:
        assert (await engine.readiness()).ready
        assert model.passes == len(Modality)
        model.broken = Modality.AUDIO
        broken = await engine.readiness()
        assert not broken.ready
        assert list(broken.failed) == ["fake/audio"]
        assert "secret" not in broken.failed["fake/audio"]
        model.broken = None
        assert (await engine.readiness()).ready


async def test_readiness_is_believed_for_a_while(tmp_path: Path) -> None:
    model = Breakable()
    async with Engine(settings(tmp_path, ready_seconds=1000), [model]) as engine:
        for _ in range(5):
            assert (await engine.readiness()).ready
    assert model.passes == len(Modality)


async def test_what_was_answered_is_there_after_a_restart(tmp_path: Path) -> None:
    async with Engine(settings(tmp_path), [FakeEmbedder()]) as before:
        await gallery(before)
        wanted = await before.collections.search("gallery", ask(TextContent("red")))
    async with Engine(settings(tmp_path), [FakeEmbedder()]) as after:
        again = await after.collections.search("gallery", ask(TextContent("red")))
    assert [(hit.id, hit.score) for hit in again.hits] == [
        (hit.id, hit.score) for hit in wanted.hits
    ]
