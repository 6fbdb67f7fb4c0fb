"""Traces: what a collector gets of requests over either wire."""

import socket
import threading
import time
from collections.abc import Iterable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from kindred import AsyncClient, IngestFolder, ItemInput
from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from service.engine import Engine
from service.serve import listening
from service.settings import Settings
from service.tracing import Traces
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = f"00-{TRACE}-{PARENT}-01"
"""A `traceparent`, as the example of the W3C has it."""

CLOCKS = 50_000_000
"""Nanoseconds by which two clocks may seem to differ that are read one after the other."""


class Collector:
    """Keeps what is sent to it, as a collector of OpenTelemetry does."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                sent = ExportTraceServiceRequest.FromString(body)
                for resource in sent.resource_spans:
                    for scope in resource.scope_spans:
                        collector.spans.extend(scope.spans)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def named(self, name: str) -> list[Span]:
        """Returns the spans of a name, the first to begin first."""
        return _in_order(span for span in self.spans if span.name == name)

    def below(self, above: Span) -> list[Span]:
        """Returns the spans that are children of one, the first to begin first."""
        return _in_order(span for span in self.spans if span.parent_span_id == above.span_id)

    def knows(self, span: Span) -> bool:
        """Tells whether what a span says it comes from, if it does, has come, too."""
        known = {b"", bytes.fromhex(PARENT), *(each.span_id for each in self.spans)}
        return span.parent_span_id in known

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def _in_order(spans: Iterable[Span]) -> list[Span]:
    return sorted(spans, key=lambda span: span.start_time_unix_nano)


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


@pytest.fixture
def engine(collector: Collector, tmp_path: Path) -> Engine:
    """An engine that has sent everything to the collector once it is left."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media/red.txt").write_text("red")
    options = {
        "data": tmp_path / "data",
        "port": 0,
        "grpc_port": 0,
        "traces": collector.address,
        "job_folders": [tmp_path],
        "decode_workers": 0,
    }
    return Engine(Settings.model_validate(options), [FakeEmbedder()])


async def test_a_search_is_a_span_with_its_stages_below_that_of_the_caller(
    collector: Collector, engine: Engine
) -> None:
    async with (
        engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        await http.post("/v1/collections", json={"name": "a"})
        await http.get("/readyz")
        question = {"query": [{"type": "text", "text": "red"}, {"type": "text", "text": "green"}]}
        for _ in range(2):
            answer = await http.post(
                "/v1/collections/a/items:search", json=question, headers={"traceparent": CALLER}
            )
    first, again = collector.named("POST /v1/collections/{collection}/items:search")
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (TRACE, PARENT)
    assert first.kind == Span.SPAN_KIND_SERVER
    assert facts(again) == {
        "http.request.method": "POST",
        "http.response.status_code": 200,
        "http.route": "/v1/collections/{collection}/items:search",
        "kindred.request_id": answer.headers["x-request-id"],
    }
    above = [span for span in collector.spans if span.kind == Span.SPAN_KIND_SERVER]
    assert len(above) == 3  # of probes nobody wants to know
    below = collector.below(first)
    assert [span.name for span in below] == ["decode", "queue", "embed", "search"]
    assert below[0].start_time_unix_nano >= first.start_time_unix_nano - CLOCKS
    assert below[3].start_time_unix_nano >= below[2].end_time_unix_nano - CLOCKS
    assert below[3].end_time_unix_nano <= first.end_time_unix_nano
    assert all(span.start_time_unix_nano <= span.end_time_unix_nano for span in below)
    for span in below[:3]:
        assert facts(span) == {"kindred.model": "fake", "kindred.items": 2}
    assert [span.name for span in collector.below(again)] == ["search"]  # vectors were remembered


async def test_a_call_has_the_same_stages(collector: Collector, engine: Engine) -> None:
    async with engine, listening(engine) as addresses, AsyncClient(addresses.grpc) as client:
        await client.create_collection("a")
        await client.upsert("a", [ItemInput("red", "red")])
        await client.search("a", "green")
    for method, stages in (
        ("UpsertItems", ["decode", "queue", "embed", "store"]),
        ("SearchItems", ["decode", "queue", "embed", "search"]),
    ):
        (call,) = collector.named(f"kindred.v1.CollectionService/{method}")
        assert facts(call)["rpc.method"] == call.name
        assert facts(call)["rpc.response.status_code"] == "OK"
        assert [span.name for span in collector.below(call)] == stages


async def test_only_a_fault_of_the_server_is_an_error(
    collector: Collector, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "models", lambda: 1 // 0)
    async with engine, listening(engine) as addresses:
        async with httpx.AsyncClient(base_url=addresses.http) as http:
            await http.get("/v1/models/none")
            await http.get("/v1/models")
        async with grpc.aio.insecure_channel(addresses.grpc) as channel:
            stub = models_grpc.ModelServiceStub(channel)
            for call in (
                stub.GetModel(models_pb.GetModelRequest(name="none")),
                stub.ListModels(models_pb.ListModelsRequest()),
            ):
                with pytest.raises(grpc.RpcError):
                    await call
    refused = {"kindred.reason": "MODEL_NOT_FOUND"}
    failed = {"kindred.reason": "INTERNAL", "error.type": "INTERNAL"}
    for name, told in (
        ("GET /v1/models/{name:path}", {"http.response.status_code": 404, **refused}),
        ("GET /v1/models", {"http.response.status_code": 500, **failed}),
        (
            "kindred.v1.ModelService/GetModel",
            {"rpc.response.status_code": "NOT_FOUND", "rpc.system.name": "grpc", **refused},
        ),
        ("kindred.v1.ModelService/ListModels", {"rpc.response.status_code": "INTERNAL", **failed}),
    ):
        (span,) = collector.named(name)
        is_error = span.status.code == Status.STATUS_CODE_ERROR
        assert is_error == ("error.type" in told), name
        assert not span.events
        assert told.items() <= facts(span).items(), name
        assert ("error.type" in facts(span)) == is_error


async def test_what_a_job_stores_leads_to_the_job_and_that_to_who_created_it(
    collector: Collector, engine: Engine, tmp_path: Path
) -> None:
    async with (
        engine,
        listening(engine) as addresses,
        AsyncClient(addresses.http) as client,
    ):
        await client.create_collection("a")
        job = await client.create_job("a", IngestFolder(str(tmp_path / "media")))
        async for told in client.watch_job(job.id):
            last = told
    assert last.counts.added == 1
    (asked,) = collector.named("POST /v1/jobs")
    (ran,) = collector.named("job folder")
    (batch,) = collector.named("batch")
    assert [link.span_id for link in ran.links] == [asked.span_id]
    assert [link.span_id for link in batch.links] == [ran.span_id]
    assert len({span.trace_id for span in (asked, ran, batch)}) == 3
    assert not ran.parent_span_id
    assert facts(ran) == {"kindred.request_id": job.id, "kindred.items": 1}
    assert [span.name for span in collector.below(batch)] == ["decode", "queue", "embed", "store"]
    assert [span.name for span in collector.spans if not collector.knows(span)] == []


def test_a_collector_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.tracing.SEND_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        traces = Traces(f"http://127.0.0.1:{silent.getsockname()[1]}")
        for _ in range(2000):  # four batches, each of which it could have its time for
            with traces.request("asked", {}):
                pass
        began = time.perf_counter()
        traces.close()
        assert time.perf_counter() - began < 2.0


def facts(span: Span) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
