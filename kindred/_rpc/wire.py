"""Carries calls over gRPC and names what went wrong."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeVar, cast

import grpc
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from kindred._access import Access
from kindred._calls import Call, terms_of
from kindred._errors import (
    DeadlineExceeded,
    KindredError,
    NotFound,
    ServerError,
    TooLarge,
    Unavailable,
    error_type,
)
from kindred._rpc.patience import Patience, late
from kindred._rpc.routes import ROUTES, Methods, Route, methods_on

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
        route, method = ROUTES[type(call)], self._methods[type(call)]
        if route.is_upload:
            return cast(T, self._upload(route, call, timeout))
        try:
            answer = method(route.ask(call), timeout=timeout, metadata=self._metadata_of(call))
        except grpc.RpcError as error:
            raise _kindred_error(error) from error
        return cast(T, route.read(answer))

    def _metadata_of(self, call: Call[Any]) -> tuple[tuple[str, str], ...]:
        return self._metadata + tuple(terms_of(call).items())

    def _upload(self, route: Route, call: Call[Any], timeout: float | None) -> object:
        patience = Patience(timeout)
        pieces = patience.sent(route.ask(call))
        answer = self._methods[type(call)].future(pieces, metadata=self._metadata)
        with _named_errors(patience.of(answer), timeout):
            return route.read(answer.result())

    def stream(self, call: Call[T], timeout: float | None = None) -> Iterator[T]:
        """Makes a call and yields its answer, waiting so long for each piece."""
        route = ROUTES[type(call)]
        pieces = self._methods[type(call)](route.ask(call), metadata=self._metadata)
        with _named_errors(Patience(timeout).of(pieces), timeout) as patience:
            for message in patience.received():
                yield route.read(message)

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
        route, method = ROUTES[type(call)], self._methods[type(call)]
        if route.is_upload:
            return cast(T, await self._upload(route, call, timeout))
        try:
            answer = await method(
                route.ask(call), timeout=timeout, metadata=self._metadata_of(call)
            )
        except grpc.RpcError as error:
            raise _kindred_error(error) from error
        return cast(T, route.read(answer))

    def _metadata_of(self, call: Call[Any]) -> tuple[tuple[str, str], ...]:
        return self._metadata + tuple(terms_of(call).items())

    async def _upload(self, route: Route, call: Call[Any], timeout: float | None) -> object:
        patience, loop = asyncio.timeout(timeout), asyncio.get_running_loop()

        async def pieces() -> AsyncIterator[Any]:
            for message in route.ask(call):
                yield message
                if timeout is not None and not patience.expired():
                    patience.reschedule(loop.time() + timeout)

        try:
            async with patience:
                answer = await self._methods[type(call)](pieces(), metadata=self._metadata)
        except TimeoutError as error:
            raise late(timeout) from error
        except grpc.RpcError as error:
            raise _kindred_error(error) from error
        return route.read(answer)

    async def stream(self, call: Call[T], timeout: float | None = None) -> AsyncIterator[T]:
        """Makes a call and yields its answer, waiting so long for each piece."""
        route = ROUTES[type(call)]
        pieces = self._methods[type(call)](route.ask(call), metadata=self._metadata)
        try:
            while True:
                async with asyncio.timeout(timeout):
                    message = await pieces.read()
                if message is grpc.aio.EOF:
                    return
                yield route.read(message)
        except TimeoutError as error:
            raise late(timeout) from error
        except grpc.RpcError as error:
            raise _kindred_error(error) from error
        finally:
            pieces.cancel()

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


@contextmanager
def _named_errors(patience: Patience, timeout: float | None) -> Iterator[Patience]:
    """Watches a call in pieces, and names what goes wrong with it."""
    try:
        with patience:
            yield patience
    except (grpc.RpcError, grpc.FutureCancelledError) as error:
        raise (late(timeout) if patience.is_over else _kindred_error(error)) from error


def _kindred_error(error: Any) -> KindredError:  # noqa: ANN401 - grpc has no types
    """Returns what an RpcError means: what the server said of it, else what gRPC did."""
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            return _from_status(Status.FromString(value))
    told = error.details() or error.code().name
    if error.code() is grpc.StatusCode.UNIMPLEMENTED:
        return NotFound(f"the server knows no such call: {told}", reason="ROUTE_NOT_FOUND")
    return _WITHOUT_INFO.get(error.code(), ServerError)(told)


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
