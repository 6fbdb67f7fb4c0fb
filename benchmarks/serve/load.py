"""Clients in a process of their own: told what to send as JSON, they tell how long it took.

HTTP is spoken by hand, over connections that are kept: a client library would take more processor
time than some answers do, and on the server's processors.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import grpc
import numpy as np

from benchmarks.serve import items
from benchmarks.serve.arrivals import arrivals

EMBED = "/kindred.v1.EmbeddingService/Embed"

WARM_SHARE = 0.15
"""Part of the time at the beginning that is not counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What to send.

    Attributes:
        url: Of the server, http://HOST:PORT or grpc://HOST:PORT.
        path: Where requests go over HTTP; it tells what they look like. gRPC is asked to embed.
        kind: "text" or "image".
        clients: So many, each of which waits for its answer (closed loop); 0 means `rate`.
        rate: Requests a second, whether or not answers come (open loop, Poisson); their latency
            counts from when they were due.
        seed: Of the moments at which they are due.
        seconds: How long.
        requests: Ends sooner, after so many; 0 means no such end.
        batch: Items in a request.
        bad: Part of the requests that are bad.
        headers: Sent with each.
    """

    url: str
    path: str = "/v1/embeddings"
    kind: str = "text"
    clients: int = 0
    rate: float = 0.0
    seed: int = 0
    seconds: float = 3.0
    requests: int = 0
    batch: int = 1
    bad: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)


class Connection:
    """One connection to the server."""

    def __init__(self, load: Load) -> None:
        self._host = load.url.removeprefix("http://")
        extra = "".join(f"{name}: {value}\r\n" for name, value in load.headers.items())
        self._head = (
            f"POST {load.path} HTTP/1.1\r\nhost: {self._host}\r\n"
            f"content-type: application/json\r\n{extra}content-length: "
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def close(self) -> None:
        """Closes it."""
        if self._streams:
            self._streams[1].close()
            await self._streams[1].wait_closed()

    async def ask(self, body: bytes) -> int:
        """Sends a request and returns the status of its answer."""
        if self._streams is None:
            host, _, port = self._host.partition(":")
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        await reader.readexactly(length)
        return int(head[9:12])


class Channel:
    """One connection to the server's gRPC."""

    def __init__(self, load: Load) -> None:
        # Otherwise channels of one process to one address are one connection.
        own = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.insecure_channel(load.url.removeprefix("grpc://"), options=own)
        self._call = self._channel.unary_unary(EMBED)
        self._metadata = tuple(load.headers.items())

    async def close(self) -> None:
        """Closes it."""
        await self._channel.close()

    async def ask(self, body: bytes) -> int:
        """Sends a request and returns what the status of its answer would be over HTTP."""
        try:
            await self._call(body, metadata=self._metadata)
        except grpc.aio.AioRpcError:
            return 400
        return 200


def connected(load: Load) -> Connection | Channel:
    """Returns a connection that is made when it is first needed."""
    return Channel(load) if load.url.startswith("grpc://") else Connection(load)


class Clients:
    """Sends a load and notes when each answer came."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._bodies = _bodies(load)
        self._sent = 0
        self.answers: list[tuple[float, float, str]] = []  # begun, seconds, what it was
        self.late: list[float] = []  # seconds between when a request was due and was sent

    async def run(self) -> None:
        """Sends until it is over."""
        self._until = time.perf_counter() + self._load.seconds
        await (self._closed() if self._load.clients else self._open())

    async def _closed(self) -> None:
        async def client() -> None:
            connection = connected(self._load)
            while time.perf_counter() < self._until and self._may_send():
                said = next(self._bodies)
                await self._ask(connection, time.perf_counter(), *said)
            await connection.close()

        await asyncio.gather(*(client() for _ in range(self._load.clients)))

    async def _open(self) -> None:
        load, idle = self._load, deque[Connection | Channel]()
        start, asked = time.perf_counter(), list[asyncio.Task[None]]()

        async def client(due: float, name: str, body: bytes) -> None:
            connection = idle.pop() if idle else connected(load)
            self.late.append(time.perf_counter() - due)
            await self._ask(connection, due, name, body)
            idle.append(connection)

        for moment in arrivals(load.rate, load.seconds, load.seed):
            said, due = next(self._bodies), start + moment
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(client(due, *said)))
        await asyncio.gather(*asked)
        for connection in idle:
            await connection.close()

    def _may_send(self) -> bool:
        self._sent += 1
        return not self._load.requests or self._sent <= self._load.requests

    async def _ask(
        self, connection: Connection | Channel, began: float, name: str, body: bytes
    ) -> None:
        status = await connection.ask(body)
        right = (status == 200) == (name == "good")
        said = name if right else f"{name} answered {status}"
        self.answers.append((began, time.perf_counter() - began, said))


_MAKERS: Mapping[str, Callable[[str, int, int], bytes]] = {
    "/v1/embeddings": items.embedding,
    "/embeddings": items.of_infinity,
}


def _bodies(load: Load) -> Iterator[tuple[str, bytes]]:
    by_path = _MAKERS.get(load.path, items.upsert)
    make = items.embed_request if load.url.startswith("grpc://") else by_path
    bad, rng = list(items.bad().items()), random.Random(1)
    number = random.SystemRandom().randrange(1 << 40)  # what nobody sent before
    while True:
        number += 1
        if rng.random() < load.bad:
            yield bad[number % len(bad)]
        else:
            yield "good", make(load.kind, number, load.batch)


def summary(load: Load, answers: list[tuple[float, float, str]]) -> dict[str, Any]:
    """Returns what the answers say: items a second, and milliseconds."""
    first = min(began for began, _, _ in answers)
    counted = [each for each in answers if each[0] - first >= WARM_SHARE * load.seconds]
    counted = counted or answers
    good = [seconds for _, seconds, said in counted if said == "good"]
    begins, ends = min(a for a, _, _ in counted), max(a + b for a, b, _ in counted)
    p50, p95, p99 = (1000 * np.percentile(good or [np.nan], (50, 95, 99))).tolist()
    return {
        "items_per_second": len(good) * load.batch / (ends - begins),
        "sent": len(answers),
        "requests": len(counted),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "answers": dict(Counter(said for _, _, said in counted)),
        "client_cpu_ms": 1000 * time.process_time() / len(answers),
    }


def main() -> None:
    """Reads a load from standard input and writes what became of it."""
    load = Load(**json.load(sys.stdin))
    clients = Clients(load)
    asyncio.run(clients.run())
    late = {"late_p99_ms": 1000 * np.percentile(clients.late, 99)} if clients.late else {}
    json.dump({**summary(load, clients.answers), **late}, sys.stdout)


if __name__ == "__main__":
    main()
