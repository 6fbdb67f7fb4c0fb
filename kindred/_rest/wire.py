"""Carries calls over REST and names what went wrong."""

import asyncio
import json
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from contextlib import aclosing, closing, contextmanager
from typing import Any, TypeVar, cast

import httpx

from kindred._access import Access
from kindred._calls import Call, terms_of
from kindred._content import json_text
from kindred._errors import DeadlineExceeded, KindredError, ServerError, Unavailable, error_type
from kindred._rest.routes import ROUTES, Route

T = TypeVar("T")

PAGE_LETTERS = 200
"""So much of a proxy's page is told."""

DATA = "data: "
"""How the line of a server-sent event begins that holds what is told."""


class Rest:
    """A pool of connections to a server.

    Args:
        access: Of an address of REST.
    """

    def __init__(self, access: Access) -> None:
        self._http = httpx.Client(**_options(access))

    def send(self, call: Call[T], timeout: float | None) -> T:
        """Makes a call and returns its answer."""
        route = ROUTES[type(call)]
        request = _request(self._http, call, timeout, _body(call))
        with _named_errors():
            response = self._http.send(request)
        return cast(T, _answer(route, response))

    def stream(self, call: Call[bytes], timeout: float | None) -> Iterator[bytes]:
        """Makes a call and yields its answer, piece by piece."""
        request = _request(self._http, call, timeout)
        with _named_errors(), closing(self._http.send(request, stream=True)) as response:
            if response.is_error:
                response.read()
                raise _kindred_error(response)
            yield from response.iter_raw()

    def watch(self, call: Call[T]) -> Iterator[T]:
        """Makes a call and yields each event of its answer, however long they take."""
        read = _event_of(call)
        request = _request(self._http, call, None)
        with _named_errors(), closing(self._http.send(request, stream=True)) as response:
            if response.is_error:
                response.read()
                raise _kindred_error(response)
            for line in response.iter_lines():
                if line.startswith(DATA):
                    yield read(line)

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()


class AsyncRest:
    """A pool of connections to a server, in the event loop of its first call.

    Args:
        access: Of an address of REST.
    """

    def __init__(self, access: Access) -> None:
        self._http = httpx.AsyncClient(**_options(access))

    async def send(self, call: Call[T], timeout: float | None) -> T:
        """Makes a call and returns its answer."""
        route, body = ROUTES[type(call)], _body(call)
        content = body if isinstance(body, bytes) or body is None else _in_turn(body)
        request = _request(self._http, call, timeout, content)
        with _named_errors():
            response = await self._http.send(request)
        return cast(T, _answer(route, response))

    async def stream(self, call: Call[bytes], timeout: float | None) -> AsyncIterator[bytes]:
        """Makes a call and yields its answer, piece by piece."""
        request = _request(self._http, call, timeout)
        with _named_errors():
            async with aclosing(await self._http.send(request, stream=True)) as response:
                if response.is_error:
                    await response.aread()
                    raise _kindred_error(response)
                async for piece in response.aiter_raw():
                    yield piece

    async def watch(self, call: Call[T]) -> AsyncIterator[T]:
        """Makes a call and yields each event of its answer, however long they take."""
        read = _event_of(call)
        request = _request(self._http, call, None)
        with _named_errors():
            async with aclosing(await self._http.send(request, stream=True)) as response:
                if response.is_error:
                    await response.aread()
                    raise _kindred_error(response)
                async for line in response.aiter_lines():
                    if line.startswith(DATA):
                        yield read(line)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()


def _event_of(call: Call[T]) -> Callable[[str], T]:
    """Returns what reads the data of an event, which is one line."""
    read = ROUTES[type(call)].event or (lambda found: found)
    return lambda line: cast(T, read(json.loads(line.removeprefix(DATA))))


def _options(access: Access) -> dict[str, Any]:
    """Returns what both of httpx's clients take."""
    # Otherwise httpx would read every certificate authority, to use none: 20 ms a client.
    verify = access.ssl_context if access.secure else False
    return {"base_url": access.target, "headers": access.headers, "verify": verify}


def _request(
    http: httpx.Client | httpx.AsyncClient,
    call: Call[Any],
    timeout: float | None,
    content: bytes | Iterable[bytes] | AsyncIterable[bytes] | None = None,
) -> httpx.Request:
    route = ROUTES[type(call)]
    return http.build_request(
        route.verb,
        route.path_of(call),
        content=content,
        headers=terms_of(call) | ({"content-type": "application/json"} if route.body else {}),
        params=route.query(call) if route.query else None,
        timeout=timeout,
    )


def _body(call: Call[Any]) -> bytes | Iterable[bytes] | None:
    route = ROUTES[type(call)]
    if route.file:
        return route.file(call)
    return json_text(route.body(call)).encode() if route.body else None


async def _in_turn(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yields pieces that are read from a disk, letting others work in between."""
    for piece in pieces:
        yield piece
        await asyncio.sleep(0)


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except httpx.TimeoutException as error:
        raise DeadlineExceeded(f"no answer in time: {type(error).__name__}") from error
    except httpx.TransportError as error:
        asked = error.request.url
        told = str(error) or type(error).__name__
        raise Unavailable(f"no answer from {asked.copy_with(raw_path=b'/')}: {told}") from error


def _answer(route: Route, response: httpx.Response) -> object:
    if response.is_success or response.status_code in route.statuses:
        try:
            return route.read(response)
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise ServerError(
                f"{response.url} answered what this client does not know: it is no Kindred, or "
                "one of another version"
            ) from error
    raise _kindred_error(response)


def _kindred_error(response: httpx.Response) -> KindredError:
    """Returns what an answer of failure means; without our body it is a proxy's."""
    error = error_type(response.status_code)
    if not response.headers.get("content-type", "").startswith("application/json"):
        return error(response.text.strip()[:PAGE_LETTERS] or response.reason_phrase)
    found = response.json().get("error", {})
    retry_after = response.headers.get("retry-after")
    return error(
        found.get("message", response.reason_phrase),
        reason=found.get("reason"),
        details=found.get("details", {}),
        retry_after=float(retry_after) if retry_after else None,
    )
