"""Messages of gRPC whose end never comes or that unpack to far more, and answers left untaken."""

import asyncio
import gzip
import time
from collections.abc import Sequence

import grpc

from kindred.v1 import content_pb2, embedding_service_pb2, embedding_service_pb2_grpc
from service.access.caller import Scope
from service.access.keys import KeyFile
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim
from tests.service.half_messages import Halves

MIB = 1024 * 1024
EMBED = "/kindred.v1.EmbeddingService/Embed"
STREAM = "/kindred.v1.EmbeddingService/EmbedStream"
UPLOAD = "/kindred.v1.SnapshotService/UploadSnapshot"
HEALTH = "/grpc.health.v1.Health/Check"

PATIENCE = 8.0
"""`body_seconds` of the server: so long those that have a place are waited for."""

HALF, STRANGE, CALLS = 90 * MIB, 1_000, 24
"""Bytes of each, and how many: far more than places."""

PLACES = 8
"""`max_pending_bytes` over `max_body_bytes`, as they are by default."""

PACKED, MOST_UNPACKED = 40, 2_500
"""Messages that unpack, and MiB that they may take: what may be in work, and what is unpacked."""

TEXTS, ASKED, MOST_UNTAKEN = 256, 900, 500
"""Texts in a call, and calls, whose answers nobody takes; and MiB that those may take."""

MOST_KEPT = 100
"""MiB that may be left of what came, a while after it was refused."""


def attack(seconds: float) -> Outcome:
    """Attacks a server that asks for a key, and one that does not; `seconds` is not used."""
    outcome = Outcome()
    with victim(body_seconds=PATIENCE) as server:
        KeyFile(server.folder / "data" / ".keys.json").create("attack", (Scope.READ,))
        asyncio.run(_strangers(server, outcome))
        outcome.expect(not server.traceback(), server.traceback())
    for each in (_callers, _packed, _untaken):
        with victim(body_seconds=PATIENCE) as server:
            asyncio.run(each(server, outcome))
            outcome.expect(not server.illness(), server.illness())
    return outcome


async def _strangers(server: Victim, outcome: Outcome) -> None:
    """Begins a thousand calls without a key, and sends as much of each as is taken."""
    before, most = server.memory, 0
    async with Halves.to(server.grpc) as halves:
        sending = _sent(halves, (EMBED, STREAM, UPLOAD, HEALTH), STRANGE)
        while len(halves.ended) < STRANGE:
            most = max(most, server.memory)
            await asyncio.sleep(0.02)
        await sending
        await asyncio.sleep(2)
        told = f"{halves.sent // MIB} MiB of strangers: memory {before} -> {most} -> "
        told += f"{server.memory} MiB"
        outcome.note("halves of strangers refused", len(halves.ended))
        outcome.note(f"({told})")
        outcome.expect(server.memory - before < MOST_KEPT, told)


async def _callers(server: Victim, outcome: Outcome) -> None:
    """Begins more large messages than may be slow, and asks as an honest client beside them."""
    before, seen = server.memory, [server.memory]
    async with Halves.to(server.grpc) as halves:
        sending = _sent(halves, (EMBED, STREAM), CALLS)
        while len(halves.ended) < CALLS:
            took = await _served(server)
            outcome.note("honest calls beside them")
            outcome.expect(took < 5, f"an honest client waited {took:.1f} s")
            seen.append(server.memory)
            await asyncio.sleep(0.1)
        await sending
        await asyncio.sleep(2)
        over = halves.ended.values()
        refused = sum(b"may take longer than" in told for told in over)
        late = sum(b"must be sent within" in told for told in over)
        told = f"{halves.sent // MIB} MiB of callers: memory {before} -> {max(seen)} -> {seen[-1]} "
        told += f"-> {server.memory} MiB"
    outcome.note("halves refused for want of a place", refused)
    outcome.note("halves waited for as long as they may be", late)
    outcome.note(f"({told})")
    outcome.expect((refused, late) == (CALLS - PLACES, PLACES), f"{refused} refused, {late} late")
    outcome.expect(seen[-1] - before < PLACES * HALF // MIB + MOST_KEPT, told)
    outcome.expect(server.memory - before < MOST_KEPT, told)


async def _packed(server: Victim, outcome: Outcome) -> None:
    """Sends whole messages of 0s in gzip: under the limit, up to twice as much, and beyond."""
    for count, size in ((1, 512 * MIB), (PACKED, 250 * MIB), (PACKED, 120 * MIB)):
        data, before, most = gzip.compress(bytes(size)), server.memory, server.memory
        async with Halves.to(server.grpc) as halves:
            calls = [halves.begin(EMBED, len(data), is_packed=True) for _ in range(count)]
            sending = asyncio.gather(*(halves.send(call, data) for call in calls))
            while len(halves.ended) < count:
                most = max(most, server.memory)
                await asyncio.sleep(0.02)
            await sending
        told = f"{count} of {len(data):,} bytes that unpack to {size // MIB} MiB: "
        told += f"memory {before} -> {most} MiB"
        outcome.note(f"({told})")
        outcome.expect(most - before < MOST_UNPACKED, told)


async def _untaken(server: Victim, outcome: Outcome) -> None:
    """Asks for large answers on one connection and takes none of them."""
    texts = [content_pb2.Content(text=f"word {n}") for n in range(TEXTS)]
    asked = embedding_service_pb2.EmbedRequest(contents=texts).SerializeToString()
    before = server.memory
    async with Halves.to(server.grpc, takes=0) as halves:
        for _ in range(ASKED):
            await halves.send(halves.begin(EMBED, len(asked)), asked)
            await asyncio.sleep(0.02)
        refused = sum(b"take answers before" in told for told in halves.ended.values())
        told = f"{ASKED} answers left untaken: memory {before} -> {server.memory} MiB"
    outcome.note("refused for want of taking", refused)
    outcome.note(f"({told})")
    outcome.expect(refused > 0 and server.memory - before < MOST_UNTAKEN, told)


def _sent(halves: Halves, methods: Sequence[str], count: int) -> "asyncio.Future[list[None]]":
    """Begins so many calls, and goes on to send all of each message but its end."""
    calls = [halves.begin(methods[n % len(methods)], HALF + 1) for n in range(count)]
    half = bytes(HALF)
    return asyncio.gather(*(halves.send(call, half) for call in calls))


async def _served(server: Victim) -> float:
    """Embeds something new over a connection of its own, and returns how long that took."""
    began = time.monotonic()
    words = content_pb2.Content(text=f"words of {began}")
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)
        await stub.Embed(embedding_service_pb2.EmbedRequest(contents=[words]), timeout=60)
    return time.monotonic() - began
