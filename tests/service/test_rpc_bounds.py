"""What gRPC connections may cost: how many, their calls, and how long they say nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import struct_pb2

from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from kindred.v1 import content_pb2
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from service.engine import Engine
from service.messages import Content, EmbedAnswer
from service.rpc.server import create_server
from tests.fakes import FakeEmbedder
from tests.service.rpc_server import settings_in, text

pytestmark = pytest.mark.anyio

OWN = (("grpc.use_local_subchannel_pool", 1),)
"""Otherwise channels of one process to one address are one connection."""


class Gated(Engine):
    """Holds every embed request at a gate, and counts those that are there at once."""

    def __init__(self, folder: Path, **bounds: float) -> None:
        settings = settings_in(folder).model_copy(update=bounds)
        super().__init__(settings, [FakeEmbedder()])
        self.gate, self.there, self.most = asyncio.Semaphore(0), 0, 0

    async def embed(self, contents: Sequence[Content], **options: Any) -> EmbedAnswer:  # noqa: ANN401
        self.there += 1
        self.most = max(self.most, self.there)
        async with self.gate:
            self.there -= 1
            return await super().embed(contents, **options)


@asynccontextmanager
async def listening(engine: Engine) -> AsyncIterator[int]:
    """Serves an engine over gRPC; yields the port."""
    async with engine:
        server, port = create_server(engine, engine.settings)
        await server.start()
        try:
            yield port
        finally:
            await server.stop(None)


async def listed(channel: Any) -> int:  # noqa: ANN401
    """Asks something that takes nothing, and returns how many models there are."""
    stub = models_grpc.ModelServiceStub(channel)
    answer = await stub.ListModels(models_pb.ListModelsRequest(), timeout=10)
    return len(answer.models)


async def test_a_connection_too_many_is_refused_until_another_leaves(tmp_path: Path) -> None:
    async with listening(Gated(tmp_path, max_connections=2)) as port:
        address = f"localhost:{port}"
        first, second, third = (grpc.aio.insecure_channel(address, options=OWN) for _ in range(3))
        assert await listed(first) == await listed(second) == 1
        with pytest.raises(grpc.aio.AioRpcError) as refusal:
            await listed(third)
        assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE
        assert await listed(first) == 1
        await second.close()
        waiting = models_grpc.ModelServiceStub(third).ListModels(
            models_pb.ListModelsRequest(), timeout=30, wait_for_ready=True
        )
        assert len((await waiting).models) == 1
        for channel in (first, third):
            await channel.close()


async def test_a_connection_has_so_many_calls_at_a_time_and_none_is_lost(tmp_path: Path) -> None:
    engine = Gated(tmp_path, max_streams=3)
    async with (
        listening(engine) as port,
        grpc.aio.insecure_channel(f"localhost:{port}", options=OWN) as channel,
    ):
        await listed(channel)  # by now the client knows how many it may make
        stub = embeddings_grpc.EmbeddingServiceStub(channel)
        calls = [
            asyncio.ensure_future(stub.Embed(embeddings_pb.EmbedRequest(contents=[text(str(n))])))
            for n in range(9)
        ]
        for _ in calls:
            while not engine.there:
                await asyncio.sleep(0.001)
            engine.gate.release()
        answers = await asyncio.gather(*calls)
    assert [len(answer.results) for answer in answers] == [1] * 9
    assert 1 <= engine.most <= 3


async def test_who_keeps_to_the_limit_of_calls_is_never_refused(tmp_path: Path) -> None:
    async with (
        listening(Gated(tmp_path, max_streams=4)) as port,
        grpc.aio.insecure_channel(f"localhost:{port}", options=OWN) as channel,
    ):
        await listed(channel)
        assert await asyncio.gather(*(listed(channel) for _ in range(300))) == [1] * 300


async def test_a_connection_without_calls_is_closed_and_its_client_comes_again(
    tmp_path: Path,
) -> None:
    async with (
        listening(Gated(tmp_path, idle_seconds=1)) as port,
        grpc.aio.insecure_channel(f"localhost:{port}", options=OWN) as channel,
    ):
        assert await listed(channel) == 1
        async with asyncio.timeout(30):
            await channel.wait_for_state_change(grpc.ChannelConnectivity.READY)
        assert await listed(channel) == 1


@pytest.mark.parametrize("said", [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\n"])
async def test_who_does_not_begin_is_cut(tmp_path: Path, said: bytes) -> None:
    async with listening(Gated(tmp_path, header_seconds=0.2)) as port:
        reader, writer = await asyncio.open_connection("localhost", port)
        writer.write(said)
        async with asyncio.timeout(30):
            await reader.read()
        writer.close()


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("EmbeddingService/Embed", b"\x12\x00"),
        ("EmbeddingService/Rank", b"\x1a\x00"),
        ("CollectionService/UpsertItems", b"\x12\x00"),
        ("CollectionService/SearchItems", b"\x12\x00"),
        ("CollectionService/ScoreItems", b"\x12\x00"),
        ("ConditioningService/Condition", b"\x1a\x00"),
    ],
)
async def test_more_items_than_there_may_be_are_not_even_translated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, body: bytes
) -> None:
    def never(_: object) -> None:
        raise AssertionError("it was translated")

    for name in ("content", "item_input"):
        monkeypatch.setattr(f"service.rpc.asked.{name}", never)
    engine = Engine(settings_in(tmp_path), [FakeEmbedder()])
    async with listening(engine) as port, grpc.aio.insecure_channel(f"localhost:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError, match="at most 256 items, got 1000"):
            await channel.unary_unary(f"/kindred.v1.{method}")(body * 1000)


async def test_metadata_of_very_many_values_cost_their_item_alone(tmp_path: Path) -> None:
    many, few = struct_pb2.Struct(), struct_pb2.Struct()
    many.update({"a": [None] * 300_000})
    few.update({"a": [None]})
    words = content_pb2.Content(text="red")
    items = [
        collections_pb.ItemInput(id=name, content=words, metadata=metadata)
        for name, metadata in (("many", many), ("few", few))
    ]
    engine = Engine(settings_in(tmp_path), [FakeEmbedder()])
    async with listening(engine) as port, grpc.aio.insecure_channel(f"localhost:{port}") as channel:
        stub = collections_grpc.CollectionServiceStub(channel)
        await stub.CreateCollection(collections_pb.CreateCollectionRequest(name="album"))
        asked = collections_pb.UpsertItemsRequest(collection="album", items=items)
        many_told, few_told = (await stub.UpsertItems(asked)).results
        much = collections_pb.UpsertItemsRequest(collection="album", items=items[:1] * 40)
        with pytest.raises(grpc.aio.AioRpcError, match="may take 33554432 bytes as Structs"):
            await stub.UpsertItems(much)
    assert "may take 1048576 bytes as a Struct, got 1" in many_told.error.message
    assert not few_told.HasField("error")
