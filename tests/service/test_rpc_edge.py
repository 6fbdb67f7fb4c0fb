"""What all calls share: errors, deadlines, limits, metrics; and health and reflection."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from embedder.errors import UndecodableMedia
from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import embedding_service_pb2_grpc as embeddings_grpc
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from service.engine import Engine
from service.errors import TABLE, ItemFailed, Overloaded, RateLimited, status_of
from service.messages import Content, EmbedAnswer, ModelInfo, Readiness
from service.rpc.server import create_server
from tests.fakes import FakeEmbedder
from tests.service.rpc_server import BROKEN, engine_in, serving, settings_in, text

pytestmark = pytest.mark.anyio


class Failing(Engine):
    """Answers with whatever error it is given, and is ready only when told to be."""

    def __init__(self, folder: Path, error: BaseException) -> None:
        super().__init__(settings_in(folder), [FakeEmbedder()])
        self.error = error
        self.ready = True

    def model(self, name: str) -> ModelInfo:
        raise self.error

    async def readiness(self) -> Readiness:
        return Readiness(self.ready, {})


class Hanging(Engine):
    """Never answers an embed request, and notes when it is called off."""

    def __init__(self, folder: Path) -> None:
        super().__init__(settings_in(folder), [FakeEmbedder()])
        self.called = asyncio.Event()
        self.called_off = asyncio.Event()

    async def embed(self, contents: Sequence[Content], **options: Any) -> EmbedAnswer:  # noqa: ANN401
        self.called.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.called_off.set()
        raise AssertionError("the event is never set")


def made(kind: type[Exception]) -> Exception:
    match kind.__name__:
        case "Overloaded":
            return Overloaded("the rule", retry_after=1.5)
        case "RateLimited":
            return RateLimited("the rule", retry_after=1.5)
        case "ItemFailed":
            return ItemFailed(3, UndecodableMedia("the rule"))
        case _:
            return kind("the rule")


def facts_of(error: Any) -> tuple[Status, ErrorInfo]:  # noqa: ANN401 - grpc has no types
    raw = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status, info = Status.FromString(raw), ErrorInfo()
    status.details[0].Unpack(info)
    return status, info


@pytest.mark.parametrize("kind", [*TABLE, ZeroDivisionError])
async def test_every_error_has_its_row_of_the_table(tmp_path: Path, kind: type[Exception]) -> None:
    error = made(kind)
    row = status_of(error)
    async with serving(Failing(tmp_path, error)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await models_grpc.ModelServiceStub(channel).GetModel(models_pb.GetModelRequest())
    status, info = facts_of(caught.value)
    assert caught.value.code().name == row.grpc
    assert (info.reason, info.domain) == (row.reason, "kindred")
    assert info.metadata["code"] == str(row.http)
    assert status.message == caught.value.details()
    assert ("the rule" in status.message) == (row.http != 500)


async def test_overload_says_when_to_come_back(tmp_path: Path) -> None:
    async with serving(Failing(tmp_path, Overloaded("full", retry_after=1.5))) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await models_grpc.ModelServiceStub(channel).GetModel(models_pb.GetModelRequest())
    status, _ = facts_of(caught.value)
    retry = RetryInfo()
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() == 1500


async def test_an_item_that_costs_the_request_is_named(tmp_path: Path) -> None:
    async with serving(engine_in(tmp_path)) as channel:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await embeddings_grpc.EmbeddingServiceStub(channel).Embed(
                embeddings_pb.EmbedRequest(contents=[text("red"), BROKEN])
            )
    _, info = facts_of(caught.value)
    assert (info.reason, info.metadata["index"]) == ("UNDECODABLE_MEDIA", "1")


async def test_a_deadline_ends_the_work(tmp_path: Path) -> None:
    engine = Hanging(tmp_path)
    async with serving(engine) as channel:
        for timeout in (0.2, 2, 20):
            call = embeddings_grpc.EmbeddingServiceStub(channel).Embed(
                embeddings_pb.EmbedRequest(contents=[text("red")]), timeout=timeout
            )
            assert await call.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            if engine.called.is_set():  # on a busy machine it may be late before it begins
                break
        await engine.called_off.wait()


async def test_a_client_that_leaves_ends_its_work(tmp_path: Path) -> None:
    engine = Hanging(tmp_path)
    async with serving(engine) as channel:
        call = embeddings_grpc.EmbeddingServiceStub(channel).Embed(
            embeddings_pb.EmbedRequest(contents=[text("red")])
        )
        await engine.called.wait()
        call.cancel()
        await engine.called_off.wait()


async def test_a_message_over_the_limit_is_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path).model_copy(update={"max_body_bytes": 10_000})
    async with serving(Engine(settings, [FakeEmbedder()])) as channel:
        stub = embeddings_grpc.EmbeddingServiceStub(channel)
        allowed = await stub.Embed(embeddings_pb.EmbedRequest(contents=[text("a" * 9_000)]))
        assert allowed.results
        with pytest.raises(grpc.aio.AioRpcError, match="at most 10000 bytes, got 11006") as caught:
            await stub.Embed(embeddings_pb.EmbedRequest(contents=[text("a" * 11_000)]))
        assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        _, info = facts_of(caught.value)
        assert (info.reason, info.metadata["code"]) == ("PAYLOAD_TOO_LARGE", "413")
        with pytest.raises(grpc.aio.AioRpcError, match=r"21008 vs\. 20000") as caught:
            await stub.Embed(embeddings_pb.EmbedRequest(contents=[text("a" * 21_000)]))
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED  # gRPC's own


@pytest.mark.parametrize("method", ["/kindred.v1.EmbeddingService/Nothing", "/no.Service/Embed"])
async def test_a_method_that_there_is_not_is_told_so(tmp_path: Path, method: str) -> None:
    async with serving(engine_in(tmp_path)) as channel:
        with pytest.raises(grpc.aio.AioRpcError, match=f"there is no method {method}") as caught:
            await channel.unary_unary(method)(b"")
    _, info = facts_of(caught.value)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED
    assert (info.reason, info.metadata["code"]) == ("NOT_FOUND", "404")


async def test_a_client_may_name_its_request(tmp_path: Path) -> None:
    async with serving(engine_in(tmp_path)) as channel:
        stub = models_grpc.ModelServiceStub(channel)

        async def named(sent: str) -> str:
            call = stub.ListModels(models_pb.ListModelsRequest(), metadata=[("x-request-id", sent)])
            return str(dict(await call.trailing_metadata())["x-request-id"])

        assert await named("mine-1") == "mine-1"
        for odd in ("", "two words", "a" * 65):  # which can't stand in a log: the rule of REST
            assert len(await named(odd)) == 16
        missing = stub.GetModel(
            models_pb.GetModelRequest(name="nobody"), metadata=[("x-request-id", "mine-2")]
        )
        assert dict(await missing.trailing_metadata())["x-request-id"] == "mine-2"


async def test_calls_are_counted_and_logged_by_status(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "service.rpc.edge")
    engine = engine_in(tmp_path)
    async with serving(engine) as channel:
        stub = models_grpc.ModelServiceStub(channel)
        await stub.ListModels(models_pb.ListModelsRequest())
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.GetModel(models_pb.GetModelRequest(name="nobody"))
    metrics = engine.telemetry.exposition().decode()
    for method, status in (("ListModels", "OK"), ("GetModel", "NOT_FOUND")):
        labels = f'method="/kindred.v1.ModelService/{method}",status="{status}",transport="grpc"'
        assert f"kindred_requests_total{{{labels}}} 1.0" in metrics
        assert f"/kindred.v1.ModelService/{method} {status} " in caplog.text


async def test_answers_and_errors_carry_their_request_id(tmp_path: Path) -> None:
    async with serving(engine_in(tmp_path)) as channel:
        stub = models_grpc.ModelServiceStub(channel)
        found = stub.ListModels(models_pb.ListModelsRequest())
        missing = stub.GetModel(models_pb.GetModelRequest(name="nobody"))
        names = {dict(await call.trailing_metadata())["x-request-id"] for call in (found, missing)}
    assert len(names) == 2


async def test_health_is_what_readiness_says(tmp_path: Path) -> None:
    engine = Failing(tmp_path, ValueError())
    async with serving(engine) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for name in ("", "kindred.v1.EmbeddingService"):
            for ready, expected in ((True, "SERVING"), (False, "NOT_SERVING")):
                engine.ready = ready
                found = await stub.Check(health_pb2.HealthCheckRequest(service=name))
                status = health_pb2.HealthCheckResponse.ServingStatus.Name(found.status)
                assert status == expected
        with pytest.raises(grpc.aio.AioRpcError, match="nobody"):
            await stub.Check(health_pb2.HealthCheckRequest(service="nobody"))


async def test_health_can_be_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.rpc.health.WATCH_SECONDS", 0.01)
    engine = Failing(tmp_path, ValueError())
    async with serving(engine) as channel:
        watch = health_pb2_grpc.HealthStub(channel).Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        engine.ready = False
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watch.cancel()


async def test_reflection_shows_every_service(tmp_path: Path) -> None:
    async with engine_in(tmp_path) as engine:
        server, port = create_server(engine, engine.settings)
        await server.start()

        def reflect() -> tuple[set[str], str]:
            with grpc.insecure_channel(f"localhost:{port}") as channel:
                database = ProtoReflectionDescriptorDatabase(channel)
                file = database.FindFileContainingSymbol("kindred.v1.CollectionService")
                return set(database.get_services()), file.name

        names, file = await asyncio.to_thread(reflect)
        await server.stop(None)
    assert names == {
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
        "kindred.v1.AliasService",
        "kindred.v1.CollectionService",
        "kindred.v1.ConditioningService",
        "kindred.v1.EmbeddingService",
        "kindred.v1.JobService",
        "kindred.v1.ModelService",
        "kindred.v1.SnapshotService",
    }
    assert file == "kindred/v1/collection_service.proto"


async def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    async with engine_in(tmp_path) as engine:
        server, port = create_server(engine, engine.settings)
        taken = engine.settings.model_copy(update={"grpc_port": port})
        with pytest.raises(RuntimeError, match=str(port)):
            create_server(engine, taken)
        await server.stop(None)
