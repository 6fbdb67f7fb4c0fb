"""What a client sends in one call: noise is its own mistake, and what is refused is let end."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, Self

import grpc
from google.protobuf.message import DecodeError

from service.errors import InvalidRequest, PayloadTooLarge, ServiceError, TooManyItems
from service.rpc.arrivals import Arrivals
from service.rpc.context import Context

UNCOUNTED_BYTES = 256 * 1024
"""A message of so few may have any number of fields."""

OTHER_FIELDS = 1_000
"""Of a message, beside those of its items."""

LEAVE_SECONDS = 0.05
"""A call that ends without a message has mostly been called off, and is cancelled by then."""


def forgiving(read: Callable[[bytes], Any], limit: int, items: int) -> Callable[[bytes], Any]:
    """Returns what reads a message and never raises: gRPC would log it as a failure of ours.

    Args:
        read: Reads one.
        limit: Bytes that it may have.
        items: How many items it may hold; of fields there are more.

    Returns:
        What returns the message with its size, or the error with 0.
    """
    most = items + OTHER_FIELDS

    def sized(data: bytes) -> tuple[Any, int]:
        if len(data) > limit:
            return PayloadTooLarge(f"a request may have at most {limit} bytes, got {len(data)}"), 0
        if len(data) > UNCOUNTED_BYTES and has_more_fields(data, most):
            return TooManyItems(f"a request may hold at most {items} items, got {most} or more"), 0
        try:
            return read(data), len(data)
        except DecodeError as error:
            return InvalidRequest(f"a request must be a message of its method: {error}"), 0

    return sized


def has_more_fields(data: bytes, most: int) -> bool:
    """Tells whether a message has more fields; items that are empty take 50 bytes each once read.

    What is damaged has what comes before that: whoever reads it will tell.
    """
    place = 0
    for _ in range(most + 1):
        if place >= len(data):
            return False
        tag, place = _varint(data, place)
        match tag & 7:
            case 0:
                _, place = _varint(data, place)
            case 1 | 5 as kind:
                place += 8 if kind == 1 else 4
            case 2:
                size, place = _varint(data, place)
                place += size
    return True


def _varint(data: bytes, place: int) -> tuple[int, int]:
    """Returns a number and where it ends; behind the end of all, if it is cut off."""
    value = shift = 0
    while place < len(data):
        byte = data[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128 or shift > 63:
            return value, place
    return value, place


class Messages:
    """The messages of one call, which are read as they are asked for.

    Args:
        context: The call.
        arrivals: Waits for them.
        take: Counts the bytes of the one that is in hand.
    """

    def __init__(self, context: Context, arrivals: Arrivals, take: Callable[[int], None]) -> None:
        self._context = context
        self._arrivals = arrivals
        self._take = take
        self._held = 0
        self._is_over = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:  # noqa: ANN401 - any message
        """Returns the next message; the one before it counts no more.

        Raises:
            InvalidRequest: If it is none, or too large.
            DeadlineExceeded: If it does not come in time.
            Overloaded: If too much is in work, or too many others are slow as well.
        """
        self._take(-self._held)
        self._held = 0
        found = await self._read()
        if found is grpc.aio.EOF:
            raise StopAsyncIteration
        message, size = found
        if isinstance(message, InvalidRequest):
            raise message
        self._take(size)
        self._held = size
        return message

    async def only(self) -> Any:  # noqa: ANN401 - any message
        """Returns the message of a call that has one; raises as `__anext__` does."""
        try:
            return await anext(self)
        except StopAsyncIteration:
            await asyncio.sleep(LEAVE_SECONDS)
            raise InvalidRequest("a request must be a message of its method: none came") from None

    async def let_end(self, seconds: float) -> None:
        """Lets a client that was refused amid an upload end it, for a while; that is dropped.

        A client that is cut off while it sends may never read why: grpc.aio then reports INTERNAL.
        """
        with contextlib.suppress(TimeoutError, ServiceError):
            async with asyncio.timeout(seconds):
                while not self._is_over:
                    await self._read()

    async def _read(self) -> Any:  # noqa: ANN401 - a message with its size, or the end
        """Reads one; after the end, or once a reading was broken off, there is nothing to read."""
        if self._is_over:
            return grpc.aio.EOF
        self._is_over = True
        found = await self._arrivals.message(self._context.read)
        self._is_over = found is grpc.aio.EOF
        return found
