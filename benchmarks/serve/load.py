"""Clients in a process of their own: told what to send as JSON, they tell how long it took.

Where some items are bad, or it is asked for, every answer is looked at: see `poison`.
"""

import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.serve.arrivals import arrivals
from benchmarks.serve.asking import Asking, New, Request
from benchmarks.serve.poison import Mix
from benchmarks.serve.wires import EMBED, Channel, Connection, connected

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
        bad: Part of the items that are bad.
        is_checked: Whether vectors are compared with those of the same items, embedded alone.
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
    is_checked: bool = False
    headers: dict[str, str] = field(default_factory=dict)


Answered = tuple[float, float, Sequence[str]]
"""When a request began, the seconds to its answer, and what each of its items was."""


class Clients:
    """Sends a load and notes when each answer came."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self.asking = _asking(load)
        self._requests = self.asking.requests()
        self._sent = 0
        self.answers: list[Answered] = []
        self.late: list[float] = []  # seconds between when a request was due and was sent

    async def run(self) -> None:
        """Sends until it is over."""
        first = self._connected()
        await self.asking.learn(first)
        await first.close()
        self._until = time.perf_counter() + self._load.seconds
        await (self._closed() if self._load.clients else self._open())

    async def _closed(self) -> None:
        async def client() -> None:
            connection = self._connected()
            while time.perf_counter() < self._until and self._may_send():
                request = next(self._requests)
                await self._ask(connection, time.perf_counter(), request)
            await connection.close()

        await asyncio.gather(*(client() for _ in range(self._load.clients)))

    async def _open(self) -> None:
        load, idle = self._load, deque[Connection | Channel]()
        start, asked = time.perf_counter(), list[asyncio.Task[None]]()

        async def client(due: float, request: Request) -> None:
            connection = idle.pop() if idle else self._connected()
            self.late.append(time.perf_counter() - due)
            await self._ask(connection, due, request)
            idle.append(connection)

        for moment in arrivals(load.rate, load.seconds, load.seed):
            request, due = next(self._requests), start + moment
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            asked.append(asyncio.create_task(client(due, request)))
        await asyncio.gather(*asked)
        for connection in idle:
            await connection.close()

    def _may_send(self) -> bool:
        self._sent += 1
        return not self._load.requests or self._sent <= self._load.requests

    def _connected(self) -> Connection | Channel:
        return connected(self._load.url, self._load.path, self._load.headers)

    async def _ask(self, connection: Connection | Channel, began: float, request: Request) -> None:
        sent, body = request
        answer = await connection.ask(body)
        seconds = time.perf_counter() - began
        self.answers.append((began, seconds, self.asking.said(sent, answer)))


def _asking(load: Load) -> Asking:
    is_rpc = load.url.startswith("grpc://")
    if load.is_checked or load.bad:
        return Mix(load.kind, load.batch, load.bad, is_rpc=is_rpc)
    return New(EMBED if is_rpc else load.path, load.kind, load.batch)


def summary(load: Load, answers: Sequence[Answered]) -> dict[str, Any]:
    """Returns what the answers say: items a second, and milliseconds."""
    first = min(began for began, _, _ in answers)
    counted = [each for each in answers if each[0] - first >= WARM_SHARE * load.seconds]
    counted = counted or list(answers)
    good = [seconds for _, seconds, said in counted if set(said) == {"good"}]
    names = Counter(name for _, _, said in counted for name in said)
    p50, p95, p99 = (1000 * np.percentile(good or [np.nan], (50, 95, 99))).tolist()
    return {
        "items_per_second": _rate(answers, first + WARM_SHARE * load.seconds),
        "sent": len(answers),
        "requests": len(counted),
        "p50_ms": p50,
        "p95_ms": p95,
        "p99_ms": p99,
        "answers": dict(names),
        "client_cpu_ms": 1000 * time.process_time() / len(answers),
    }


def _rate(answers: Sequence[Answered], since: float) -> float:
    """Returns good items a second, of answers that came since then and while requests were sent.

    Counted by when requests were sent, those would be missed that were in work in the beginning:
    at 32 a time and a second each, a quarter of what comes in three.
    """
    last = max(began for began, _, _ in answers)
    if since >= last:
        since, last = 0.0, max(began + seconds for began, seconds, _ in answers)
    came = [each for each in answers if since < each[0] + each[1] <= last]
    first = max(since, min(began for began, _, _ in answers))
    return sum(said.count("good") for _, _, said in came) / (last - first)


def main() -> None:
    """Reads a load from standard input and writes what became of it."""
    load = Load(**json.load(sys.stdin))
    clients = Clients(load)
    asyncio.run(clients.run())
    late = {"late_p99_ms": 1000 * np.percentile(clients.late, 99)} if clients.late else {}
    json.dump({**summary(load, clients.answers), **clients.asking.checked(), **late}, sys.stdout)


if __name__ == "__main__":
    main()
