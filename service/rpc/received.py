"""What a client sends: noise is its own mistake, and an upload that is refused is let end."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from service.errors import DeadlineExceeded, InvalidRequest

LINGER_SECONDS = 5.0
"""As nginx's lingering_timeout has it, for the same reason."""


@dataclass(frozen=True, slots=True)
class _NoMessage:
    """Stands for bytes that could not be read."""

    why: str


def forgiving(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """Returns what reads a message and never raises: gRPC would log it as a failure of ours."""

    def message_of(data: bytes) -> Any:  # noqa: ANN401 - any message
        try:
            return read(data)
        except DecodeError as error:
            return _NoMessage(str(error))

    return message_of


def size_of(request: Any) -> int:  # noqa: ANN401 - a message or an iterator of them
    """Returns the bytes of a message; a stream's are not held together, and are not counted."""
    return request.ByteSize() if isinstance(request, Message) else 0


def checked(request: Any) -> Any:  # noqa: ANN401 - a message or an iterator of them
    """Returns a request whose messages could be read; of a stream, as far as it is.

    Raises:
        InvalidRequest: If they could not, also by the iterator that it returns.
    """
    if isinstance(request, _NoMessage):
        raise InvalidRequest(f"a request must be a message of its method: {request.why}")
    return _each_checked(request) if hasattr(request, "__aiter__") else request


async def _each_checked(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield checked(request)


async def paced(requests: AsyncIterator[Any], seconds: float) -> AsyncIterator[Any]:
    """Yields the pieces of a file, each of which is waited for so long, as REST does.

    Raises:
        DeadlineExceeded: If one does not come.
    """
    while True:
        try:
            async with asyncio.timeout(seconds):
                request = await anext(requests)
        except StopAsyncIteration:
            return
        except TimeoutError:
            rule = f"each piece of a file must be sent within {seconds:g} s"
            raise DeadlineExceeded(f"{rule}, and one was not") from None
        yield request


async def linger(requests: AsyncIterator[Any]) -> None:
    """Lets a client that was refused amid an upload end it, for a while; what it sends is dropped.

    A client that is cut off while it sends may never read why: grpc.aio then reports INTERNAL.
    """
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_SECONDS):
            async for _ in requests:
                pass
