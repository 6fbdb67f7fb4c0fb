"""Requests whose end nobody agrees on, and bodies that come in no hurry: HTTP/1 byte by byte."""

import asyncio
import contextlib
import re
import time
from collections.abc import Mapping

from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

BODY_SECONDS = 3.0
PIPELINED, CROWD = 100, 300
MOST_MEMORY = 200
"""MiB by which it may grow."""

MIB = 1024 * 1024
CHUNKS = 1_000_000
QUIET_SECONDS = 1.0
"""Nothing more is expected after so long without a byte."""

HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""What must never be taken for a request: it is in the body, or follows what is no request."""

POST = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
NO_CHUNK = b"0\r\n\r\n"


def _lengths(*values: bytes) -> bytes:
    return b"".join(b"Content-Length: %s\r\n" % value for value in values) + b"\r\n" + HIDDEN


SHAPES: Mapping[str, bytes] = {
    "length and chunks": CHUNKED + _lengths(b"%d" % (5 + len(HIDDEN))),
    "chunks and length": b"Content-Length: 5\r\n" + CHUNKED + b"\r\n" + NO_CHUNK + HIDDEN,
    "two lengths": _lengths(b"0", b"%d" % len(HIDDEN)),
    "two lengths in one": _lengths(b"0, %d" % len(HIDDEN)),
    "the same length twice": _lengths(b"0", b"0"),
    "a signed length": _lengths(b"+0"),
    "a negative length": _lengths(b"-1"),
    "a length in base 16": _lengths(b"0x0"),
    "a length of two numbers": _lengths(b"0 0"),
    "a length with a NUL": _lengths(b"0\0"),
    "a length of 30 digits": _lengths(b"9" * 30),
    "no length": _lengths(b""),
    "chunks with a name of two words": b"Transfer-Encoding : chunked\r\n\r\n" + NO_CHUNK + HIDDEN,
    "chunks by another name": b"Transfer-Encoding: xchunked\r\n\r\n" + NO_CHUNK + HIDDEN,
    "chunks, then not": b"Transfer-Encoding: chunked, identity\r\n\r\n" + NO_CHUNK + HIDDEN,
    "chunks behind a tab": b"Transfer-Encoding:\x0bchunked\r\n\r\n" + NO_CHUNK + HIDDEN,
    "chunks on the next line": b"Transfer-Encoding:\r\n chunked\r\n\r\n" + NO_CHUNK + HIDDEN,
    "chunks after a bare LF": b"X: y\nTransfer-Encoding: chunked\r\n\r\n" + NO_CHUNK + HIDDEN,
    "a chunk of -1": CHUNKED + b"\r\n-1\r\n" + HIDDEN,
    "a chunk of 0x0": CHUNKED + b"\r\n0x0\r\n\r\n" + HIDDEN,
    "a chunk of 2 to the 64": CHUNKED + b"\r\n10000000000000000\r\n" + HIDDEN,
    "a chunk that is longer than told": CHUNKED + b"\r\n1\r\nab\r\n" + NO_CHUNK + HIDDEN,
    "an end without CR": CHUNKED + b"\r\n0\n\n" + HIDDEN,
    "no end of a name": b"Host\r\n\r\n" + HIDDEN,
    "a header that goes on": b"X: y\r\n  z\r\nContent-Length: 0\r\n zero\r\n\r\n" + HIDDEN,
}


def attack(seconds: float) -> Outcome:
    """Sends each shape; `seconds` is not used."""
    outcome = Outcome()
    with victim(body_seconds=BODY_SECONDS) as server:
        asyncio.run(_all(server, outcome))
        outcome.expect(not server.illness(), server.illness())
    return outcome


async def _all(server: Victim, outcome: Outcome) -> None:
    await asyncio.gather(*(_hides(server, outcome, name) for name in SHAPES))
    await _expects(server, outcome)
    await _old(server, outcome)
    await _pipelined(server, outcome)
    await _crumbs(server, outcome)


async def _exchanged(server: Victim, data: bytes, quiet: float = QUIET_SECONDS) -> bytes:
    """Sends bytes, and returns what comes until the server ends it or is quiet."""
    host, _, port = server.http.partition("//")[2].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    found = b""
    with contextlib.suppress(ConnectionError, TimeoutError):
        writer.write(data)
        while piece := await asyncio.wait_for(reader.read(1 << 16), quiet):
            found += piece
    writer.transport.abort()
    return found


def _statuses(answers: bytes) -> list[str]:
    return re.findall(r"HTTP/1\.1 (\d+)", answers.decode("latin-1"))


async def _hides(server: Victim, outcome: Outcome, name: str) -> None:
    """What follows a head that can be read in two ways is nobody's request."""
    answers = await _exchanged(server, POST + SHAPES[name], BODY_SECONDS + 1)
    statuses = _statuses(answers)
    outcome.note(f"ambiguous {'/'.join(statuses) or 'cut'}")
    outcome.expect(b"/hidden" not in answers, f"{name}: the hidden request was answered")
    outcome.expect(len(statuses) <= 1, f"{name}: {statuses}")
    outcome.expect(not any(each.startswith("5") for each in statuses), f"{name}: {statuses}")


async def _expects(server: Victim, outcome: Outcome) -> None:
    """Announces a body, waits for leave to send it, and sends none; two hundred times at once."""
    head = POST + b"Expect: 100-continue\r\nContent-Length: 100\r\n\r\n"
    asked = (_exchanged(server, head, BODY_SECONDS + 2) for _ in range(200))
    for answers in await asyncio.gather(*asked):
        told = "/".join(_statuses(answers))
        outcome.note(f"announced bodies {told}")
        outcome.expect(told == "100/504", f"an announced body that never came: {told}")


async def _old(server: Victim, outcome: Outcome) -> None:
    """HTTP/1.0: an answer, and the end; without a Host, a refusal."""
    for head, expected in ((b"Host: localhost\r\n", "200"), (b"", "403")):
        answers = await _exchanged(server, b"GET /v1/models HTTP/1.0\r\n" + head + b"\r\n")
        outcome.note("HTTP/1.0")
        outcome.expect(_statuses(answers) == [expected], f"HTTP/1.0: {answers[:80]!r}")


async def _pipelined(server: Victim, outcome: Outcome) -> None:
    """Does not wait for answers: each has its own, in order; with too many the connection ends."""
    ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %d\r\n\r\n"
    few = range(PIPELINED)
    answers = await _exchanged(server, b"".join(ask % name for name in few))
    found = [int(each) for each in re.findall(rb"x-request-id: (\d+)", answers)]
    outcome.note("pipelined requests answered", len(found))
    outcome.expect(found == [*few], f"{len(found)} of {PIPELINED} in order")
    memory, many = server.memory, (ask % 0) * (MIB // len(ask))
    crowd = (_exchanged(server, many) for _ in range(CROWD))
    answered = sum(len(_statuses(each)) for each in await asyncio.gather(*crowd))
    grown = server.memory - memory
    outcome.note(
        f"({CROWD} connections with a MiB of requests each: {answered} answers, {grown} MiB more)"
    )
    outcome.expect(grown < MOST_MEMORY, f"what was pipelined took {grown} MiB")


async def _crumbs(server: Victim, outcome: Outcome) -> None:
    """A body in chunks of one byte each; an honest client beside it is served."""
    body = b'{"input": "' + b"a" * CHUNKS + b'"}'
    data = POST + CHUNKED + b"\r\n" + b"".join(b"1\r\n%c\r\n" % each for each in body) + NO_CHUNK
    began, before = time.monotonic(), server.cpu_seconds
    sending = asyncio.create_task(_exchanged(server, data, 60))
    waits = list[float]()
    while not sending.done():
        asked = time.monotonic()
        ask = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        outcome.expect(_statuses(await _exchanged(server, ask, 20)) == ["200"], "beside crumbs")
        waits.append(time.monotonic() - asked)
        await asyncio.sleep(0.05)
    outcome.note(f"chunks of a byte {'/'.join(_statuses(await sending))}", CHUNKS)
    told = f"{time.monotonic() - began:.1f} s, of the server {server.cpu_seconds - before:.1f} s"
    outcome.note(f"({told}; beside it at most {max(waits):.2f} s)")
    outcome.expect(max(waits) < 5, f"a client waited {max(waits):.1f} s beside crumbs")
