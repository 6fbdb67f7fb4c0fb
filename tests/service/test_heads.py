"""What comes before a body has a bound, in whatever pieces, and so has what waits behind it."""

from pathlib import Path

import httpx
import orjson
import pytest

from tests.service.test_slow_clients import alive, connected, last_words, running

pytestmark = pytest.mark.anyio
MOST = 4096
PATIENT = {"header_seconds": 60, "body_seconds": 60, "max_header_bytes": MOST, "max_pipelined": 110}
HOST = b" HTTP/1.1\r\nHost: localhost\r\n"
ASKED = b"GET /healthz" + HOST

JUST_OVER = {
    "headers": ASKED + b"x: y\r\n" * (MOST // 2) + b"\r\n",
    "a value": ASKED + b"x: " + b"y" * MOST + b"\r\n\r\n",
    "a name": ASKED + b"x" * MOST + b": y\r\n\r\n",
    "a path": b"GET /" + b"x" * MOST + HOST + b"\r\n",
    "no end": ASKED + b"x: " + b"y" * MOST,
}
ENDLESS = {
    "headers": ASKED + b"x: y\r\n" * 100 * MOST,
    "a value": ASKED + b"x: " + b"y" * 100 * MOST,
    "a line": b"GET /" + b"x" * 100 * MOST,
    "no line": b"G" * 100 * MOST,
}


@pytest.mark.parametrize("name", JUST_OVER)
async def test_a_head_that_is_too_long_is_refused(tmp_path: Path, name: str) -> None:
    async with running(tmp_path, **PATIENT) as addresses:
        reader, writer = await connected(addresses)
        writer.write(JUST_OVER[name])
        head, _, body = (await last_words(reader)).partition(b"\r\n\r\n")
        writer.close()
        told = orjson.loads(body)["error"]
        assert head.startswith(b"HTTP/1.1 413 ")
        assert told["reason"] == "PAYLOAD_TOO_LARGE"
        assert "line and headers may have at most 4096 bytes" in told["message"]
        assert await alive(addresses)


@pytest.mark.parametrize("name", ENDLESS)
async def test_a_head_without_end_is_cut(tmp_path: Path, name: str) -> None:
    async with running(tmp_path, **PATIENT) as addresses:
        reader, writer = await connected(addresses)
        writer.write(ENDLESS[name])
        assert b"HTTP/1.1 2" not in await last_words(reader)  # a refusal may be lost as it is cut
        assert await alive(addresses)
        writer.close()


async def test_a_later_request_of_a_connection_is_held_to_the_same(tmp_path: Path) -> None:
    async with running(tmp_path, **PATIENT) as addresses:
        reader, writer = await connected(addresses)
        writer.write(ASKED + b"\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        writer.write(JUST_OVER["a value"])
        assert b"HTTP/1.1 413" in await last_words(reader)
        writer.close()


@pytest.mark.parametrize("size", [MOST // 2, MOST - 256])
async def test_a_head_within_the_bound_is_answered(tmp_path: Path, size: int) -> None:
    async with (
        running(tmp_path, **PATIENT) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        http.headers = httpx.Headers({"x": "y" * size})
        assert (await http.get("/healthz")).status_code == 200


async def test_what_comes_at_once_is_counted_apart(tmp_path: Path) -> None:
    """Requests that are sent together, and a body in chunks of which each has a line of its own."""
    body = b'{"input": "%s"}' % (b"a" * MOST)
    chunks = b"".join(b"1\r\n%c\r\n" % each for each in body) + b"0\r\n\r\n"
    head = b"POST /v1/embeddings" + HOST + b"Content-Type: application/json\r\n"
    async with running(tmp_path, **PATIENT) as addresses:
        reader, writer = await connected(addresses)
        writer.write((ASKED + b"\r\n") * 100)
        writer.write(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        writer.write(head + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        found = await last_words(reader)
        assert found.count(b"HTTP/1.1 200") == 102
        writer.close()


async def test_trailers_without_end_are_cut(tmp_path: Path) -> None:
    head = b"POST /v1/embeddings" + HOST + b"Content-Type: application/json\r\n"
    begun = head + b'Transfer-Encoding: chunked\r\n\r\nd\r\n{"input":"a"}\r\n0\r\n'
    async with running(tmp_path, **PATIENT) as addresses:
        reader, writer = await connected(addresses)
        writer.write(begun + b"x: " + b"y" * 100 * MOST)
        assert await last_words(reader) == b""
        assert await alive(addresses)
        writer.close()


async def test_more_requests_than_may_wait_cut_their_connection(tmp_path: Path) -> None:
    async with running(tmp_path, **PATIENT) as addresses:
        reader, writer = await connected(addresses)
        writer.write((ASKED + b"\r\n") * 2_000)
        assert (await last_words(reader)).count(b"HTTP/1.1 200") < 2_000
        assert await alive(addresses)
        writer.close()


async def test_nobody_is_upgraded_to_another_protocol(tmp_path: Path) -> None:
    asked = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    async with running(tmp_path, **PATIENT) as addresses:
        reader, writer = await connected(addresses)
        writer.write(ASKED + asked + b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
        assert (await last_words(reader)).startswith(b"HTTP/1.1 200 ")
        writer.close()
