"""Priorities and deadlines over both transports, and clients that do not wait."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from embedder.base import Prepared, Vectors
from kindred import AsyncClient, ItemInput
from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from service.batching.job import Job
from service.batching.pipeline import Pipeline
from service.engine import Engine
from service.serve import Addresses, listening
from service.terms import Priority
from tests.fakes import FakeEmbedder
from tests.service.rpc_server import settings_in, text

pytestmark = pytest.mark.anyio


class Held(FakeEmbedder):
    """Holds its forward passes while the gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.passes = 0

    def encode(self, batch: Sequence[Prepared]) -> Vectors:
        self.entered.set()
        self.gate.wait(30)  # or the end of a test that failed would wait for ever
        self.passes += 1
        return super().encode(batch)


class Server:
    """A server of a model whose forward passes can be held."""

    def __init__(self, engine: Engine, addresses: Addresses, model: Held) -> None:
        self.engine, self.addresses, self.model = engine, addresses, model

    @property
    def queue_items(self) -> float:
        return (
            self.engine.telemetry.registry.get_sample_value(
                "kindred_queue_items", {"model": self.model.name}
            )
            or 0.0
        )


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    model = Held()
    async with Engine(settings_in(tmp_path), [model]) as engine, listening(engine) as addresses:
        yield Server(engine, addresses, model)
        model.gate.set()


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> list[Priority]:
    """Records the lane of everything that is pushed."""
    seen, push = list[Priority](), Pipeline.push

    def recorded(self: Pipeline, jobs: Sequence[Job]) -> None:
        seen.extend(job.priority for job in jobs)
        push(self, jobs)

    monkeypatch.setattr(Pipeline, "push", recorded)
    return seen


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


def headers(**sent: str) -> dict[str, str]:
    return {f"x-{name.replace('_', '-')}": value for name, value in sent.items()}


async def test_asking_is_interactive_and_storing_is_bulk_unless_the_request_says_otherwise(
    server: Server, lanes: list[Priority]
) -> None:
    upsert = "/v1/collections/c/items:upsert"
    async with httpx.AsyncClient(base_url=server.addresses.http) as client:
        await client.post("/v1/collections", json={"name": "c"})
        await client.post("/v1/embeddings", json={"input": "a"})
        await client.post(upsert, json={"items": [{"content": "b"}]})
        urgent = headers(kindred_priority="interactive")
        await client.post(upsert, json={"items": [{"content": "c"}]}, headers=urgent)
        patient = headers(kindred_priority="bulk")
        await client.post("/v1/embeddings", json={"input": "d"}, headers=patient)
    asking, storing = Priority.INTERACTIVE, Priority.BULK
    assert lanes == [asking, storing, asking, storing]


async def test_metadata_of_grpc_say_the_same(server: Server, lanes: list[Priority]) -> None:
    async with grpc.aio.insecure_channel(server.addresses.grpc) as channel:
        embeddings = embeddings_grpc.EmbeddingServiceStub(channel)
        collections = collections_grpc.CollectionServiceStub(channel)
        request = embeddings_pb.EmbedRequest(contents=[text("a")])
        await embeddings.Embed(request, metadata=[("x-kindred-priority", "bulk")])
        await collections.CreateCollection(collections_pb.CreateCollectionRequest(name="c"))
        item = collections_pb.ItemInput(content=text("b"))
        await collections.UpsertItems(
            collections_pb.UpsertItemsRequest(collection="c", items=[item])
        )
        with pytest.raises(grpc.aio.AioRpcError, match="must be interactive or bulk") as refusal:
            await embeddings.Embed(request, metadata=[("x-kindred-priority", "now")])
    assert refusal.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert lanes == [Priority.BULK, Priority.BULK]


@pytest.mark.parametrize("wire", ["http", "grpc"])
async def test_a_client_says_it_with_the_call(
    server: Server, lanes: list[Priority], wire: str, tmp_path: Path
) -> None:
    (tmp_path / "words.txt").write_text("some words")
    async with AsyncClient(getattr(server.addresses, wire)) as client:
        await client.create_collection("c")
        await client.embed("a", priority="bulk")
        await client.upsert("c", [ItemInput("b", "b")], priority="interactive")
        await client.upload("c", [tmp_path / "words.txt"], priority="interactive")
        await client.upsert("c", [ItemInput("c", "c")])
        await client.search("c", "d", priority="bulk")
        await client.condition("e", seed=1, priority="bulk")
        await client.condition_file("f", seed=1, priority="bulk")
        await client.rank("g", "h", priority="bulk")
        await client.score_items("c", "i", priority="bulk")
    asking, storing = Priority.INTERACTIVE, Priority.BULK
    assert lanes == [storing, asking, asking, *[storing] * 7]


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        (headers(kindred_priority="now"), "x-kindred-priority must be interactive or bulk"),
        (headers(request_timeout="soon"), "x-request-timeout must be a positive number"),
    ],
)
async def test_a_header_that_makes_no_sense_is_refused(
    server: Server, sent: dict[str, str], rule: str
) -> None:
    async with httpx.AsyncClient(base_url=server.addresses.http) as client:
        answer = await client.post("/v1/embeddings", json={"input": "a"}, headers=sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["reason"]) == (400, "INVALID_ARGUMENT")
    assert rule in error["message"]


async def busy(server: Server, client: httpx.AsyncClient) -> "asyncio.Task[Any]":
    """Returns a request whose forward pass is held, so that others have to wait."""
    server.model.gate.clear()
    held = asyncio.create_task(client.post("/v1/embeddings", json={"input": "held"}))
    await until(server.model.entered.is_set)
    return held


async def test_a_deadline_that_passes_amid_the_begin_of_a_file_is_answered_once(
    server: Server,
) -> None:
    async with httpx.AsyncClient(base_url=server.addresses.http) as client:
        await client.post("/v1/collections", json={"name": "c"})
        taken = (await client.post("/v1/collections/c:snapshot")).json()
        for seconds in ("5e-324", "1e-4", "3e-4", "1e-3", "2e-3") * 8:
            asked = headers(request_timeout=seconds)
            answer = await client.get(f"/v1/snapshots/{taken['name']}", headers=asked)
            if answer.status_code == 504:
                assert answer.json()["error"]["reason"] == "DEADLINE_EXCEEDED"
            else:
                assert len(answer.content) == taken["bytes"]


async def test_a_deadline_of_rest_ends_the_wait_and_saves_the_forward_pass(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.addresses.http) as client:
        held = await busy(server, client)
        late = await client.post(
            "/v1/embeddings", json={"input": "late"}, headers=headers(request_timeout="0.1")
        )
        assert (late.status_code, late.json()["error"]["reason"]) == (504, "DEADLINE_EXCEEDED")
        assert server.queue_items == 1
        server.model.gate.set()
        assert (await held).status_code == 200
        await client.post("/v1/embeddings", json={"input": "after"})
    assert server.model.passes == 2


async def test_a_client_of_rest_that_leaves_frees_its_place(server: Server) -> None:
    async with httpx.AsyncClient(base_url=server.addresses.http) as client:
        held = await busy(server, client)
        gone = asyncio.create_task(client.post("/v1/embeddings", json={"input": ["x", "y"]}))
        await until(lambda: server.queue_items == 3)
        gone.cancel()
        await until(lambda: server.queue_items == 1)
        server.model.gate.set()
        assert (await held).status_code == 200
        await client.post("/v1/embeddings", json={"input": "after"})
    assert server.model.passes == 2
    assert b'status="499"' in server.engine.telemetry.exposition()


async def test_a_client_of_grpc_that_leaves_frees_its_place(server: Server) -> None:
    async with (
        httpx.AsyncClient(base_url=server.addresses.http) as client,
        grpc.aio.insecure_channel(server.addresses.grpc) as channel,
    ):
        held = await busy(server, client)
        request = embeddings_pb.EmbedRequest(contents=[text("x"), text("y")])
        gone = embeddings_grpc.EmbeddingServiceStub(channel).Embed(request)
        await until(lambda: server.queue_items == 3)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        await until(lambda: server.queue_items == 1)
        server.model.gate.set()
        await held
    assert server.model.passes == 1
