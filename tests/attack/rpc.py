"""Messages that nobody meant, over every method of gRPC; see tests/service/test_rpc_fuzz.py."""

import asyncio
import random
import time

import grpc

from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim
from tests.service.test_rpc_fuzz import METHODS, called, message_of, reason_of

OURS = frozenset({"INTERNAL", "STORAGE_FAILED", "UNKNOWN", "UNAVAILABLE", "RESOURCE_EXHAUSTED"})
"""Reasons that say that it was our fault, or that gRPC itself gave in the place of one of ours."""

AT_ONCE = 8
SEED = 7


def attack(seconds: float) -> Outcome:
    """Calls every method in turn for so many seconds, a few at once."""
    outcome = Outcome()
    with victim(max_windows=8) as server:
        asyncio.run(_all(server, seconds, outcome))
        illness = server.illness()
        outcome.expect(not illness or "album" in illness, illness)
        outcome.expect(not server.traceback(), server.traceback())
    return outcome


async def _all(server: Victim, seconds: float, outcome: Outcome) -> None:
    until = time.monotonic() + seconds
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        await asyncio.gather(*(_some(channel, n, until, outcome) for n in range(AT_ONCE)))


async def _some(channel: object, number: int, until: float, outcome: Outcome) -> None:
    dice = random.Random(SEED + number)
    while time.monotonic() < until:
        method = dice.choice(METHODS)
        sent = [message_of(method.input_type, dice).SerializeToString() for _ in range(3)]
        if noise := dice.random() < 0.05:
            sent = [dice.randbytes(dice.choice((1, 10, 1000)))]
        reason = await reason_of(called(channel, method, sent))
        outcome.note("bytes that are no message" if noise else reason or "answers")
        outcome.expect(reason not in OURS, f"{method.name}: {reason}")
