"""What requests in work may hold together: beyond it they are refused, and room comes back."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import snapshot_service_pb2_grpc as snapshots_grpc
from service.bodies import Bodies
from service.engine import Engine
from service.errors import Overloaded
from service.messages import Content, EmbedAnswer
from service.serve import listening
from tests.fakes import FakeEmbedder
from tests.service.rpc_server import settings_in, text

pytestmark = pytest.mark.anyio

BOUNDS = {"max_body_bytes": 1000, "max_pending_bytes": 1500}
WORDS = "word " * 180


class Gated(Engine):
    """Holds embed requests at a gate."""

    def __init__(self, folder: Path) -> None:
        super().__init__(settings_in(folder).model_copy(update=BOUNDS), [FakeEmbedder()])
        self.gate, self.there = asyncio.Event(), asyncio.Event()

    async def embed(self, contents: Sequence[Content], **options: Any) -> EmbedAnswer:  # noqa: ANN401
        self.there.set()
        await self.gate.wait()
        return await super().embed(contents, **options)


def test_what_is_held_counts_until_it_is_let_go() -> None:
    bodies = Bodies(10)
    with bodies.held() as take:
        take(4)
        take(4)
        with bodies.held() as other, pytest.raises(Overloaded, match="hold 8 bytes, and 3 more"):
            other(3)
        with bodies.held() as other:
            other(2)
        take(2)
        take(-4)
        with bodies.held() as other:
            other(4)
    with bodies.held() as take:
        take(10)


async def test_large_requests_together_are_refused_over_both_transports(tmp_path: Path) -> None:
    engine, question = Gated(tmp_path), {"input": WORDS}
    request = embeddings_pb.EmbedRequest(contents=[text(WORDS)])
    async with (
        engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
        grpc.aio.insecure_channel(addresses.grpc) as channel,
    ):
        stub = embeddings_grpc.EmbeddingServiceStub(channel)
        held = asyncio.create_task(http.post("/v1/embeddings", json=question))
        await engine.there.wait()
        refused = await http.post("/v1/embeddings", json=question)
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        assert refused.json()["error"]["reason"] == "OVERLOADED"
        with pytest.raises(grpc.aio.AioRpcError, match="max_pending_bytes 1500") as refusal:
            await stub.Embed(request)
        assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert (await http.get("/v1/models")).status_code == 200
        engine.gate.set()
        assert (await held).status_code == 200
        assert len((await stub.Embed(request)).results) == 1
        engine.gate.clear()
        engine.there.clear()
        call = stub.Embed(request)
        await engine.there.wait()
        assert (await http.post("/v1/embeddings", json=question)).status_code == 429
        engine.gate.set()
        await call
        assert (await http.post("/v1/embeddings", json=question)).status_code == 200


async def test_each_message_of_a_stream_counts_until_it_is_answered(tmp_path: Path) -> None:
    engine = Gated(tmp_path)
    large = embeddings_pb.EmbedStreamRequest(content=text(WORDS))
    async with (
        engine,
        listening(engine) as addresses,
        grpc.aio.insecure_channel(addresses.grpc) as channel,
    ):
        stub = embeddings_grpc.EmbeddingServiceStub(channel)
        stream = stub.EmbedStream()
        for _ in range(2):
            await stream.write(large)
        await engine.there.wait()
        with pytest.raises(grpc.aio.AioRpcError, match="max_pending_bytes 1500"):
            await stub.Embed(embeddings_pb.EmbedRequest(contents=[text(WORDS)]))
        engine.gate.set()
        first, second = [(await stream.read()).result for _ in range(2)]
        assert (first.error.reason, second.error.reason) == ("", "OVERLOADED")
        for _ in range(5):  # of those that are answered nothing is held
            await stream.write(large)
            assert (await stream.read()).result.embedding.vector.values
        stream.cancel()


async def test_the_pieces_of_a_file_count_one_at_a_time(tmp_path: Path) -> None:
    engine = Gated(tmp_path)
    piece = snapshots_pb.UploadSnapshotRequest(name="mine", data=b"x" * 900)
    async with (
        engine,
        listening(engine) as addresses,
        grpc.aio.insecure_channel(addresses.grpc) as channel,
    ):
        stub = snapshots_grpc.SnapshotServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError, match="not a snapshot of Kindred"):
            await stub.UploadSnapshot(iter([piece] * 5))
        embed = embeddings_grpc.EmbeddingServiceStub(channel).Embed
        held = embed(embeddings_pb.EmbedRequest(contents=[text(WORDS)]))
        await engine.there.wait()
        with pytest.raises(grpc.aio.AioRpcError, match="max_pending_bytes 1500"):
            await stub.UploadSnapshot(iter([piece] * 5))
        engine.gate.set()
        assert len((await held).results) == 1
