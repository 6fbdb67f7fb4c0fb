"""REST over real sockets: every resource, every limit, every kind of failure."""

import asyncio
import base64
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import orjson
import pytest

from embedder.media import Modality, Text
from service.engine import Engine
from service.messages import MediaContent
from service.rest.conditioning import FILES
from service.rest.embeddings import Embeddings
from service.rest.wire import Question
from service.serve import Addresses, listening
from service.settings import Settings
from tests.fakes import DIM, FakeEmbedder
from tests.samples import audio_bytes, image_bytes, picture, tone
from tests.service.poison import POISON

pytestmark = pytest.mark.anyio

Json = dict[str, Any]


def media(content: MediaContent) -> Json:
    return {"type": str(content.modality), "data": base64.b64encode(content.data).decode()}


def image(colour: str) -> Json:
    return media(MediaContent(Modality.IMAGE, image_bytes(picture(colour))))


def sound(loudness: float) -> Json:
    return media(MediaContent(Modality.AUDIO, audio_bytes(tone(loudness=loudness))))


async def ask(client: httpx.AsyncClient, path: str, body: object, status: int = 200) -> Json:
    response = await client.post(path, json=body)
    assert response.status_code == status, response.text
    answer: Json = response.json()
    return answer


def assert_failure(response: httpx.Response, status: int, reason: str) -> str:
    body = response.json()
    assert (response.status_code, body["error"]["code"]) == (status, status), response.text
    assert body["error"]["reason"] == reason
    assert set(body) == {"error"}
    assert set(body["error"]) == {"code", "reason", "message", "details"}
    message: str = body["error"]["message"]
    return message


async def test_the_short_way_of_a_body_that_is_right_answers_like_the_long_way(
    http: httpx.AsyncClient,
) -> None:
    body = orjson.dumps({"input": ["red", image("red"), sound(0.5)], "on_error": "item"})
    short, long = [
        await http.post("/v1/embeddings", content=body, headers={"content-type": kind})
        for kind in ("application/json", "application/json; charset=utf-8")
    ]
    answers = [answer.json() for answer in (short, long)]
    for answer in answers:
        del answer["timing_ms"]
    assert short.status_code == 200
    assert answers[0] == answers[1]


async def gallery(client: httpx.AsyncClient) -> None:
    await ask(client, "/v1/collections", {"name": "gallery"}, 201)
    items = [
        {"id": "red", "content": image("red"), "metadata": {"year": 2000, "note": None}},
        {"id": "green/2", "content": image("green")},
        {"id": "loud", "content": sound(0.9)},
        {"id": "words", "content": "red green"},
    ]
    stored = await ask(client, "/v1/collections/gallery/items:upsert", {"items": items})
    assert (stored["collection"], stored["ok"], stored["failed"]) == ("gallery", 4, 0)


async def search(client: httpx.AsyncClient, **question: object) -> Json:
    return await ask(client, "/v1/collections/gallery/items:search", question)


async def test_models_are_described(http: httpx.AsyncClient) -> None:
    (model,) = (await http.get("/v1/models")).json()["data"]
    assert model == (await http.get("/v1/models/fake")).json()
    assert model["modalities"] == ["text", "image", "audio"]
    assert (model["dim"], model["space"]) == (DIM, "fake-gap-0")
    assert (model["runtime"], model["device"], model["precision"]) == ("python", "cpu", "fp32")
    assert (model["non_commercial"], model["fidelity"]) == (False, 1.0)
    assert_failure(await http.get("/v1/models/none"), 404, "MODEL_NOT_FOUND")


async def test_decimals_of_a_vector_read_back_to_the_same_bits(http: httpx.AsyncClient) -> None:
    words = [f"word{i} word{7 * i}" for i in range(64)]
    decimal = await ask(http, "/v1/embeddings", {"input": words})
    packed = await ask(http, "/v1/embeddings", {"input": words, "encoding_format": "base64"})
    ours = np.array([entry["embedding"] for entry in decimal["data"]], dtype=np.float32)
    for row, entry in zip(ours, packed["data"], strict=True):
        assert row.tobytes() == base64.b64decode(entry["embedding"])
    assert len(np.unique(ours)) > 64


async def test_an_answer_is_what_the_document_says(http: httpx.AsyncClient) -> None:
    broken = {"type": "image", "data": "AAAA"}
    question = {"input": ["red", broken, sound(0.5)], "on_error": "item", "windows": True}
    answer = await ask(http, "/v1/embeddings", question)
    told = Embeddings.model_validate(answer, strict=False, extra="forbid")
    assert told.model_dump(mode="json", exclude_none=True) == answer
    assert [list(each) for each in answer["data"]] == [
        [name for name, value in each if value is not None] for each in told.data
    ]
    assert list(answer) == list(Embeddings.model_fields)
    assert told.data[1].error
    assert told.data[2].window_embeddings


def test_every_float32_survives_its_shortest_decimal() -> None:
    bits = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    edges = np.array([0, 1, 0x007FFFFF, 0x00800000, 0x7F7FFFFF, 0x80000000], dtype=np.uint32)
    values = np.concatenate([bits, edges]).view(np.float32)
    values = values[np.isfinite(values)]
    text = orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)
    assert np.array(orjson.loads(text), dtype=np.float32).tobytes() == values.tobytes()


async def test_mixed_contents_are_embedded_in_order(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "/v1/embeddings", {"input": ["red", image("red"), sound(0.5)]})
    assert [entry["modality"] for entry in answer["data"]] == ["text", "image", "audio"]
    assert [entry["index"] for entry in answer["data"]] == [0, 1, 2]
    expected = FakeEmbedder().embed([Text("red"), picture("red"), tone(loudness=0.5)])
    np.testing.assert_allclose([e["embedding"] for e in answer["data"]], expected, atol=1e-4)


@pytest.mark.parametrize("name", POISON)
async def test_poison_in_the_middle_of_32_costs_itself_alone(
    http: httpx.AsyncClient, name: str
) -> None:
    poison, expected = POISON[name]
    contents: list[object] = [f"word{i}" for i in range(32)]
    contents[16] = media(poison)
    answer = await ask(http, "/v1/embeddings", {"input": contents, "on_error": "item"})
    reasons = [entry.get("error", {}).get("reason", "ok") for entry in answer["data"]]
    assert reasons == ["ok"] * 16 + [expected] + ["ok"] * 15
    await ask(http, "/v1/collections", {"name": "gallery"}, 201)
    stored = await ask(
        http,
        "/v1/collections/gallery/items:upsert",
        {"items": [{"id": str(i), "content": content} for i, content in enumerate(contents)]},
    )
    assert (stored["ok"], stored["failed"]) == ((32, 0) if expected == "ok" else (31, 1))
    assert (await http.get("/readyz")).json() == {"ready": True, "failed": {}}


async def test_the_first_bad_content_fails_the_request_by_default(http: httpx.AsyncClient) -> None:
    response = await http.post(
        "/v1/embeddings", json={"input": ["a", {"type": "image", "data": "AAAA"}]}
    )
    assert "item 1: " in assert_failure(response, 400, "UNDECODABLE_MEDIA")
    assert response.json()["error"]["details"] == {"index": 1}


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        ("http://example.com/a.jpg", "INVALID_ARGUMENT", "never fetches a URL"),
        ("HTTPS://example.com/a.jpg", "INVALID_ARGUMENT", "never fetches a URL"),
        ("file:///etc/passwd", "INVALID_ARGUMENT", "never fetches a URL"),
        ("data:image/png,abc", "UNDECODABLE_MEDIA", "must be in base64"),
        ("☃", "UNDECODABLE_MEDIA", "must be base64"),
        ("not base64!", "UNDECODABLE_MEDIA", "must be base64"),
        ("é", "UNDECODABLE_MEDIA", "must be base64"),
        ("", "UNDECODABLE_MEDIA", "image must be one of"),
    ],
)
async def test_data_that_is_no_file_is_refused_with_the_rule(
    http: httpx.AsyncClient, data: str, reason: str, words: str
) -> None:
    body = {"input": [{"type": "image", "data": data}]}
    response = await http.post("/v1/embeddings", json=body)
    assert words in assert_failure(response, 400, reason)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", lambda it: {"input": it}),
        ("/v1/embeddings", lambda it: {"input": ["a", it]}),
        ("/v1/rank", lambda it: {"query": it, "candidates": ["a"]}),
        ("/v1/rank", lambda it: {"query": "a", "candidates": [it]}),
        ("/v1/collections/any/items:upsert", lambda it: {"items": [{"content": it}]}),
        ("/v1/collections/any/items:search", lambda it: {"query": [it]}),
        ("/v1/collections/any:score", lambda it: {"contents": [it]}),
        ("/v1/condition", lambda it: {"inputs": [it]}),
    ],
)
async def test_an_address_in_a_field_of_its_own_is_answered_with_what_to_send(
    http: httpx.AsyncClient, path: str, body: Callable[[object], object]
) -> None:
    asked = body({"type": "image", "url": "https://example.com/a.jpg"})
    response = await http.post(path, json=asked)
    told = assert_failure(response, 400, "INVALID_ARGUMENT")
    assert "data must be the file itself in base64: the server never fetches a URL" in told
    assert "Extra inputs" not in told


async def test_a_data_address_is_taken(http: httpx.AsyncClient) -> None:
    data = "data:image/png;base64," + image("red")["data"]
    question = {"input": [image("red"), {"type": "image", "data": data}]}
    plain, address = (await ask(http, "/v1/embeddings", question))["data"]
    assert plain["embedding"] == address["embedding"]


async def test_rank_tells_cosine_and_probability(http: httpx.AsyncClient) -> None:
    answer = await ask(http, "/v1/rank", {"query": image("red"), "candidates": ["loud", "red"]})
    assert [each["index"] for each in answer["candidates"]] == [1, 0]
    assert sum(each["probability"] for each in answer["candidates"]) == pytest.approx(1)


async def test_collections_come_and_go(http: httpx.AsyncClient) -> None:
    await gallery(http)
    info = (await http.get("/v1/collections/gallery")).json()
    assert info["counts"] == {"audio": 1, "image": 2, "text": 1}
    assert (await http.get("/v1/collections")).json() == {"collections": [info]}
    again = await http.post("/v1/collections", json={"name": "gallery"})
    assert_failure(again, 409, "COLLECTION_EXISTS")
    assert (await http.delete("/v1/collections/gallery")).status_code == 204
    assert_failure(await http.get("/v1/collections/gallery"), 404, "COLLECTION_NOT_FOUND")


async def test_search_finds_across_modalities_with_all_that_a_hit_tells(
    http: httpx.AsyncClient,
) -> None:
    await gallery(http)
    found = await search(http, query=[{"type": "text", "text": "red"}], k=1, modalities=["image"])
    (hit,) = found["hits"]
    assert hit["score"] == pytest.approx(1, abs=1e-6)
    assert hit.pop("score") <= 1
    assert 0 <= hit.pop("probability") <= 1
    assert isinstance(hit.pop("calibrated"), float)
    assert hit == {
        "id": "red",
        "modality": "image",
        "metadata": {"year": 2000, "note": None},
        "has_content": True,
    }
    assert (found["exact"], found["space"], found["ranking"]) == (True, "fake-gap-0", "cosine")
    assert set(found["timing_ms"]) == {"decode", "queue", "embed", "search", "total"}


async def test_search_mixes_parts_by_weight(http: httpx.AsyncClient) -> None:
    await gallery(http)
    query = [
        {**image("green"), "weight": 0.5},
        {"type": "text", "text": "red", "weight": 1.0},
        {"type": "item", "id": "green/2", "weight": -1.5},
    ]
    found = await search(http, query=query, modalities=["image"])
    assert [hit["id"] for hit in found["hits"]] == ["red", "green/2"]
    response = await http.post(
        "/v1/collections/gallery/items:search",
        json={"query": [query[1], {**query[1], "weight": -1}]},
    )
    assert "cancel out" in assert_failure(response, 400, "CANCELLED_OUT")


async def test_search_filters_and_includes_what_is_asked(http: httpx.AsyncClient) -> None:
    await gallery(http)
    found = await search(http, query="red", filter={"year": {"$lt": 2001}}, include=["vector"])
    (hit,) = found["hits"]
    assert hit["id"] == "red"
    assert "metadata" not in hit
    assert len(hit["vector"]) == DIM
    response = await http.post(
        "/v1/collections/gallery/items:search", json={"query": "a", "filter": {"a": {"$near": 1}}}
    )
    assert "$near" in assert_failure(response, 400, "INVALID_FILTER")


async def test_items_are_listed_fetched_and_deleted(http: httpx.AsyncClient) -> None:
    await gallery(http)
    items = "/v1/collections/gallery/items"
    first = (await http.get(items, params={"page_size": 3})).json()
    rest = (await http.get(items, params={"page_token": first["next_page_token"]})).json()
    ids = [item["id"] for item in first["items"] + rest["items"]]
    assert ids == ["red", "green/2", "loud", "words"]
    assert rest["next_page_token"] == ""
    only = await http.get(items, params={"filter": '{"modality": "text"}', "include": "vector"})
    assert [(item["id"], len(item["vector"])) for item in only.json()["items"]] == [("words", DIM)]
    one = (await http.get(f"{items}/{quote('green/2', safe='')}")).json()
    assert (one["id"], one["modality"], one["has_content"]) == ("green/2", "image", True)
    gone = await ask(http, f"{items}:delete", {"ids": ["green/2", "nobody"]})
    assert [result["status"] for result in gone["results"]] == ["ok", "error"]
    assert_failure(await http.get(f"{items}/green%2F2"), 404, "ITEM_NOT_FOUND")
    wrong = await http.get(items, params={"filter": "[1]"})
    assert "a JSON object is needed" in assert_failure(wrong, 400, "INVALID_ARGUMENT")


async def test_stored_media_come_back_and_run_nothing(http: httpx.AsyncClient) -> None:
    await gallery(http)
    items = "/v1/collections/gallery/items"
    kept = await http.get(f"{items}/green%2F2/content")
    assert kept.content == image_bytes(picture("green"))
    assert kept.headers["content-type"] == "image/png"
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in kept.headers["content-security-policy"]
    words = await http.get(f"{items}/words/content")
    assert (words.text, words.headers["content-type"]) == (
        "red green",
        "text/plain; charset=utf-8",
    )


async def test_files_are_uploaded_as_they_are(http: httpx.AsyncClient) -> None:
    await ask(http, "/v1/collections", {"name": "gallery"}, 201)
    upload = "/v1/collections/gallery/items:upload"
    files = [
        ("file", ("red.png", image_bytes(picture("red")))),
        ("file", ("broken.jpg", b"\xff\xd8\xff broken")),
        ("file", ("sea.wav", audio_bytes(tone()))),
        ("file", ("note.txt", "ein Löwe".encode())),
        ("file", ("noise.bin", b"\xfe\xfe\xfe")),
    ]
    answer = (await http.post(upload, files=files, data={"metadata": '{"set": 1}'})).json()
    outcomes = [each.get("modality") or each["error"]["reason"] for each in answer["results"]]
    assert outcomes == ["image", "UNDECODABLE_MEDIA", "audio", "text", "UNDECODABLE_MEDIA"]
    assert (answer["ok"], answer["failed"]) == (3, 2)
    item = await http.get(f"/v1/collections/gallery/items/{answer['results'][0]['id']}")
    assert item.json()["metadata"] == {"filename": "red.png", "set": 1}
    named = await http.post(upload, files=files[:1], data={"id": "my/red"})
    assert named.json()["results"][0]["id"] == "my/red"
    wrong = await http.post(upload, files=files[:2], data={"id": "one"})
    assert "one id for each file" in assert_failure(wrong, 400, "INVALID_ARGUMENT")
    assert_failure(await http.post(upload, data={"id": "a"}), 400, "INVALID_ARGUMENT")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{nope", "the body must be JSON"),
        (b'{"input": NaN}', "the body must be JSON"),
        (b"[]", "body: "),
        (b"{}", "body.input: Field required"),
        (b'{"input": "a", "inputs": "b"}', "body.inputs: Extra inputs"),
        (b'{"input": [{"type": "video", "data": ""}]}', "body.input.0: Input tag 'video'"),
        (b'{"input": [{"type": "image"}]}', "body.input.0.image.data: Field required"),
        (b'{"input": ["a", 7]}', "body.input.1: "),
        (b'{"input": "a", "encoding_format": "hex"}', "encoding_format"),
        (b'{"input": []}', "at least one item"),
        (b'{"input": "a", "dimensions": 0}', "dimensions must be 1 to 32, got 0"),
    ],
)
async def test_a_wrong_question_is_told_its_rule(
    http: httpx.AsyncClient, body: bytes, words: str
) -> None:
    headers = {"content-type": "application/json"}
    response = await http.post("/v1/embeddings", content=body, headers=headers)
    assert words in assert_failure(response, 400, "INVALID_ARGUMENT")


async def test_a_body_that_does_not_say_that_it_is_json_is_told_so(http: httpx.AsyncClient) -> None:
    response = await http.post("/v1/embeddings", content=b'{"input": "a"}')
    assert "content-type: application/json" in assert_failure(response, 400, "INVALID_ARGUMENT")


async def test_unknown_paths_and_methods_have_the_same_body(http: httpx.AsyncClient) -> None:
    assert "GET /v2" in assert_failure(await http.get("/v2"), 404, "NOT_FOUND")
    assert_failure(await http.put("/v1/models"), 405, "METHOD_NOT_ALLOWED")
    for path, allowed in (
        ("/v1/models", "GET"),
        ("/v1/collections", "GET, POST"),
        ("/v1/collections/album", "DELETE, GET, PATCH"),
        ("/v1/collections/album:score", "POST"),
        ("/v1/collections/album/items/red", "GET"),
        ("/v1/snapshots/some", "DELETE, GET, PUT"),
        ("/healthz", "GET"),
        ("/", "GET"),
    ):
        assert (await http.options(path)).headers["allow"] == allowed
    upwards = await http.get("/web/..%2f..%2fengine.py")
    assert_failure(upwards, 404, "NOT_FOUND")


async def test_every_answer_has_a_request_id(http: httpx.AsyncClient) -> None:
    assert (await http.get("/healthz", headers={"x-request-id": "mine-1"})).headers[
        "x-request-id"
    ] == "mine-1"
    made = (await http.get("/nowhere", headers={"x-request-id": "a\tb"})).headers["x-request-id"]
    assert len(made) == 16


async def test_a_foreign_page_may_not_call(http: httpx.AsyncClient) -> None:
    foreign = await http.get("/v1/models", headers={"origin": "http://evil.example"})
    assert_failure(foreign, 403, "PERMISSION_DENIED")
    for host in ("evil.example:8000", "[::1", "", "localhost.evil.example"):
        rebound = await http.get("/v1/models", headers={"host": host})
        assert_failure(rebound, 403, "PERMISSION_DENIED")
    for host in ("localhost:1", "[::1]:1", "127.0.0.1"):
        assert (await http.get("/v1/models", headers={"host": host})).status_code == 200
    own = await http.get("/v1/models", headers={"origin": str(http.base_url).rstrip("/")})
    assert own.status_code == 200
    assert "access-control-allow-origin" not in own.headers


async def test_metrics_count_requests_by_route(http: httpx.AsyncClient) -> None:
    await ask(http, "/v1/embeddings", {"input": "red"})
    await http.get("/v1/models/none")
    for method in ("TRACE", "MKCOL", "PUT"):  # names of theirs make no series of ours
        await http.request(method, "/v1/models")
    text = (await http.get("/metrics")).text
    assert 'kindred_requests_total{method="unknown",status="405",transport="rest"} 3.0' in text
    assert (
        'kindred_requests_total{method="POST /v1/embeddings",status="200",transport="rest"} 1.0'
        in text
    )
    assert (
        'kindred_requests_total{method="GET /v1/models/{name:path}",status="404",'
        'transport="rest"} 1.0' in text
    )
    assert 'kindred_batch_items_count{modality="text",model="fake"} 1.0' in text


async def test_the_openapi_document_names_every_route(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    assert "/v1/collections/{collection}/items:search" in document["paths"]
    for path in document["paths"].values():
        for method in path.values():
            assert method["summary"]
            assert "default" in method["responses"]
            asked = [each["$ref"] for each in method["parameters"] if "$ref" in each]
            assert asked == [f"#/components/parameters/{name}" for name in ("Timeout", "Priority")]
    known = document["components"]["parameters"]
    assert {each["name"] for each in known.values()} == {"x-request-timeout", "x-kindred-priority"}
    assert (await http.get("/docs")).status_code == 200


async def test_the_openapi_document_names_every_kind_of_answer(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]
    assert (await http.post("/v1/collections", json={"name": "album"})).is_success
    name = (await http.post("/v1/collections/album:snapshot")).json()["name"]
    path, known = f"/v1/snapshots/{name}", paths["/v1/snapshots/{name}"]["get"]["responses"]
    for asked, status in (("", 200), ("bytes=0-0", 206)):
        told = await http.get(path, headers={"range": asked})
        assert told.status_code == status
        assert told.headers["content-type"] in known[str(status)]["content"]
    known = paths["/v1/condition"]["post"]["responses"]["200"]["content"]
    assert known.keys() == {"application/json", *FILES.values()}


class Broken(FakeEmbedder):
    def encode(self, batch: object) -> Any:  # noqa: ANN401 - it never answers
        raise RuntimeError("secret of the house")


async def test_a_fault_of_ours_is_not_told_and_readiness_goes_red(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path, port=0, grpc_port=0)
    async with (
        Engine(settings, [Broken()]) as engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as client,
    ):
        response = await client.post("/v1/embeddings", json={"input": "a"})
        message = assert_failure(response, 500, "INTERNAL")
        assert "secret" not in response.text
        assert response.headers["x-request-id"] in message
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["ready"]) == (503, False)
        assert set(ready.json()["failed"]) == {"fake/text", "fake/image", "fake/audio"}
        assert (await client.get("/healthz")).status_code == 200


async def test_limits_are_named(tmp_path: Path) -> None:
    settings = Settings(
        data=tmp_path, port=0, grpc_port=0, max_body_bytes=2000, max_item_bytes=50, max_items=2
    )
    async with (
        Engine(settings, [FakeEmbedder()]) as engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as client,
    ):
        large = await client.post("/v1/embeddings", json={"input": "a" * 3000})
        assert "at most 2000 bytes" in assert_failure(large, 413, "PAYLOAD_TOO_LARGE")
        chunked = await _chunked(addresses, b'{"input": "' + b"a" * 3000 + b'"}')
        assert b" 413 " in chunked.partition(b"\r\n")[0]
        assert b"PAYLOAD_TOO_LARGE" in chunked
        item = await client.post("/v1/embeddings", json={"input": "a" * 60})
        assert "at most 50 bytes, got 60" in assert_failure(item, 413, "PAYLOAD_TOO_LARGE")
        many = await client.post("/v1/embeddings", json={"input": ["a"] * 3})
        assert "at most 2 items, got 3" in assert_failure(many, 413, "TOO_MANY_ITEMS")


async def _chunked(addresses: Addresses, body: bytes) -> bytes:
    """Posts a body whose length is not announced, and returns the whole answer."""
    host, port = addresses.http.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
        + b"%x\r\n%s\r\n0\r\n\r\n"
        % (len(body), body)
    )
    await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


async def test_mistakes_by_the_hundred_are_counted_and_not_told(http: httpx.AsyncClient) -> None:
    body = {"input": "a", **{str(n): n for n in range(500)}}
    answer = await http.post("/v1/embeddings", json=body)
    told = assert_failure(answer, 400, "INVALID_ARGUMENT")
    assert "a body must be wrong in at most 100 places, got " in told
    assert len(told) < 200


def _lists(schema: object) -> Iterator[dict[str, Any]]:
    """Yields the lists in a schema of pydantic's."""
    match schema:
        case dict():
            if schema.get("type") == "list":
                yield schema
            for each in schema.values():
                yield from _lists(each)
        case list() | tuple():
            for each in schema:
                yield from _lists(each)


@pytest.mark.parametrize("kind", sorted(Question.__subclasses__(), key=str))
def test_of_a_list_in_a_question_one_mistake_is_told(kind: type[Question]) -> None:
    assert all(found.get("fail_fast") for found in _lists(kind.__pydantic_core_schema__))


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b'{"input": [%s]}' % b",".join([b"[]"] * 200_000), "input"),
        (b'{"input": [%s]}' % b",".join([b"{}"] * 200_000), "input"),
        (b'{"input": %s[1%s]}' % (b"[" * 9, b",1" * 200_000 + b"]" * 9), "input"),
        (b'{"input": "a", "dimensions": [%s]}' % b",".join([b"1"] * 200_000), "dimensions: "),
        (
            b'{"input": {"type": "text", %s}}' % b",".join(b'"%d": 1' % n for n in range(200_000)),
            "an object of at most 1000 fields",
        ),
        (
            b'{"input": "a", %s}' % b",".join(b'"%d": 1' % n for n in range(200_000)),
            "an object of at most 1000 fields",
        ),
        (
            b'{"input": [%s]}' % b",".join([b"[]"] * 3_500_000),
            "at most 2000000 values, got 7000001",
        ),
    ],
)
async def test_mistakes_by_the_hundred_thousand_cost_little(
    http: httpx.AsyncClient, body: bytes, rule: str
) -> None:
    headers = {"content-type": "application/json"}
    answer = await http.post("/v1/embeddings", content=body, headers=headers)
    message = assert_failure(answer, 400, "INVALID_ARGUMENT")
    assert rule in message
    assert len(message) < 2_000
