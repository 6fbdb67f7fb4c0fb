"""EmbedStream: order, index, back-pressure and clients that leave."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from embedder.media import Text
from kindred.v1 import content_pb2
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from service.engine import Engine
from service.messages import Content, EmbedAnswer, TextContent
from service.rpc.embeddings import STREAM_WINDOW
from tests.fakes import FakeEmbedder
from tests.service.rpc_server import BROKEN, Channel, engine_in, serving, settings_in, text

pytestmark = pytest.mark.anyio


class Gated(Engine):
    """Holds every embed request until its words are let through."""

    def __init__(self, folder: Path) -> None:
        super().__init__(settings_in(folder), [FakeEmbedder()])
        self.gate = asyncio.Event()
        self.held, self.most_held = 0, 0
        self.full = asyncio.Event()

    async def embed(self, contents: Sequence[Content], **options: Any) -> EmbedAnswer:  # noqa: ANN401
        self.held += 1
        self.most_held = max(self.held, self.most_held)
        if self.held == STREAM_WINDOW:
            self.full.set()
        if contents[0] != TextContent("first"):
            await self.gate.wait()
        self.held -= 1
        return await super().embed(contents, **options)


def requests(count: int, broken: int = -1) -> list[embeddings_pb.EmbedStreamRequest]:
    return [
        embeddings_pb.EmbedStreamRequest(content=BROKEN if n == broken else text(f"word{n}"))
        for n in range(count)
    ]


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[Channel]:
    async with serving(engine_in(tmp_path)) as channel:
        yield channel


async def test_a_stream_keeps_order_and_index_and_survives_poison(channel: Channel) -> None:
    stream = embeddings_grpc.EmbeddingServiceStub(channel).EmbedStream(iter(requests(100, 50)))
    results = [answer.result async for answer in stream]
    assert [result.index for result in results] == list(range(100))
    assert [n for n, result in enumerate(results) if result.error.reason] == [50]
    words = FakeEmbedder().embed([Text(f"word{n}") for n in range(100)])
    for n, result in enumerate(results):
        if n != 50:
            found = np.array(result.embedding.vector.values, np.float32)
            assert np.array_equal(found, words[n])


async def test_a_stream_answers_before_it_ends(channel: Channel) -> None:
    stream = embeddings_grpc.EmbeddingServiceStub(channel).EmbedStream()
    for n in range(3):
        await stream.write(requests(3)[n])
        assert (await stream.read()).result.index == n
    await stream.done_writing()
    assert await stream.read() == grpc.aio.EOF


async def test_a_stream_holds_no_more_than_its_window(tmp_path: Path) -> None:
    engine = Gated(tmp_path)
    async with serving(engine) as channel:
        count = 3 * STREAM_WINDOW
        stream = embeddings_grpc.EmbeddingServiceStub(channel).EmbedStream(iter(requests(count)))
        await engine.full.wait()
        engine.gate.set()
        assert len([answer async for answer in stream]) == count
    assert engine.most_held == STREAM_WINDOW


async def test_a_client_that_leaves_a_stream_ends_its_work(tmp_path: Path) -> None:
    engine = Gated(tmp_path)
    async with serving(engine) as channel:
        stub = embeddings_grpc.EmbeddingServiceStub(channel)
        stream = stub.EmbedStream(iter(requests(STREAM_WINDOW)))
        await engine.full.wait()
        stream.cancel()
        engine.gate.set()
        answer = await stub.Embed(embeddings_pb.EmbedRequest(contents=[text("first")]))
    assert answer.results[0].embedding.vector.modality == content_pb2.MODALITY_TEXT
