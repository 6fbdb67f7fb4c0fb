"""A server that may open few files, and connections that would take all of them."""

import asyncio
import contextlib
import time

import httpx

from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

OPEN_FILES = 300
IDLE = 400
"""Of each wire: more than there are files."""

ASKS = (
    ("GET", "/readyz", None),
    ("POST", "/v1/embeddings", {"input": "words"}),
    ("POST", "/v1/collections", {"name": "new"}),
    ("POST", "/v1/collections/new/items:upsert", {"items": [{"content": "words"}]}),
    ("POST", "/v1/collections/new/items:search", {"query": "words"}),
    ("POST", "/v1/collections/new:snapshot", None),
    ("DELETE", "/v1/collections/new", None),
)


def attack(seconds: float) -> Outcome:
    """Takes every file that connections can take, and asks beside that; `seconds` is not used."""
    outcome = Outcome()
    with victim(open_files=OPEN_FILES) as server:
        asyncio.run(_all(server, outcome))
        outcome.expect(not server.illness(), server.illness())
    return outcome


async def _all(server: Victim, outcome: Outcome) -> None:
    opened = [writer for wire in (server.http, server.grpc) for writer in await _idle(wire)]
    await asyncio.sleep(1)
    outcome.note(f"({server.files} files of {OPEN_FILES} open)")
    outcome.expect(server.files < OPEN_FILES, "no file is left")
    async with httpx.AsyncClient(base_url=server.http, timeout=30) as http:
        for method, path, body in ASKS:
            began = time.monotonic()
            answer = await http.request(method, path, json=body, headers={"connection": "close"})
            took = time.monotonic() - began
            outcome.note("honest requests beside them")
            outcome.expect(answer.is_success, f"{method} {path}: {answer.text}")
            outcome.expect(took < 5, f"{method} {path} took {took:.1f} s")
    for writer in opened:
        writer.transport.abort()


async def _idle(address: str) -> list[asyncio.StreamWriter]:
    host, _, port = address.rpartition("/")[2].partition(":")
    opened = list[asyncio.StreamWriter]()
    for _ in range(IDLE):
        with contextlib.suppress(ConnectionError):
            opened.append((await asyncio.open_connection(host, int(port)))[1])
    return opened
