"""What a server logs: a line of JSON each, under its request's id, with nothing that is private."""

import io
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import grpc
import httpx
import orjson
import pytest
from typer.testing import CliRunner

from kindred import AsyncClient, ItemInput, KindredError
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from service.access.caller import Scope
from service.access.keys import parts_of
from service.cli import app
from service.engine import Engine
from service.serve import listening
from service.settings import Settings
from service.telemetry import VERSION, JsonLines
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio

PRIVATE = ("sunflower", "tulip", "meadow", "secret-id")
"""What items and questions hold in these tests."""


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a server's log has, as it is written."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(JsonLines())
    root, audit = logging.getLogger(), logging.getLogger("kindred.audit")
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)
    assert audit.level == logging.INFO


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    options = {"data": tmp_path / "data", "port": 0, "grpc_port": 0, "decode_workers": 0}
    return Engine(Settings.model_validate(options), [FakeEmbedder()])


def lines(written: io.StringIO, logger: str) -> list[dict[str, object]]:
    found = [orjson.loads(line) for line in written.getvalue().splitlines()]
    return [line for line in found if str(line["logger"]).startswith(logger)]


async def test_each_line_has_the_request_id_that_the_client_has(
    engine: Engine, written: io.StringIO
) -> None:
    async with engine, listening(engine) as addresses:
        async with httpx.AsyncClient(base_url=addresses.http) as http:
            answer = await http.post("/v1/collections", json={"name": "a"})
        async with grpc.aio.insecure_channel(addresses.grpc) as channel:
            stub = models_grpc.ModelServiceStub(channel)
            call = stub.ListModels(
                models_pb.ListModelsRequest(), metadata=(("x-request-id", "mine-1"),)
            )
            named = dict(await call.trailing_metadata())["x-request-id"]
    made = answer.headers["x-request-id"]
    assert named == "mine-1"
    (audit,) = lines(written, "kindred.audit")
    (rest,) = lines(written, "service.rest.edge")
    (rpc,) = lines(written, "service.rpc.edge")
    assert [line["request_id"] for line in (audit, rest, rpc)] == [made, made, "mine-1"]
    assert str(rest["message"]).startswith("POST /v1/collections 201 ")
    for line in (audit, rest, rpc):
        assert line["caller"] == "anonymous"
        assert line["level"] == "info"
        when = datetime.fromisoformat(str(line["time"]))
        assert when.utcoffset() is not None
        assert abs((when - datetime.now(when.tzinfo)).total_seconds()) < 60


@pytest.mark.parametrize("wire", ["http", "grpc"])
async def test_the_log_has_no_key_and_nothing_of_what_is_stored_or_asked(
    engine: Engine, written: io.StringIO, wire: str
) -> None:
    async with engine, listening(engine) as addresses:
        _, key = engine.guard.file.create("admin", (Scope.ADMIN,))
        async with AsyncClient(getattr(addresses, wire), api_key=key) as client:
            await client.create_collection("a")
            await client.upsert("a", [ItemInput("sunflower", "secret-id", {"where": "meadow"})])
            await client.search("a", "tulip", filter={"where": "meadow"})
            await client.delete_items("a", ["secret-id"])
            with pytest.raises(KindredError, match="tulip"):
                await client.search("a", "tulip", filter={"where": {"$tulip": 1}})
        async with AsyncClient(getattr(addresses, wire), api_key=f"{key}x") as stranger:
            with pytest.raises(KindredError):
                await stranger.models()
    text = written.getvalue()
    assert len(lines(written, "kindred.audit")) == 3
    for private in (*PRIVATE, key, parts_of(key)[1]):
        assert private not in text
    assert lines(written, "service.r")[-1]["caller"] == "nobody"


async def test_changes_are_logged_at_any_level(engine: Engine, written: io.StringIO) -> None:
    logging.getLogger().setLevel(logging.ERROR)
    async with (
        engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        await http.post("/v1/collections", json={"name": "a"})
    assert [line["method"] for line in lines(written, "")] == ["Collections.create"]


async def test_a_long_path_is_cut(engine: Engine, written: io.StringIO) -> None:
    async with (
        engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        await http.get("/" + "a" * 10_000)
    (line,) = lines(written, "service.rest.edge")
    assert str(line["message"]).startswith(f"GET /{'a' * 299} 404 ")


async def test_health_tells_the_version(engine: Engine) -> None:
    async with (
        engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        told = (await http.get("/healthz")).json()
        metrics = (await http.get("/metrics")).text
    assert told == {"status": "ok", "version": VERSION}
    assert CliRunner().invoke(app, ["--version"]).stdout == f"kindred {VERSION}\n"
    assert f'kindred_build_info{{version="{VERSION}"}} 1.0' in metrics
