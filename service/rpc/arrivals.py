"""Messages on their way: gRPC gathers each whole before we see any of it, so few may be slow."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import TypeVar

from indexes.derived.heap import give_back
from service.bodies import RETRY_SECONDS
from service.errors import DeadlineExceeded, Overloaded, ServiceError

T = TypeVar("T")

QUICK_SECONDS = 2.0
"""A message that takes longer takes a place. Most are there at once; and in that time a line of
1 Gbit/s brings 250 MB, of all of them together."""

_LOOKS = 4
"""How often one is looked at before it is slow: a loop that was late itself blames nobody."""

GIVE_BACK_SECONDS = 1.0
"""After so long what was gathered of a message in vain is free, and can be given back."""


class Arrivals:
    """Waits for messages, and bounds how long each takes and how many are slow at a time.

    How much of a message has come is not told, so each slow one stands for the largest there is.
    Belongs to one event loop.

    Args:
        places: Messages that may be slow at a time.
        seconds: Time that one may take.
    """

    def __init__(self, places: int, seconds: float) -> None:
        self._places = places
        self._seconds = seconds
        self._pause = min(QUICK_SECONDS, seconds) / _LOOKS
        self._looks = math.ceil(seconds / self._pause)
        self._waiting: dict[_Arrival, None] = {}  # in the order in which they began
        self._slow = 0
        self._is_looking = False
        self._is_given_back = True

    async def message(self, read: Callable[[], Awaitable[T]]) -> T:
        """Returns what is read.

        Raises:
            DeadlineExceeded: If it takes too long.
            Overloaded: If it is slow, and too many are.
        """
        arrival = _Arrival()
        self._waiting[arrival] = None
        if not self._is_looking:
            self._look_later()
        is_whole = False
        try:
            async with arrival.patience:
                found = await read()
            is_whole = True
            return found
        except TimeoutError:
            if arrival.refusal is None:
                raise
            raise arrival.refusal from None
        finally:
            del self._waiting[arrival]
            self._slow -= arrival.has_place
            if not is_whole:
                self._give_back_later()

    def _look_later(self) -> None:
        self._is_looking = bool(self._waiting)
        if self._is_looking:
            asyncio.get_running_loop().call_later(self._pause, self._look)

    def _look(self) -> None:
        for each in self._waiting:
            each.looks += 1
            if each.looks == self._looks:
                each.refuse(DeadlineExceeded(f"a message must be sent within {self._seconds:g} s"))
            elif each.looks == _LOOKS:
                self._give_place(each)
        self._look_later()

    def _give_back_later(self) -> None:
        if self._is_given_back:
            self._is_given_back = False
            asyncio.get_running_loop().call_later(GIVE_BACK_SECONDS, self._give_back)

    def _give_back(self) -> None:
        self._is_given_back = True
        asyncio.get_running_loop().run_in_executor(None, give_back)

    def _give_place(self, arrival: "_Arrival") -> None:
        if self._slow < self._places:
            arrival.has_place = True
            self._slow += 1
            return
        rule = f"{self._places} messages at a time may take longer than {QUICK_SECONDS:g} s"
        arrival.refuse(
            Overloaded(f"{rule} to come, so that they keep to max_pending_bytes", RETRY_SECONDS)
        )


class _Arrival:
    """One message that is waited for.

    Attributes:
        patience: Ends the wait.
        looks: How often it was looked at.
        has_place: Whether it is slow and may be.
        refusal: Why it is waited for no longer.
    """

    __slots__ = ("has_place", "looks", "patience", "refusal")

    def __init__(self) -> None:
        self.patience = asyncio.timeout(None)
        self.looks = 0
        self.has_place = False
        self.refusal: ServiceError | None = None

    def refuse(self, error: ServiceError) -> None:
        """Ends the wait."""
        self.refusal = error
        self.patience.reschedule(0)
