"""Traces: what a collector gets of requests over either wire."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from kindred.v1 import collection_service_pb2 as collections_pb
from kindred.v1 import collection_service_pb2_grpc as collections_grpc
from service.engine import Engine
from service.serve import listening
from service.settings import Settings
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
CALLER = f"00-{TRACE}-{PARENT}-01"
"""A `traceparent`, as the example of the W3C has it."""


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

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as found:
        yield found


async def test_a_search_is_a_span_with_its_stages_below_that_of_the_caller(
    collector: Collector, tmp_path: Path
) -> None:
    options = {"data": tmp_path, "port": 0, "grpc_port": 0, "traces": collector.address}
    settings = Settings.model_validate(options)
    async with Engine(settings, [FakeEmbedder()]) as engine, listening(engine) as addresses:
        async with httpx.AsyncClient(base_url=addresses.http) as http:
            await http.post("/v1/collections", json={"name": "a"})
            question = {"query": [{"type": "text", "text": "red"}]}
            answer = await http.post(
                "/v1/collections/a/items:search", json=question, headers={"traceparent": CALLER}
            )
        async with grpc.aio.insecure_channel(addresses.grpc) as channel:
            stub = collections_grpc.CollectionServiceStub(channel)
            with pytest.raises(grpc.RpcError):
                await stub.GetCollection(
                    collections_pb.GetCollectionRequest(name="none"),
                    metadata=(("traceparent", CALLER),),
                )
    spans = {span.name: span for span in collector.spans}
    rest = spans["POST /v1/collections/{collection}/items:search"]
    rpc = spans["kindred.v1.CollectionService/GetCollection"]
    for span in (rest, rpc):
        assert (span.trace_id.hex(), span.parent_span_id.hex()) == (TRACE, PARENT)
        assert span.kind == Span.SPAN_KIND_SERVER
    assert facts(rest)["http.response.status_code"] == 200
    assert facts(rest)["kindred.request_id"] == answer.headers["x-request-id"]
    assert facts(rpc)["rpc.grpc.status"] == "NOT_FOUND"
    search = spans["search"]
    assert search.parent_span_id == rest.span_id
    assert rest.start_time_unix_nano <= search.start_time_unix_nano
    assert search.end_time_unix_nano <= rest.end_time_unix_nano


def facts(span: Span) -> dict[str, object]:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}
