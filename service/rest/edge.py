"""What all requests share: a request id, bounds, the origin, who asks, metrics and a log line."""

import logging
import time
from collections.abc import Mapping

from opentelemetry.trace import Span
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.caller import NOBODY, caller
from service.engine import Engine
from service.errors import PermissionDenied, ServiceError
from service.rest.bounds import Body
from service.rest.failures import REASON, failure
from service.rest.patience import ClientGone, answer_in_time
from service.settings import LOOPBACK
from service.telemetry import request_id, request_id_of
from service.terms import (
    PRIORITY_HEADER,
    TIMEOUT_HEADER,
    Terms,
    deadline_after,
    priority_of,
    terms,
    timeout_of,
)
from service.tracing import UNTRACED, conclude

log = logging.getLogger(__name__)

SNAPSHOTS = "/v1/snapshots/"
"""Files are sent to paths that begin so."""

API = "/v1/"
"""Paths that begin so are traced; probes and pages, asked for every few seconds, are not."""

GUARDED = (API, "/metrics")
"""Paths that begin so take a key, where keys are; health and the pages hold no data."""

CLIENT_GONE = 499
"""What the log and the metrics call a request whose client left; nobody is sent it."""

FAULT = 500
"""From this status on, the fault is not the client's."""

MOST_PATH = 300
"""Characters of a path in the log: those of strangers may be of any length."""

_NO_SNIFFING = (b"x-content-type-options", b"nosniff")


class Edge:
    """Stands around the whole app, as ASGI middleware.

    Args:
        app: What answers.
        engine: Its settings bound requests, its guard knows who may call; it counts them.
    """

    def __init__(self, app: ASGIApp, engine: Engine) -> None:
        settings = engine.settings
        self._app = app
        self._guard = engine.guard
        self._bodies = engine.bodies
        self._settings = settings
        self._telemetry = engine.telemetry
        self._file = Body(settings.max_snapshot_bytes, settings.body_seconds, is_file=True)
        self._question = Body(settings.max_body_bytes, settings.body_seconds, is_file=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, body = _headers_of(scope), self._body(scope)
        name = request_id_of(headers.get("x-request-id"))
        request_id.set(name)
        caller.set(NOBODY)
        began, status = time.perf_counter(), 500
        # As it was sent: decoded, an id with a slash would look like two segments.
        scope = {**scope, "path": scope["raw_path"].decode("ascii", "replace")}

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = (b"x-request-id", name.encode()), _NO_SNIFFING
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        traces = self._telemetry.traces if scope["path"].startswith(API) else UNTRACED
        with (
            traces.request(scope["method"], headers) as span,
            self._bodies.held() as take,
        ):
            try:
                seconds = self._let_in(scope, headers, body)
                bounded = body.bounded(receive, take)
                await answer_in_time(self._app, scope, bounded, send_named, seconds)
            except ServiceError as error:
                await failure(error)(scope, receive, send_named)
            except ClientGone:
                status = CLIENT_GONE
            finally:
                self._observe(scope, span, status, time.perf_counter() - began)

    def _let_in(self, scope: Scope, headers: Mapping[str, str], body: Body) -> float | None:
        """Notes who asks and on what terms, and returns the seconds that the answer may take."""
        self._check(headers, body)
        if scope["path"].startswith(GUARDED):
            caller.set(self._guard.admit(headers.get("authorization")))
        seconds = timeout_of(headers.get(TIMEOUT_HEADER))
        priority = priority_of(headers.get(PRIORITY_HEADER))
        terms.set(Terms("", priority, deadline_after(seconds), "rest"))
        return seconds

    def _body(self, scope: Scope) -> Body:
        """Returns what a body may be: a snapshot goes to disk, the rest to memory."""
        is_file = scope["method"] == "PUT" and scope["path"].startswith(SNAPSHOTS)
        return self._file if is_file else self._question

    def _check(self, headers: Mapping[str, str], body: Body) -> None:
        """Refuses what a browser sends for a foreign page, and a body that says it is too large.

        A page elsewhere may not read our answers (CORS is closed), but could have a browser send
        an upload here; and a name that it makes point to this machine would be its own origin.
        """
        host, origin = headers.get("host", ""), headers.get("origin")
        known = origin is None or origin in self._settings.cors_origins
        if origin is not None and not known and origin.partition("://")[2] != host:
            raise PermissionDenied(f"a page of {origin} may not call {host}")
        local = self._settings.host in LOOPBACK and not self._settings.allow_anonymous
        if local and _name_of(host) not in LOOPBACK:
            raise PermissionDenied(f"a server on loopback answers to localhost, not to {host!r}")
        length = headers.get("content-length", "")
        if length.isdigit():
            body.check_size(int(length))

    def _observe(self, scope: Scope, span: Span, status: int, seconds: float) -> None:
        """Counts and logs a request, and tells its span what became of it."""
        route, reason = scope.get("route"), scope.get(REASON, "")
        # Of what has no route, path and method are the client's own: too many to count apart.
        path = route.path if route and scope["method"] in route.methods else ""
        method = f"{scope['method']} {path}" if path else "unknown"
        self._telemetry.answered(("rest", method, str(status)), reason, seconds)
        told = scope["method"], scope["path"][:MOST_PATH], status, 1000 * seconds
        log.info("%s %s %d %.1f ms", *told, extra={"facts": {"caller": caller.get().id}})
        facts = {
            "http.request.method": scope["method"],
            "http.response.status_code": status,
            "http.route": path,
            "kindred.request_id": request_id.get(),
        }
        span.update_name(method)
        conclude(span, facts, reason, is_fault=status >= FAULT)


def _name_of(host: str) -> str:
    """Returns a Host header without its port and without the brackets of IPv6."""
    return host.rpartition("]")[0].lstrip("[") if "]" in host else host.partition(":")[0]


def _headers_of(scope: Scope) -> Mapping[str, str]:
    """Returns the headers by name; of one that was sent twice, the first."""
    sent = reversed(scope["headers"])
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in sent}
