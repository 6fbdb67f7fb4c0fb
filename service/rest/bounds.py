"""Bounds of what a client may take: bytes, and time that it keeps a connection waiting."""

import asyncio
from collections.abc import MutableMapping
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

    def bounded(self, receive: Receive) -> Receive:
        """Counts what comes, whose length may be missing or a lie, and waits no longer than agreed.

        Raises:
            PayloadTooLarge: If there is too much of it.
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
            size += len(message.get("body", b""))
            self.check_size(size)
            is_whole = not message.get("more_body", False)
            if self.is_file:
                due = loop.time() + self.seconds
            return message

        return counted


class _Patience:
    """Mixed into a connection of uvicorn's: it waits no longer than `seconds` for headers."""

    seconds: float
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)  # type: ignore[misc]  # of what it is mixed with
        self._expect(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)  # type: ignore[misc]
        state: Any = self
        if state.cycle is not None and not state.cycle.response_complete:
            self._expect_no_more()
        elif self._due is None:
            self._expect(state.transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_no_more()
        super().connection_lost(exc)  # type: ignore[misc]

    def _expect(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.call_later(self.seconds, transport.abort)

    def _expect_no_more(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None


def patient(protocol: type[asyncio.Protocol], seconds: float) -> type[asyncio.Protocol]:
    """Returns uvicorn's protocol of a connection, with an end to waiting for a request.

    uvicorn ends a connection that is idle between requests, but would wait for ever for the rest of
    a request line or header once a byte of it has come.

    Args:
        protocol: The protocol, h11's or httptools'.
        seconds: Time from the connection, or the first byte of a later request, to the end of the
            request's headers.
    """
    return type("Patient", (_Patience, protocol), {"seconds": seconds})
