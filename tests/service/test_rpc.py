"""The calls of kindred.v1, over a real socket, with a real engine and store."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct

from embedder.media import Modality, Text
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from kindred.v1 import content_pb2, embedding_service_pb2, model_service_pb2
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from service.engine import Engine
from tests.fakes import FakeEmbedder
from tests.samples import image_bytes, picture
from tests.service.rpc_server import BROKEN, Channel, engine_in, serving, settings_in, text

pytestmark = pytest.mark.anyio

CALLS = [
    f"/{service.full_name}/{method.name}"
    for module in (model_service_pb2, embedding_service_pb2, collections_pb)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[Channel]:
    async with serving(engine_in(tmp_path)) as channel:
        yield channel


@pytest.mark.parametrize("call", CALLS)
async def test_every_call_of_the_contract_is_answered(channel: Channel, call: str) -> None:
    if call.endswith("EmbedStream"):
        stream = channel.stream_stream(call)(iter([b""]))
        assert embeddings_pb.EmbedStreamResponse.FromString(await stream.read()).result.error.reason
        return
    unanswered = channel.unary_unary(call)(b"")
    codes = (grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND)
    assert await unanswered.code() in codes


async def test_vectors_arrive_bit_for_bit_in_order_and_a_poison_item_costs_itself(
    channel: Channel,
) -> None:
    contents = [text(f"word{n}") for n in range(32)]
    contents[13] = BROKEN
    answer = await embeddings_grpc.EmbeddingServiceStub(channel).Embed(
        embeddings_pb.EmbedRequest(contents=contents, on_error=embeddings_pb.ON_ERROR_ITEM)
    )
    embedder = FakeEmbedder()
    for n, result in enumerate(answer.results):
        assert result.index == n
        if n == 13:
            assert result.error.reason == "UNDECODABLE_MEDIA"
            continue
        expected = embedder.embed([Text(contents[n].text)])[0]
        assert np.array_equal(np.array(result.embedding.vector.values, np.float32), expected)
        assert result.embedding.vector.modality == content_pb2.MODALITY_TEXT


async def test_a_content_without_anything_costs_itself(channel: Channel) -> None:
    vector = content_pb2.Content(vector=content_pb2.Vector(values=[1.0] * 32))
    answer = await embeddings_grpc.EmbeddingServiceStub(channel).Embed(
        embeddings_pb.EmbedRequest(
            contents=[text("red"), content_pb2.Content(), vector],
            on_error=embeddings_pb.ON_ERROR_ITEM,
        )
    )
    assert [result.error.reason for result in answer.results] == [
        "",
        "INVALID_ARGUMENT",
        "INVALID_ARGUMENT",
    ]


async def test_rank_puts_the_nearest_candidate_first(channel: Channel) -> None:
    red = content_pb2.Content(image=image_bytes(picture("red")))
    answer = await embeddings_grpc.EmbeddingServiceStub(channel).Rank(
        embeddings_pb.RankRequest(query=red, candidates=[text("blue"), text("red")])
    )
    assert [each.index for each in answer.candidates] == [1, 0]
    assert answer.candidates[0].score == pytest.approx(1.0)
    assert sum(each.probability for each in answer.candidates) == pytest.approx(1.0)


def struct(**fields: Any) -> Struct:  # noqa: ANN401 - any JSON
    made = Struct()
    made.update(fields)
    return made


METADATA = struct(year=2020, share=0.5, tags=["a", None, True])


async def stored_album(stub: Any) -> collections_pb.UpsertItemsResponse:  # noqa: ANN401 - generated
    """Creates an album of a word, something broken and a picture."""
    await stub.CreateCollection(collections_pb.CreateCollectionRequest(name="album"))
    green = content_pb2.Content(image=image_bytes(picture("green")))
    items = [
        collections_pb.ItemInput(id="red", content=text("red"), metadata=METADATA),
        collections_pb.ItemInput(id="broken", content=BROKEN),
        collections_pb.ItemInput(id="green", content=green),
    ]
    answer: collections_pb.UpsertItemsResponse = await stub.UpsertItems(
        collections_pb.UpsertItemsRequest(collection="album", items=items)
    )
    return answer


async def test_items_are_stored_and_found(channel: Channel) -> None:
    stub = collections_grpc.CollectionServiceStub(channel)
    stored = await stored_album(stub)
    assert (stored.collection, stored.ok, stored.failed) == ("album", 2, 1)
    assert stored.results[1].error.reason == "UNDECODABLE_MEDIA"
    query = [collections_pb.QueryPart(content=text("red"))]
    by_year = struct(year={"$gte": 2020})
    for filtered, expected in ((None, ["red", "green"]), (by_year, ["red"])):
        found = await stub.SearchItems(
            collections_pb.SearchItemsRequest(collection="album", query=query, filter=filtered)
        )
        assert [hit.id for hit in found.hits] == expected
    assert found.hits[0].metadata == METADATA
    assert not found.hits[0].HasField("vector")


async def test_items_are_listed_fetched_and_deleted(channel: Channel) -> None:
    stub = collections_grpc.CollectionServiceStub(channel)
    await stored_album(stub)
    listed = await stub.ListItems(
        collections_pb.ListItemsRequest(collection="album", page_size=1, with_vectors=True)
    )
    assert (listed.collection, [item.id for item in listed.items]) == ("album", ["red"])
    assert listed.next_page_token
    kept = await stub.GetItemContent(
        collections_pb.GetItemContentRequest(collection="album", id="green")
    )
    assert (kept.content, kept.mime_type) == (image_bytes(picture("green")), "image/png")

    gone = await stub.DeleteItems(
        collections_pb.DeleteItemsRequest(collection="album", ids=["red", "nobody"])
    )
    assert [each.error.reason for each in gone.results] == ["", "ITEM_NOT_FOUND"]
    assert gone.collection == "album"
    await stub.DeleteCollection(collections_pb.DeleteCollectionRequest(name="album"))
    assert not (await stub.ListCollections(collections_pb.ListCollectionsRequest())).collections


async def test_only_the_indexed_fields_can_be_changed(tmp_path: Path) -> None:
    async with serving(engine_in(tmp_path)) as channel:
        stub = collections_grpc.CollectionServiceStub(channel)
        await stub.CreateCollection(collections_pb.CreateCollectionRequest(name="album"))
        album = collections_pb.Collection(name="album", indexed=["year"], recall_target=0.5)
        for paths in ([], ["recall_target"], ["indexed", "recall_target"], ["*"]):
            request = collections_pb.UpdateCollectionRequest(
                collection=album, update_mask=FieldMask(paths=paths)
            )
            with pytest.raises(grpc.aio.AioRpcError, match="update_mask must be 'indexed'"):
                await stub.UpdateCollection(request)
        request.update_mask.paths[:] = ["indexed"]
        changed = await stub.UpdateCollection(request)
        assert list(changed.collection.indexed) == ["year"]
        assert changed.collection.recall_target == 0.97


async def test_whole_numbers_are_stored_as_integers(tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    async with serving(engine) as channel:
        stub = collections_grpc.CollectionServiceStub(channel)
        await stub.CreateCollection(collections_pb.CreateCollectionRequest(name="album"))
        metadata = Struct()
        metadata.update({"year": 2020, "share": 0.5})
        item = collections_pb.ItemInput(id="a", content=text("red"), metadata=metadata)
        await stub.UpsertItems(collections_pb.UpsertItemsRequest(collection="album", items=[item]))
        kept = (await engine.collections.item("album", "a")).metadata
    assert (kept["year"], type(kept["year"])) == (2020, int)
    assert kept["share"] == 0.5


async def test_numbers_that_are_not_finite_cost_their_item(channel: Channel) -> None:
    stub = collections_grpc.CollectionServiceStub(channel)
    await stub.CreateCollection(collections_pb.CreateCollectionRequest(name="album"))
    metadata = Struct()
    metadata.update({"share": float("nan")})
    items = [
        collections_pb.ItemInput(id="a", content=text("red"), metadata=metadata),
        collections_pb.ItemInput(id="b", content=text("red")),
    ]
    stored = await stub.UpsertItems(
        collections_pb.UpsertItemsRequest(collection="album", items=items)
    )
    assert [each.error.reason for each in stored.results] == ["INVALID_ARGUMENT", ""]


async def test_lists_come_in_pages(tmp_path: Path) -> None:
    models = [FakeEmbedder(name=name) for name in ("first", "second", "third")]
    async with serving(Engine(settings_in(tmp_path), models)) as channel:
        stub = models_grpc.ModelServiceStub(channel)
        names, token = [], ""
        while True:
            page = await stub.ListModels(models_pb.ListModelsRequest(page_size=2, page_token=token))
            names.append([model.name for model in page.models])
            if not (token := page.next_page_token):
                break
        assert names == [["first", "second"], ["third"]]
        assert len((await stub.ListModels(models_pb.ListModelsRequest())).models) == 3
        for wrong in ({"page_size": -1}, {"page_token": "nobody"}):
            with pytest.raises(grpc.aio.AioRpcError, match="page_"):
                await stub.ListModels(models_pb.ListModelsRequest(**wrong))


def test_every_modality_has_its_number() -> None:
    names = {name.removeprefix("MODALITY_").lower() for name in dict(content_pb2.Modality.items())}
    assert names == {"unspecified", *Modality}
