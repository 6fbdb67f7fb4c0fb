"""Clients that are slow, leave, do not read, or are ten thousand."""

import asyncio
import contextlib
import resource
import time
from collections.abc import AsyncIterator, Callable, Coroutine

import grpc
import httpx

from kindred.v1 import (
    content_pb2,
    embedding_service_pb2,
    embedding_service_pb2_grpc,
    snapshot_service_pb2,
    snapshot_service_pb2_grpc,
)
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]

PATIENCE = 3.0
"""`header_seconds` and `body_seconds` of the server that is attacked by the slow."""

SLOW, LEAVING, CALLS, CROWD = 1_000, 500, 300, 10_000
MOST_GROWTH = 150
"""MiB and files that may be left of all that: connections take some, and must give them back."""


def attack(seconds: float) -> Outcome:
    """Attacks two servers in every way; `seconds` is not used."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    outcome = Outcome()
    with victim(header_seconds=PATIENCE, body_seconds=PATIENCE) as server:
        _before_and_after(
            server, outcome, (_slow, _leaving, _silent_readers, _calls_off, _silent_callers)
        )
    with victim(header_seconds=120, max_connections=CROWD + 100) as server:
        _before_and_after(server, outcome, (_crowd,))
    with victim() as server:
        _before_and_after(server, outcome, (_too_many,))
    return outcome


def _before_and_after(
    server: Victim,
    outcome: Outcome,
    attacks: tuple[Callable[[Victim, Outcome], Coroutine[None, None, None]], ...],
) -> None:
    memory, files = server.memory, server.files
    for each in attacks:
        asyncio.run(each(server, outcome))
        outcome.expect(not server.illness(), f"{each.__name__}: {server.illness()}")
    time.sleep(PATIENCE + 1)
    told = f"memory {memory} -> {server.memory} MiB, files {files} -> {server.files}"
    outcome.note(f"({attacks[0].__name__.strip('_')}...: {told})")
    outcome.expect(server.memory - memory < MOST_GROWTH and server.files - files < 20, told)


async def _opened(server: Victim) -> Stream:
    host, _, port = server.http.partition("//")[2].partition(":")
    return await asyncio.open_connection(host, int(port))


async def _many(server: Victim, count: int) -> list[Stream]:
    """Opens connections, a few hundred at once: the backlog of a socket is short."""
    opened: list[Stream] = []
    while len(opened) < count:
        some = min(200, count - len(opened))
        opened += await asyncio.gather(*(_opened(server) for _ in range(some)))
    return opened


async def _served(server: Victim, outcome: Outcome, most: float = 5.0) -> None:
    """Embeds something new, as an honest client beside the attack."""
    began = time.monotonic()
    async with httpx.AsyncClient(base_url=server.http, timeout=60) as http:
        answer = await http.post("/v1/embeddings", json={"input": f"words of {began}"})
    took = time.monotonic() - began
    outcome.note("honest requests beside them")
    outcome.expect(answer.is_success, f"an honest client got {answer.status_code}")
    outcome.expect(took < most, f"an honest client waited {took:.1f} s")


async def _slow(server: Victim, outcome: Outcome) -> None:
    """Slow loris: headers, or a body, a byte at a time."""
    header = b"GET /v1/models HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 100
    body = b"POST /v1/rank HTTP/1.1\r\nHost: localhost\r\ncontent-length: 999\r\n\r\n" + b"{" * 100
    opened = await _many(server, SLOW)
    cut = asyncio.gather(
        *(_trickled(s, (header, body)[n % 2], 60 * (n % 2)) for n, s in enumerate(opened))
    )
    for _ in range(5):
        await asyncio.sleep(0.3)
        await _served(server, outcome)
    outcome.note("slow clients cut", sum(await cut))
    outcome.expect(outcome.counts["slow clients cut"] == SLOW, "a slow client was not cut")


async def _trickled(stream: Stream, data: bytes, ahead: int) -> bool:
    """Sends a byte every tenth of a second; returns whether the server ended it in time."""
    reader, writer = stream
    with contextlib.suppress(ConnectionError):
        writer.write(data[:ahead])
        ended = asyncio.create_task(reader.read())
        for place in range(ahead, len(data)):
            writer.write(data[place : place + 1])
            if (await asyncio.wait((ended,), timeout=0.1))[0]:
                break
        is_over = ended.done()
        ended.cancel()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            await ended
        writer.transport.abort()
        return is_over
    return True


async def _leaving(server: Victim, outcome: Outcome) -> None:
    """Leaves in the middle of uploads and answers."""
    head = b"%s HTTP/1.1\r\nHost: localhost\r\ncontent-type: application/json\r\n"
    begun = (
        head % b"PUT /v1/snapshots/stolen.snapshot"
        + b"content-length: 9999999\r\n\r\n"
        + b"x" * 9000,
        head % b"POST /v1/embeddings" + b"content-length: 9999999\r\n\r\n" + b'{"input": "' * 900,
        head % b"POST /v1/embeddings" + b'content-length: 20\r\n\r\n{"input": "%08d"}',
        head % b"GET /v1/snapshots/album" + b"\r\n",
    )
    for start in range(0, LEAVING, 50):
        for n, (_, writer) in enumerate(await _many(server, 50), start):
            data = begun[n % len(begun)]
            writer.write(data % n if b"%08d" in data else data)
            await writer.drain()
            writer.transport.abort()
            outcome.note("clients left in the middle")
    await _served(server, outcome)
    left = [p for p in (server.folder / "data" / ".snapshots").iterdir() if "stolen" in p.name]
    outcome.expect(not left, f"what was half sent is kept: {left}")


async def _silent_readers(server: Victim, outcome: Outcome) -> None:
    """Asks for large answers and reads none of them."""
    texts = ",".join(f'"{n}"' for n in range(256)).encode()
    body = b'{"input": [' + texts + b"]}"
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\ncontent-type: application/json\r\n"
    opened = await _many(server, 100)
    for _, writer in opened:
        writer.write(head + b"content-length: %d\r\n\r\n" % len(body) + body)
    await asyncio.sleep(1)
    await _served(server, outcome)
    outcome.note("clients read nothing", len(opened))
    for _, writer in opened:
        writer.transport.abort()


async def _calls_off(server: Victim, outcome: Outcome) -> None:
    """Leaves streams of gRPC: between messages, and without a word."""
    for _ in range(CALLS // 30):
        channels = [grpc.aio.insecure_channel(server.grpc) for _ in range(10)]
        for channel in channels:
            stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)
            stream = stub.EmbedStream(_endless())
            await stream.read()
            files = snapshot_service_pb2_grpc.SnapshotServiceStub(channel)
            asked = snapshot_service_pb2.DownloadSnapshotRequest(name="album")
            download = files.DownloadSnapshot(asked)
            upload = files.UploadSnapshot(_half_a_file())
            await asyncio.sleep(0.02)
            for call in (download, upload):
                call.cancel()
            outcome.note("streams left", 3)
        for channel in channels:
            await channel.close(None)
    await _served(server, outcome)


async def _silent_callers(server: Victim, outcome: Outcome) -> None:
    """Connects to gRPC, and says nothing or half of how a connection begins."""
    host, _, port = server.grpc.partition(":")
    begun = (
        b"",
        b"PRI * HTTP/2.0\r\n\r\nSM",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02",
    )
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(SLOW)]
    for number, (_, writer) in enumerate(opened):
        writer.write(begun[number % len(begun)])
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)
        words = content_pb2.Content(text="words beside silence")
        asked = embedding_service_pb2.EmbedRequest(contents=[words])
        outcome.note("honest calls beside them", len((await stub.Embed(asked)).results))
    async with asyncio.timeout(60):
        for reader, writer in opened:
            with contextlib.suppress(ConnectionError):
                await reader.read()
            writer.transport.abort()
            outcome.note("silent gRPC connections cut")


async def _endless() -> AsyncIterator[object]:
    number = 0
    while True:
        number += 1
        words = content_pb2.Content(text=f"word {number}")
        yield embedding_service_pb2.EmbedStreamRequest(content=words)
        await asyncio.sleep(0)


async def _half_a_file() -> AsyncIterator[object]:
    yield snapshot_service_pb2.UploadSnapshotRequest(name="stolen.snapshot", data=b"x" * 9000)
    await asyncio.Event().wait()


async def _crowd(server: Victim, outcome: Outcome) -> None:
    """Ten thousand at once: while all are there an honest client is served, then each of them."""
    memory, began = server.memory, time.monotonic()
    opened = await _many(server, CROWD)
    await _served(server, outcome)
    told = f"with {server.files:,} files {server.memory - memory} MiB more"
    for start in range(0, CROWD, 500):
        answers = await asyncio.gather(*(_asked(s) for s in opened[start : start + 500]))
        outcome.note("answers to the ten thousand", sum(answers))
    outcome.note(f"({told}, {time.monotonic() - began:.0f} s)")
    outcome.expect(outcome.counts["answers to the ten thousand"] == CROWD, "some had no answer")
    for _, writer in opened:
        writer.transport.abort()


async def _asked(stream: Stream) -> bool:
    reader, writer = stream
    try:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 60)
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0])
        await reader.readexactly(length)
    except (ConnectionError, asyncio.IncompleteReadError):
        return False
    return head.startswith(b"HTTP/1.1 200")


async def _too_many(server: Victim, outcome: Outcome) -> None:
    """Ten thousand, more than `max_connections`: those that asked for nothing give way."""
    opened = await _many(server, CROWD)
    await _served(server, outcome)
    answers = [await _asked(stream) for stream in opened[:50] + opened[-50:]]
    outcome.note("of the 50 oldest closed", answers[:50].count(False))
    outcome.note("of the 50 youngest served", answers[50:].count(True))
    outcome.expect(not any(answers[:50]), "one that waited long was kept")
    outcome.expect(all(answers[50:]), "one that had just come was closed")
    for _, writer in opened:
        writer.transport.abort()
    await asyncio.sleep(1)
    await _served(server, outcome)
