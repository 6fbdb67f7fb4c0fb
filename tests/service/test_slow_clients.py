"""Clients that take their time, or leave: they cost a connection for seconds, and nobody else."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from embedder.base import Prepared, Vectors
from service.engine import Engine
from service.serve import Addresses, listening
from service.settings import Settings
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio
PATIENCE = 0.4
LONG = 32 * 1024 * 1024
"""Bytes."""


@asynccontextmanager
async def running(folder: Path, **options: object) -> AsyncIterator[Addresses]:
    settings = Settings.model_validate(
        {
            "data": folder,
            "port": 0,
            "grpc_port": 0,
            "header_seconds": PATIENCE,
            "body_seconds": PATIENCE,
            **options,
        }
    )
    async with Engine(settings, [FakeEmbedder()]) as engine, listening(engine) as found:
        yield found


async def connected(addresses: Addresses) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, _, port = addresses.http.partition("//")[2].partition(":")
    return await asyncio.open_connection(host, int(port))


async def last_words(reader: asyncio.StreamReader) -> bytes:
    """Returns what comes until the connection ends, one way or the other."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


async def alive(addresses: Addresses) -> bool:
    async with httpx.AsyncClient(base_url=addresses.http) as http:
        return (await http.get("/v1/models")).is_success


@pytest.mark.parametrize("begun", [b"", b"GET /v1/models HTTP/1.1\r\nHost: lo", b"G"])
async def test_who_does_not_finish_a_request_is_cut(tmp_path: Path, begun: bytes) -> None:
    async with running(tmp_path) as addresses:
        reader, writer = await connected(addresses)
        start = time.monotonic()
        writer.write(begun)
        await writer.drain()
        assert await last_words(reader) == b""
        assert time.monotonic() - start >= PATIENCE / 2
        assert await alive(addresses)
        writer.close()


async def test_a_second_request_on_a_connection_is_not_waited_for_longer(tmp_path: Path) -> None:
    async with running(tmp_path) as addresses:
        reader, writer = await connected(addresses)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /v1/models HTTP/1.1\r\n")
        async with asyncio.timeout(10 * PATIENCE):
            await last_words(reader)
        writer.close()


async def test_a_body_that_comes_too_slowly_is_answered(tmp_path: Path) -> None:
    async with running(tmp_path) as addresses:
        reader, writer = await connected(addresses)
        writer.write(
            b"POST /v1/rank HTTP/1.1\r\nHost: localhost\r\ncontent-type: application/json\r\n"
            b'content-length: 100\r\n\r\n{"query": "'
        )
        answer = await reader.readuntil(b"\r\n")
        assert answer.startswith(b"HTTP/1.1 504")
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        assert length
        body = await reader.readexactly(int(length[1]))
        assert b"DEADLINE_EXCEEDED" in body
        assert b"must be sent within 0.4 s, got 11 bytes" in body
        writer.close()


async def test_who_takes_nothing_of_an_answer_is_cut(tmp_path: Path) -> None:
    """What is longer than any buffer on the way; a client that takes it slowly gets all of it."""
    (tmp_path / ".snapshots").mkdir()
    (tmp_path / ".snapshots" / "long").write_bytes(bytes(LONG))
    asked = b"GET /v1/snapshots/long HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    async with running(tmp_path) as addresses:
        slow, slow_writer = await connected(addresses)
        idle, idle_writer = await connected(addresses)
        for writer in (slow_writer, idle_writer):
            writer.write(asked)
        taken = 0
        while piece := await slow.read(LONG // 10):
            taken += len(piece)
            await asyncio.sleep(PATIENCE / 100)
        assert taken > LONG
        async with asyncio.timeout(30 * PATIENCE):
            while not idle_writer.transport.is_closing():
                idle_writer.write(b"x")  # tells whether anybody is there
                await asyncio.sleep(PATIENCE / 10)
        assert len(await last_words(idle)) < LONG
        slow_writer.close()
        idle_writer.close()


async def test_an_answer_may_take_longer_than_a_body(tmp_path: Path) -> None:
    class Slow(FakeEmbedder):
        def encode(self, batch: Sequence[Prepared]) -> Vectors:
            time.sleep(2 * PATIENCE)
            return super().encode(batch)

    settings = Settings.model_validate(
        {"data": tmp_path, "port": 0, "grpc_port": 0, "body_seconds": PATIENCE}
    )
    async with (
        Engine(settings, [Slow()]) as engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        answer = await http.post("/v1/embeddings", json={"input": "a"})
        assert answer.is_success


BUSY = (
    b"POST /v1/rank HTTP/1.1\r\nHost: localhost\r\ncontent-type: application/json\r\n"
    b"content-length: 100\r\n\r\n{"
)
"""A request whose body is still to come."""


async def test_connections_beyond_the_limit_are_refused_while_all_are_busy(tmp_path: Path) -> None:
    patient = {"max_connections": 5, "header_seconds": 30, "body_seconds": 30}
    async with running(tmp_path, **patient) as addresses:
        held = [await connected(addresses) for _ in range(5)]
        for _, writer in held:
            writer.write(BUSY)
            await writer.drain()
        async with httpx.AsyncClient(base_url=addresses.http) as http:
            assert (await http.get("/v1/models")).status_code == 503
        for _, writer in held:
            writer.close()
            await writer.wait_closed()
        assert await alive(addresses)


@pytest.mark.parametrize(
    "asked", [b"", b"GET /v1/mod", b"GET /healthz HTTP/1.1\r\nHost: lo\r\n\r\n"]
)
async def test_who_asks_for_nothing_gives_way_to_who_does(tmp_path: Path, asked: bytes) -> None:
    """Many who wait, or have been answered, lock nobody out; the oldest of them go first."""
    async with running(
        tmp_path, max_connections=5, header_seconds=30, body_seconds=30
    ) as addresses:
        held = [await connected(addresses) for _ in range(4)]
        for reader, writer in held:
            writer.write(asked)
            if asked.endswith(b"\r\n\r\n"):
                assert (await reader.readline()).startswith(b"HTTP/1.1 ")
        answer, busy = await connected(addresses)
        busy.write(BUSY)
        await busy.drain()
        for _ in range(3):
            assert await alive(addresses)
        async with asyncio.timeout(10):  # far less than they might have waited
            await last_words(held[0][0])
            await last_words(held[1][0])
        busy.write(b"}" + b" " * 98)
        assert (await answer.readline()).startswith(b"HTTP/1.1 400")
        for writer in (busy, *(each for _, each in held)):
            writer.transport.abort()


async def test_who_leaves_in_the_middle_costs_nobody(tmp_path: Path) -> None:
    async with running(tmp_path) as addresses:
        for sent in (b"POST /v1/rank HTTP/1.1\r\ncontent-length: 9\r\n", b"\x16\x03\x01", b"\r\n"):
            _, writer = await connected(addresses)
            writer.write(sent)
            await writer.drain()
            writer.transport.abort()
        assert await alive(addresses)


async def test_who_leaves_in_the_middle_of_an_upload_is_no_failure_of_ours(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(tmp_path) as addresses, httpx.AsyncClient(base_url=addresses.http) as http:
        for path in (b"/v1/snapshots/half", b"/v1/embeddings"):
            _, writer = await connected(addresses)
            verb = b"PUT" if b"half" in path else b"POST"
            head = verb + b" " + path + b" HTTP/1.1\r\nHost: localhost\r\n"
            writer.write(head + b"content-length: 99999\r\n\r\n" + b"x" * 999)
            await writer.drain()
            writer.transport.abort()
        async with asyncio.timeout(20):
            while len(re.findall('_total{.*status="499"', (await http.get("/metrics")).text)) < 2:
                await asyncio.sleep(0.01)
        assert (await http.get("/v1/snapshots")).json()["snapshots"] == []
    assert not [record for record in caplog.records if record.exc_info]
    assert not [path for path in (tmp_path / ".snapshots").iterdir() if path.is_file()]


async def test_where_files_are_few_who_waited_longest_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (4, 4))  # as if nearly all were open
    async with running(tmp_path, header_seconds=60) as addresses:
        reader, writer = await connected(addresses)
        assert await alive(addresses)
        assert await last_words(reader) == b""
        writer.close()
