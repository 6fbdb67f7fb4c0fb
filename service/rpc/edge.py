"""What all calls share at their edge: a request id, who asks, the deadline, errors and metrics."""

import asyncio
import json
import logging
import math
import time
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status
from opentelemetry.trace import Span

from service.access.caller import NOBODY, caller
from service.engine import Engine
from service.errors import DeadlineExceeded, Problem, problem
from service.rpc.received import checked, forgiving, linger, size_of
from service.telemetry import request_id, request_id_of
from service.terms import PRIORITY_HEADER, Terms, deadline_after, priority_of, terms
from service.tracing import conclude

log = logging.getLogger(__name__)

DOMAIN = "kindred"
"""The domain of every ErrorInfo: reasons are unique within it."""

FAULTS = frozenset(
    ("UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS")
)
"""Statuses that are errors of a server; what it refuses is none (OpenTelemetry's conventions)."""

Behaviour = Callable[[Any, Any], Awaitable[Any]]
"""A call's coroutine function: takes a request, or an iterator of them, and a context."""


class Edge:
    """Stands around every call of `kindred.v1`.

    Args:
        engine: Its guard knows who may call; it counts calls and what they hold.
    """

    def __init__(self, engine: Engine) -> None:
        self._guard = engine.guard
        self._bodies = engine.bodies
        self._telemetry = engine.telemetry

    def around(self, handler: Any, method: str) -> Any:  # noqa: ANN401 - grpc has no types
        """Returns the handler of a method with its behaviour wrapped."""
        if not method.startswith("/kindred."):
            return handler
        kind = f"{_arity(handler.request_streaming)}_{_arity(handler.response_streaming)}"
        behaviour = self._guarded(getattr(handler, kind), method, is_upload=kind == "stream_unary")
        return handler._replace(
            **{kind: behaviour}, request_deserializer=forgiving(handler.request_deserializer)
        )

    def _guarded(self, behaviour: Behaviour, method: str, *, is_upload: bool) -> Behaviour:
        async def guarded(request: Any, context: Any) -> Any:  # noqa: ANN401
            start, status, reason = time.perf_counter(), "CANCELLED", ""
            sent = dict(context.invocation_metadata() or ())
            request_id.set(request_id_of(sent.get("x-request-id")))
            caller.set(NOBODY)
            context.set_trailing_metadata(_named())
            with (
                self._telemetry.traces.request(method.lstrip("/"), sent) as span,
                self._bodies.held() as take,
            ):
                try:
                    caller.set(self._guard.admit(sent.get("authorization")))
                    take(size_of(request))
                    seconds = context.time_remaining()
                    priority = priority_of(sent.get(PRIORITY_HEADER))
                    terms.set(Terms("", priority, deadline_after(seconds), "grpc"))
                    answer = await _in_time(behaviour(checked(request), context), seconds)
                    status = "OK"
                    return answer
                except Exception as error:  # noqa: BLE001 - the table knows all; the rest is INTERNAL
                    found = problem(error)
                    status, reason = found.status.grpc, found.status.reason
                    if is_upload:
                        await linger(request)
                    await _abort(context, found)
                finally:
                    took = time.perf_counter() - start
                    self._telemetry.answered(("grpc", method, status), reason, took)
                    who = {"facts": {"caller": caller.get().id}}
                    log.info("%s %s %.1f ms", method, status, 1000 * took, extra=who)
                    _conclude(span, method, status, reason)

        return guarded


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


async def _abort(context: Any, found: Problem) -> NoReturn:  # noqa: ANN401
    status = rpc_status.to_status(_status(found))
    trailer = (*status.trailing_metadata, *_named())
    await context.abort(status.code, status.details, trailer)
    raise AssertionError("abort raises")


def _named() -> tuple[tuple[str, str], ...]:
    """Returns what tells the client the id of its request, as REST does in a header."""
    return (("x-request-id", request_id.get()),)


def _status(found: Problem) -> Status:
    """Returns the error with its details: the same facts as in the error body of REST.

    ErrorInfo's metadata are texts, so every value there is written as JSON.
    """
    facts = {"code": found.status.http, **found.details}
    metadata = {name: json.dumps(value) for name, value in facts.items()}
    details: list[Message] = [
        ErrorInfo(reason=found.status.reason, domain=DOMAIN, metadata=metadata)
    ]
    if found.retry_after is not None:
        retry = RetryInfo()
        retry.retry_delay.FromMilliseconds(math.ceil(found.retry_after * 1000))
        details.append(retry)
    code = grpc.StatusCode[found.status.grpc].value[0]
    return Status(code=code, message=found.message, details=[_packed(each) for each in details])


def _packed(message: Message) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed
