"""Requests whose first lines no client library would send, byte by byte over a socket."""

import asyncio
import contextlib
import random
import time

from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

TOGETHER = 16
ANSWER_SECONDS = 20.0

BODY = b'{"input": "words"}'

LINES = (
    *(b"POST /v1/embeddings HTTP/1.1", b"GET /v1/models HTTP/1.1", b"GET / HTTP/1.1"),
    *(b"GET /v1/snapshots HTTP/1.1", b"HEAD /docs HTTP/1.1", b"OPTIONS * HTTP/1.1"),
    *(b"GET /v1/collections/%ff%00/items HTTP/1.1", b"GET //v1//models HTTP/1.0", b"GET"),
    *(b"BREW /v1/models HTTP/1.1", b"PRI * HTTP/2.0", b"CONNECT localhost:1 HTTP/1.1"),
)
NAMES = (
    *(b"host", b"content-length", b"content-type", b"transfer-encoding", b"connection", b"upgrade"),
    *(b"accept", b"if-range", b"x-forwarded-for", b"content-encoding", b"date", b"user-agent"),
    *(b"authorization", b"origin", b"expect", b"range", b"cookie", b"accept-encoding", b"te"),
    *(b"x-request-id", b"x-request-timeout", b"x-kindred-priority", b"traceparent", b"tracestate"),
    *(b"sec-websocket-key", b"forwarded", b"x-\xff", b"", b"a b", b"content-length "),
)
VALUES = (
    *(b"localhost", b"18", b"-1", b"+18", b"0x12", b"18, 18", b"999999999999999999999", b"0"),
    *(b"application/json", b"text/plain", b"chunked", b"gzip, chunked", b"close", b"websocket"),
    *(b"Bearer kindred_00000000_x", b"bearer", b"Basic \xff", b"http://localhost", b"null", b"*"),
    *(b"100-continue", b"bytes=0-", b"nan", b"inf", b"-inf", b"1e999", b"1e-320", b"0.5", b"bulk"),
    *(b"\x00", b"\r\n x", b"\xff" * 90, b"a" * 9_000, b"=?utf-8?q?=00?=", b"00-" + b"0" * 52, b""),
)


def attack(seconds: float) -> Outcome:
    """Sends first lines and headers at random, and mutated, for so long."""
    outcome = Outcome()
    with victim() as server:
        asyncio.run(_all(server, outcome, seconds))
        outcome.expect(not server.illness(), server.illness())
    return outcome


async def _all(server: Victim, outcome: Outcome, seconds: float) -> None:
    until = time.monotonic() + seconds

    async def client(seed: int) -> None:
        rng = random.Random(seed)
        while time.monotonic() < until:
            await _asked(server, outcome, request(rng))

    await asyncio.gather(*(client(seed) for seed in range(TOGETHER)))


def request(rng: random.Random) -> bytes:
    """Returns a request: a line, headers of which some are usual, a body; perhaps damaged."""
    usual = [b"host: localhost", b"content-type: application/json", b"content-length: 18"]
    kept = [line for line in usual if rng.random() < 0.95]
    odd = [rng.choice(NAMES) + b": " + rng.choice(VALUES) for _ in range(rng.randrange(4))]
    headers = [*kept, *odd]
    rng.shuffle(headers)
    data = b"\r\n".join([rng.choice(LINES), *headers, b"", BODY])
    if rng.random() < 0.2:
        place = rng.randrange(len(data))
        data = data[:place] + rng.randbytes(rng.randrange(3)) + data[place + rng.randrange(3) :]
    return data


async def _asked(server: Victim, outcome: Outcome, data: bytes) -> None:
    """Sends it, and nothing more; every answer to it must be no failure of ours."""
    host, _, port = server.http.partition("//")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    outcome.note("requests")
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(data)
        writer.write_eof()
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await reader.read()
        status = answer[9:12].decode("ascii", "replace") or "no answer"
        outcome.note(status)
        told = f"{status} to {data!r:.200}"
        outcome.expect(not status.startswith("5") or b"DEADLINE_EXCEEDED" in answer, told)
    writer.transport.abort()
