"""The way of a question that is right: from its bytes to its endpoint, and the answer back."""

import inspect
import re
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from fastapi import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from service.engine import Engine
from service.rest.failures import failure
from service.rest.wire import JsonRoute, PathText, Question, TheEngine, question_in

_JSON = (b"content-type", b"application/json")


@dataclass(frozen=True, slots=True)
class _Stop:
    """A route whose endpoint takes a question, the engine, texts of its path and nothing else.

    Attributes:
        route: The route.
        kind: What the question is.
        question: The name of the parameter that takes it.
        engine: The name of the one that takes the engine.
    """

    route: JsonRoute
    kind: type[Question]
    question: str
    engine: str

    async def answer(self, asked: Question, engine: Engine, texts: Mapping[str, str]) -> Response:
        """Returns what the endpoint answers, or its failure."""
        given = {self.question: asked, self.engine: engine}
        try:
            answer: Response = await self.route.endpoint(**given, **texts)
        except Exception as error:  # noqa: BLE001 - the table knows all; the rest is INTERNAL
            return failure(error)
        return answer


class Shortcut:
    """Takes questions to their endpoints past the framework, as ASGI middleware.

    What FastAPI does for each request to find out what an endpoint takes lasts longer than a small
    model does. It keeps every route: its document is made of them, it answers what is no such
    question, and tells what is wrong with one.

    Args:
        app: The long way.
        engine: What endpoints ask.
        routes: The routes of the app, in the order in which it tries them.
    """

    def __init__(self, app: ASGIApp, engine: Engine, routes: Iterable[BaseRoute]) -> None:
        self._app = app
        self._engine = engine
        self._fixed: dict[str, tuple[_Stop | None, Mapping[str, str]]] = {}
        self._patterns: list[tuple[re.Pattern[str], _Stop | None]] = []
        for route in routes:
            if not isinstance(route, JsonRoute) or "POST" not in (route.methods or ()):
                continue
            if route.param_convertors:
                self._patterns.append((route.path_regex, _stop(route)))
            else:
                self._fixed[route.path] = _stop(route), {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        stop, texts = self._found(scope)
        if stop is None:
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        asked = question_in(body, stop.kind)
        if asked is None:
            await self._app(scope, _again(body, receive), send)
            return
        scope["route"] = stop.route
        answer = await stop.answer(asked, self._engine, texts)
        await answer(scope, receive, send)

    def _found(self, scope: Scope) -> tuple[_Stop | None, Mapping[str, str]]:
        """Returns where a request goes and the texts of its path; None means the long way."""
        if scope["type"] != "http" or scope["method"] != "POST" or _JSON not in scope["headers"]:
            return None, {}
        path = scope["path"]
        if path in self._fixed:
            return self._fixed[path]
        for pattern, stop in self._patterns:
            if fit := pattern.match(path):
                return stop, {name: unquote(text) for name, text in fit.groupdict().items()}
        return None, {}


def _stop(route: JsonRoute) -> _Stop | None:
    """Returns what a route's endpoint takes, unless it takes anything else as well."""
    taken = inspect.signature(route.endpoint).parameters.values()
    match [(each.name, each.annotation) for each in taken if each.annotation != PathText]:
        case [(question, type() as kind), (engine, known)] if known == TheEngine:
            return _Stop(route, kind, question, engine) if issubclass(kind, Question) else None
        case _:
            return None


async def _whole(receive: Receive) -> bytes:
    """Returns the body of a request."""
    pieces, more = list[bytes](), True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(pieces)


def _again(body: bytes, receive: Receive) -> Receive:
    """Returns what brings a body that was read once more, and then what comes after it."""
    read = [{"type": "http.request", "body": body}]

    async def again() -> MutableMapping[str, Any]:
        return read.pop() if read else await receive()

    return again
