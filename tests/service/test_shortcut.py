"""The way past the framework leads to the same answers as the way through it."""

from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from service.engine import Engine
from service.messages import Content, EmbedAnswer
from service.rest.wire import JsonRoute
from service.serve import listening
from service.settings import Settings
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio

SHORT, LONG = "application/json", "application/json; charset=utf-8"
PIECES = 3
"""In so many a body is sent where it is sent in pieces."""


@pytest.fixture
async def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Returns where requests went that took the long way, as they do."""
    taken = list[str]()
    answer = JsonRoute.handle

    async def noted(self: JsonRoute, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        taken.append(self.path)
        await answer(self, *args, **kwargs)

    monkeypatch.setattr(JsonRoute, "handle", noted)
    return taken


async def answered(http: httpx.AsyncClient, path: str, body: bytes, kind: str) -> tuple[int, Any]:
    """Returns status and answer, without what time tells, of a body that comes in pieces."""

    async def pieces() -> AsyncIterator[bytes]:
        for number in range(PIECES):
            yield body[number * len(body) // PIECES : (number + 1) * len(body) // PIECES]

    response = await http.post(path, content=pieces(), headers={"content-type": kind})
    answer = response.json()
    for fleeting in ("timing_ms", "created"):
        answer.pop(fleeting, None)
    return response.status_code, answer


ITEMS = "/v1/collections/%61b/items"
"""Those of the collection `ab`."""

STORED = orjson.dumps({"items": [{"id": "red/1", "content": "red"}]})
QUESTIONS = [
    ("/v1/embeddings", b'{"input": ["red", "loud"]}', 200),
    ("/v1/rank", b'{"query": "red", "candidates": ["blue", "red"]}', 200),
    (f"{ITEMS}:upsert", STORED, 200),
    (f"{ITEMS}:search", b'{"query": "red", "exact": true}', 200),
    (f"{ITEMS}:delete", b'{"ids": ["red/1"]}', 200),
    ("/v1/embeddings", b'{"input": []}', 400),
    ("/v1/embeddings", b'{"input": "red", "colour": 1}', 400),
    ("/v1/embeddings", b'{"input": "red"', 400),
    ("/v1/embeddings", b'{"input": [%s]}' % b",".join([b"1"] * 200), 400),
    ("/v1/embeddings", b"", 400),
    ("/v1/embeddings", b'{"input": "red", "model": "none"}', 404),
    ("/v1/collections/nowhere/items:search", b'{"query": "red"}', 404),
    ("/v1/nowhere", b'{"query": "red"}', 404),
]


@pytest.mark.parametrize(("path", "body", "status"), QUESTIONS)
async def test_both_ways_lead_to_the_same_answer(
    http: httpx.AsyncClient, path: str, body: bytes, status: int
) -> None:
    made = await http.post("/v1/collections", json={"name": "ab"})
    assert made.status_code == 201
    await answered(http, "/v1/collections/ab/items:upsert", STORED, LONG)
    long = await answered(http, path, body, LONG)
    await answered(http, "/v1/collections/ab/items:upsert", STORED, LONG)
    short = await answered(http, path, body, SHORT)
    assert short == long
    assert short[0] == status


async def test_questions_that_are_right_go_the_short_way(
    http: httpx.AsyncClient, long_ways: list[str]
) -> None:
    ask = {"query": "red"}
    for kind in (SHORT, LONG):
        assert (await answered(http, "/v1/embeddings", b'{"input": "a"}', kind))[0] == 200
    assert long_ways == ["/v1/embeddings"]
    await http.post("/v1/collections/none/items:search", json=ask)
    assert long_ways == ["/v1/embeddings"]
    await http.post("/v1/collections/none/items:search", json={})
    assert long_ways[1:] == ["/v1/collections/{collection}/items:search"]


async def test_an_unforeseen_failure_is_told_by_its_request_id(tmp_path: Path) -> None:
    class Failing(Engine):
        async def embed(self, contents: Sequence[Content], **_: Any) -> EmbedAnswer:  # noqa: ANN401
            raise ZeroDivisionError("what nobody is told")

    settings = Settings.model_validate({"data": tmp_path, "port": 0, "grpc_port": 0})
    async with (
        Failing(settings, [FakeEmbedder()]) as engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        answer = await http.post("/v1/embeddings", json={"input": "a"})
        metrics = (await http.get("/metrics")).text
    assert answer.status_code == 500
    assert answer.headers["x-request-id"] in answer.json()["error"]["message"]
    assert "nobody" not in answer.text
    counted = 'kindred_requests_total{method="POST /v1/embeddings",status="500",transport="rest"}'
    assert f"{counted} 1.0" in metrics
