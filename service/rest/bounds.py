"""Bounds of a body: its bytes, and the time it takes to come."""

import asyncio
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from starlette.types import Receive

from service.errors import DeadlineExceeded, PayloadTooLarge


@dataclass(frozen=True, slots=True)
class Body:
    """What a body may be.

    Attributes:
        limit: Bytes.
        seconds: Time to send all of it; of a file, each piece of it.
        is_file: Whether it is a file, which goes to disk and takes as long as it takes.
    """

    limit: int
    seconds: float
    is_file: bool

    def check_size(self, size: int) -> None:
        """Refuses more bytes than the limit.

        Raises:
            PayloadTooLarge: If there are more.
        """
        if size > self.limit:
            raise PayloadTooLarge(
                f"a request may have at most {self.limit} bytes, got {size} or more"
            )

    def bounded(self, receive: Receive, take: Callable[[int], None]) -> Receive:
        """Counts what comes, whose length may be missing or a lie, and waits no longer than agreed.

        Args:
            receive: Brings it.
            take: Counts what is kept in memory of all bodies.

        Raises:
            PayloadTooLarge: If there is too much of it.
            Overloaded: If there is too much of all of them.
            DeadlineExceeded: If it comes too slowly.
        """
        size, is_whole = 0, False
        loop = asyncio.get_running_loop()
        due = loop.time() + self.seconds

        async def counted() -> MutableMapping[str, Any]:
            nonlocal size, is_whole, due
            if is_whole:  # what is awaited now is that the client leaves
                return await receive()
            try:
                async with asyncio.timeout_at(due):
                    message = await receive()
            except TimeoutError:
                raise DeadlineExceeded(
                    f"a body must be sent within {self.seconds:g} s, got {size} bytes of it"
                ) from None
            came = len(message.get("body", b""))
            size += came
            self.check_size(size)
            if not self.is_file:
                take(came)
            is_whole = not message.get("more_body", False)
            if self.is_file:
                due = loop.time() + self.seconds
            return message

        return counted
