"""Carries calls over gRPC and names what went wrong."""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import cached_property
from typing import Any, TypeVar, cast

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from kindred._access import Access
from kindred._calls import Call
from kindred._errors import (
    DeadlineExceeded,
    KindredError,
    ServerError,
    TooLarge,
    Unavailable,
    error_type,
)
from kindred._rpc.routes import ROUTES, Methods, methods_on

T = TypeVar("T")

_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
"""The server sets the limits; gRPC's own 4 MiB would refuse its larger answers."""


def _channel(kind: Any, access: Access) -> Any:  # noqa: ANN401 - grpc has no types
    """Returns a channel of `grpc` or of `grpc.aio`."""
    if access.secure:
        return kind.secure_channel(access.target, access.credentials, _OPTIONS)
    return kind.insecure_channel(access.target, _OPTIONS)


class Rpc:
    """A channel to a server.

    Args:
        access: Of an address of gRPC.
    """

    def __init__(self, access: Access) -> None:
        self._channel = _channel(grpc, access)
        self._metadata = tuple(access.headers.items())
        self._methods = methods_on(self._channel)

    def send(self, call: Call[T], timeout: float | None) -> T:
        """Makes a call and returns its answer."""
        route = ROUTES[type(call)]
        seconds = timeout if route.timed else None
        try:
            answer = self._methods[type(call)](
                route.ask(call), timeout=seconds, metadata=self._metadata
            )
        except grpc.RpcError as error:
            raise _kindred_error(error) from error
        return cast(T, route.read(answer))

    def stream(self, call: Call[T], timeout: float | None = None) -> Iterator[T]:
        """Makes a call and yields its answer, piece by piece; it has no deadline."""
        route = ROUTES[type(call)]
        try:
            for message in self._methods[type(call)](route.ask(call), metadata=self._metadata):
                yield route.read(message)
        except grpc.RpcError as error:
            raise _kindred_error(error) from error

    watch = stream

    def close(self) -> None:
        """Closes the channel."""
        self._channel.close()


class AsyncRpc:
    """A channel to a server, in the event loop of its first call.

    Args:
        access: Of an address of gRPC.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._metadata = tuple(access.headers.items())

    @cached_property
    def _channel(self) -> Any:  # noqa: ANN401 - grpc has no types
        return _channel(grpc.aio, self._access)

    @cached_property
    def _methods(self) -> Methods:
        return methods_on(self._channel)

    async def send(self, call: Call[T], timeout: float | None) -> T:
        """Makes a call and returns its answer."""
        route = ROUTES[type(call)]
        seconds = timeout if route.timed else None
        try:
            answer = await self._methods[type(call)](
                route.ask(call), timeout=seconds, metadata=self._metadata
            )
        except grpc.RpcError as error:
            raise _kindred_error(error) from error
        return cast(T, route.read(answer))

    async def stream(self, call: Call[T], timeout: float | None = None) -> AsyncIterator[T]:
        """Makes a call and yields its answer, piece by piece; it has no deadline."""
        route = ROUTES[type(call)]
        try:
            async for message in self._methods[type(call)](
                route.ask(call), metadata=self._metadata
            ):
                yield route.read(message)
        except grpc.RpcError as error:
            raise _kindred_error(error) from error

    watch = stream

    async def close(self) -> None:
        """Closes the channel."""
        await self._channel.close()


_WITHOUT_INFO: Mapping[grpc.StatusCode, type[KindredError]] = {
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    # gRPC says this of its own accord for one thing only: a message over the size limit.
    grpc.StatusCode.RESOURCE_EXHAUSTED: TooLarge,
}
"""What gRPC itself says, before or without an answer of the server's own."""


def _kindred_error(error: Any) -> KindredError:  # noqa: ANN401 - grpc has no types
    """Returns what an RpcError means: what the server said of it, else what gRPC did."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return _from_status(Status.FromString(value))
    return _WITHOUT_INFO.get(error.code(), ServerError)(error.details() or error.code().name)


def _from_status(status: Status) -> KindredError:
    info, retry = ErrorInfo(), RetryInfo()
    retry_after = None
    for detail in status.details:
        detail.Unpack(info)
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    facts = {name: json.loads(value) for name, value in info.metadata.items()}
    return error_type(facts.pop("code", 500))(
        status.message, reason=info.reason, details=facts, retry_after=retry_after
    )
