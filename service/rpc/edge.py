"""What all calls share at their edge: a request id, who asks, the deadline, errors and metrics.

Every method is served as one to which messages are streamed: of others gRPC reads the message, for
as long as it takes, before it asks us anything.
"""

import asyncio
import inspect
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import grpc
from opentelemetry.trace import Span

from service.access.caller import NOBODY, caller
from service.engine import Engine
from service.errors import DeadlineExceeded, RouteNotFound, ServiceError, problem
from service.rpc.answers import Untaken
from service.rpc.arrivals import Arrivals
from service.rpc.asked import check_lists
from service.rpc.context import Context
from service.rpc.failures import abort, named
from service.rpc.received import Messages, forgiving
from service.telemetry import request_id, request_id_of
from service.terms import PRIORITY_HEADER, Terms, deadline_after, priority_of, terms
from service.tracing import conclude

log = logging.getLogger(__name__)

FAULTS = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
"""Statuses that are errors of a server; what it refuses is none (OpenTelemetry's conventions)."""

OPEN_BYTES = 64 * 1024
"""Of a message to health or reflection, which take no key, and hold it while they are watched."""

LINGER_SECONDS = 5.0
"""As nginx's lingering_timeout has it, for the same reason: a client that was refused amid an
upload may end it, since grpc.aio reads INTERNAL where it is cut off while it sends."""

STRANGER_SECONDS = 0.5
"""Time for a message to health or reflection, which comes with its headers, and to end an upload
without a key: whoever connects can send so long, and it is held."""

Behaviour = Callable[[Any, Any], Awaitable[Any]]
"""A call's coroutine function: takes a request, or an iterator of them, and a context."""

Streamed = Callable[[Messages, Context], Awaitable[Any]]
"""The same of a call that reads what it is asked."""


class Edge:
    """Stands around every call.

    Args:
        engine: Its guard knows who may call; it counts calls and what they hold.
    """

    def __init__(self, engine: Engine) -> None:
        settings = engine.settings
        self._guard = engine.guard
        self._bodies = engine.bodies
        self._telemetry = engine.telemetry
        self._limit = settings.max_body_bytes
        self._most = settings.max_items
        places = settings.max_pending_bytes // settings.max_body_bytes
        self._arrivals = Arrivals(places, settings.body_seconds)
        self._untaken = Untaken(settings.max_body_bytes)
        self._strangers = Arrivals(0, min(STRANGER_SECONDS, settings.body_seconds))

    def around(self, handler: Any, method: str) -> Any:  # noqa: ANN401 - grpc has no types
        """Returns the handler of a method with its behaviour wrapped."""
        answers = _arity(handler.response_streaming)
        kind = f"{_arity(handler.request_streaming)}_{answers}"
        behaviour = getattr(handler, kind)
        streamed = _written(behaviour) if handler.request_streaming else self._of_one(behaviour)
        write = handler.response_serializer
        is_ours = method.startswith("/kindred.")
        if is_ours and answers == "unary":
            streamed, write = self._kept(streamed, write), None
        made = self._guarded(streamed, method, kind) if is_ours else self._open(streamed)
        limit = self._limit if is_ours else OPEN_BYTES
        read = forgiving(handler.request_deserializer, limit, self._most)
        return getattr(grpc, f"stream_{answers}_rpc_method_handler")(made, read, write)

    def unknown(self, method: str) -> Any:  # noqa: ANN401 - grpc has no types
        """Returns the handler of a method that there is not."""

        async def refused(messages: Messages, context: Context) -> None:
            raise RouteNotFound(f"there is no method {method}; reflection lists those that are")

        return grpc.stream_unary_rpc_method_handler(self._open(refused))

    def _guarded(self, behaviour: Streamed, method: str, kind: str) -> Behaviour:
        async def guarded(_: object, context: Context) -> Any:  # noqa: ANN401
            sent = _begun(context)
            start, status, reason = time.perf_counter(), "CANCELLED", ""
            lingers = STRANGER_SECONDS
            with (
                self._telemetry.traces.request(method.lstrip("/"), sent) as span,
                self._bodies.held() as take,
            ):
                # What is answered as it comes is counted one by one, where each has its answer.
                counts = _uncounted if kind == "stream_stream" else take
                messages = Messages(context, self._arrivals, counts)
                try:
                    seconds = self._let_in(sent, context)
                    lingers = LINGER_SECONDS
                    answer = await _in_time(behaviour(messages, context), seconds)
                    status = "OK"
                    return answer
                except Exception as error:  # noqa: BLE001 - the table knows all; the rest is INTERNAL
                    found = problem(error)
                    status, reason = found.status.grpc, found.status.reason
                    if kind == "stream_unary":
                        await messages.let_end(lingers)
                    await abort(context, found)
                finally:
                    took = time.perf_counter() - start
                    self._telemetry.answered(("grpc", method, status), reason, took)
                    who = {"facts": {"caller": caller.get().id}}
                    log.info("%s %s %.1f ms", method, status, 1000 * took, extra=who)
                    _conclude(span, method, status, reason)

        return guarded

    def _kept(self, behaviour: Streamed, write: Callable[[Any], bytes]) -> Streamed:
        """Returns what counts the answer until it is taken."""

        async def answered(messages: Messages, context: Context) -> bytes:
            return self._untaken.keep(write(await behaviour(messages, context)), context)

        return answered

    def _of_one(self, behaviour: Behaviour) -> Streamed:
        """Returns what reads the message of a call that has one."""

        async def answered(messages: Messages, context: Context) -> Any:  # noqa: ANN401
            message = await messages.only()
            check_lists(message, self._most)
            return await behaviour(message, context)

        return answered

    def _let_in(self, sent: Mapping[str, str], context: Context) -> float | None:
        """Notes who asks and on what terms, and returns the seconds that the answer may take."""
        caller.set(self._guard.admit(sent.get("authorization")))
        self._untaken.check()
        seconds: float | None = context.time_remaining()
        priority = priority_of(sent.get(PRIORITY_HEADER))
        terms.set(Terms("", priority, deadline_after(seconds), "grpc"))
        return seconds

    def _open(self, behaviour: Streamed) -> Behaviour:
        """Returns what answers everybody, and so waits for nobody who is slow."""

        async def opened(_: object, context: Context) -> Any:  # noqa: ANN401
            _begun(context)
            try:
                return await behaviour(Messages(context, self._strangers, _uncounted), context)
            except ServiceError as error:
                await abort(context, problem(error))

        return opened


def _uncounted(size: int) -> None:
    """Counts nothing: what is asked takes few bytes, or is counted elsewhere."""


def _begun(context: Context) -> Mapping[str, str]:
    """Names the request, of which nobody is known yet, and returns the metadata of it."""
    sent = dict(context.invocation_metadata() or ())
    request_id.set(request_id_of(sent.get("x-request-id")))
    caller.set(NOBODY)
    context.set_trailing_metadata(named())
    return sent


def _written(behaviour: Any) -> Streamed:  # noqa: ANN401 - a coroutine function or a generator
    """Returns what sends the answers that a generator yields."""
    if not inspect.isasyncgenfunction(behaviour):
        return behaviour  # type: ignore[no-any-return]

    async def answered(messages: Messages, context: Context) -> None:
        answers: AsyncIterator[Any] = behaviour(messages, context)
        async for each in answers:
            await context.write(each)

    return answered


def _conclude(span: Span, method: str, status: str, reason: str) -> None:
    facts = {
        "rpc.system.name": "grpc",
        "rpc.method": method.lstrip("/"),
        "rpc.response.status_code": status,
        "kindred.request_id": request_id.get(),
    }
    conclude(span, facts, reason, is_fault=status in FAULTS)


def _arity(is_stream: bool) -> str:
    return "stream" if is_stream else "unary"


async def _in_time(call: Awaitable[Any], seconds: float | None) -> Any:  # noqa: ANN401
    deadline = asyncio.timeout(seconds)
    try:
        async with deadline:
            return await call
    except TimeoutError as error:
        if not deadline.expired():
            raise
        raise DeadlineExceeded("the deadline that the call came with has passed") from error
