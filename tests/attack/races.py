"""Everybody creates, deletes, stores, asks, copies and restores the same collections at once."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from kindred import AsyncClient, ItemInput, KindredError, Snapshot
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

AT_ONCE = 12
SEED = 7
WORDS = ("red", "green", "blue", "wet", "dog", "rain")
NAMES = ("one", "two")
SENT = ("sent-one", "sent-two")
"""Names that snapshots are sent as."""

Deed = Callable[[str], Awaitable[object]]


def attack(seconds: float) -> Outcome:
    """Does whatever changes something, over both wires, for so many seconds."""
    outcome = Outcome()
    with victim() as server:
        asyncio.run(_all(server, seconds, outcome))
        illness = server.illness()
        outcome.expect(not illness, illness)
    return outcome


async def _all(server: Victim, seconds: float, outcome: Outcome) -> None:
    until = time.monotonic() + seconds
    async with AsyncClient(server.http) as http, AsyncClient(server.grpc) as grpc:
        somebody = [_Somebody((http, grpc)[n % 2], n) for n in range(AT_ONCE)]
        await asyncio.gather(*(each.act(until, outcome) for each in somebody))


class _Somebody:
    """One of those who act.

    Args:
        client: By which wire.
        number: What makes their choices their own.
    """

    def __init__(self, client: AsyncClient, number: int) -> None:
        self._client = client
        self._dice = random.Random(SEED + number)
        self._deeds: Mapping[str, Deed] = {
            "create": client.create_collection,
            "get": lambda name: client.get_collection(name, with_stats=True),
            "declare": lambda name: client.update_collection(name, indexed=["year"]),
            "delete": client.delete_collection,
            "store": lambda name: client.upsert(name, [self._item() for _ in range(3)]),
            "remove": lambda name: client.delete_items(name, ["red", "wet"]),
            "page": lambda name: client.item_page(name, with_vectors=True),
            "item": lambda name: client.get_item(name, "red", with_vector=True),
            "content": lambda name: client.get_content(name, "red"),
            "search": lambda name: client.search(name, self._word(), filter={"year": 1}),
            "score": lambda name: client.score_items(name, self._word()),
            "take": client.take_snapshot,
            "restore": self._restore,
            "throw away": self._throw_away,
            "fetch": self._fetch,
            "send": self._send,
            "leave": lambda name: asyncio.wait_for(self._send(name), self._dice.random() / 50),
            "list": lambda name: asyncio.gather(client.list_collections(), client.list_snapshots()),
        }

    async def act(self, until: float, outcome: Outcome) -> None:
        """Does one thing after the other, and holds each to an answer or a reason."""
        while time.monotonic() < until:
            deed = self._dice.choice(list(self._deeds))
            try:
                await self._deeds[deed](self._dice.choice(NAMES))
                outcome.note("answers")
            except TimeoutError:
                outcome.note("uploads left")
            except KindredError as error:
                outcome.note("reasons")
                outcome.expect(error.code < 500, f"{deed}: {error.code} {error.reason} {error}")

    def _word(self) -> str:
        return self._dice.choice(WORDS)

    def _item(self) -> ItemInput:
        return ItemInput(self._word(), self._word(), {"year": self._dice.randrange(3)})

    async def _any_snapshot(self) -> Snapshot | None:
        found = [it for it in await self._client.list_snapshots() if it.collection != "album"]
        return self._dice.choice(found) if found else None

    async def _restore(self, name: str) -> None:
        if found := await self._any_snapshot():
            await self._client.restore_snapshot(found.name, collection=name)

    async def _throw_away(self, _: str) -> None:
        if found := await self._any_snapshot():
            await self._client.delete_snapshot(found.name)

    async def _fetch(self, _: str) -> bytes:
        found = await self._any_snapshot()
        return b"".join([piece async for piece in self._pieces(found.name if found else "none")])

    def _pieces(self, name: str) -> AsyncIterator[bytes]:
        return self._client.snapshot_pieces(name)

    async def _send(self, name: str) -> None:
        data = await self._fetch(name)
        pieces = [data[at : at + 4096] for at in range(0, len(data), 4096)]
        await self._client.upload_snapshot(pieces, name=self._dice.choice(SENT))
