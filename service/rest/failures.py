"""Every failure in one shape, by the table of `service.errors`."""

import re
from collections.abc import Sequence
from http import HTTPStatus
from itertools import islice
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from embedder.errors import EmbedderError
from indexes.errors import IndexesError
from service.errors import (
    InvalidRequest,
    MethodNotAllowed,
    Problem,
    RouteNotFound,
    ServiceError,
    problem,
)

REASON = "kindred.reason"
"""Where the scope of a request that failed has the reason, for who counts it."""

MOST_SHOWN, DEEPEST_SHOWN = 80, 2
"""Letters and elements of what is wrong that are quoted, and how deep."""

_FIELD = re.compile(r"\{\w+\}")


class ErrorFields(BaseModel):
    """What went wrong."""

    code: int
    reason: str
    message: str
    details: dict[str, Any]


class ErrorBody(BaseModel):
    """The body of every answer that is not a success."""

    error: ErrorFields


def handle_failures(app: FastAPI) -> None:
    """Makes the app answer every exception by the table."""
    for ours in (EmbedderError, IndexesError, ServiceError, Exception):
        app.exception_handler(ours)(_known)
    app.exception_handler(RequestValidationError)(_invalid)
    app.exception_handler(HTTPException)(_foreign)


class Failure(Response):
    """The answer to a request that failed, which says why to who stands around it, too.

    Args:
        found: What went wrong.
    """

    def __init__(self, found: Problem) -> None:
        body = orjson.dumps(found.as_json())
        super().__init__(body, found.status.http, media_type="application/json")
        self._reason = found.status.reason

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers."""
        scope[REASON] = self._reason
        await super().__call__(scope, receive, send)


def failure(error: BaseException) -> Response:
    """Returns the answer to a request that failed."""
    found = problem(error)
    response = Failure(found)
    if found.retry_after is not None:
        response.headers["retry-after"] = f"{found.retry_after:.0f}"
    if found.status.http == HTTPStatus.UNAUTHORIZED:
        response.headers["www-authenticate"] = "Bearer"  # RFC 9110 demands it
    return response


async def _known(request: Request, error: Exception) -> Response:
    return failure(error)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    reasons = [_sentence(each) for each in _telling(error.errors())]
    return failure(InvalidRequest("; ".join(dict.fromkeys(reasons))))


def _telling(complaints: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns the complaint of each field that got furthest.

    Every alternative of a union complains; the one that was meant reads deepest before it does.
    """
    deepest: dict[tuple[object, ...], dict[str, Any]] = {}
    for each in complaints:
        field = each["loc"][:2]
        if field not in deepest or len(each["loc"]) >= len(deepest[field]["loc"]):
            deepest[field] = each
    return list(deepest.values())


def _sentence(complaint: dict[str, Any]) -> str:
    match complaint:
        case {"type": "json_invalid", "ctx": {"error": reason}}:
            return f"the body must be JSON: {reason}"
        case {"loc": ("body",), "input": bytes()}:
            return "the body must be JSON, and say so: content-type: application/json"
    place = ".".join(str(part) for part in complaint["loc"] if _is_of_the_client(part))
    return f"{place}: {complaint['msg']}, got {_part(complaint.get('input'))!r:.80}"


def _part(value: object, depth: int = 0) -> object:
    """Returns the beginning of a value, which may be a whole body: no more of it is shown."""
    match value:
        case str() | bytes():
            return value[:MOST_SHOWN]
        case list() | dict() if depth == DEEPEST_SHOWN:
            return ...
        case list():
            return [_part(each, depth + 1) for each in value[:MOST_SHOWN]]
        case dict():
            shown = islice(value.items(), MOST_SHOWN)
            return {name[:MOST_SHOWN]: _part(each, depth + 1) for name, each in shown}
        case _:
            return value


def _is_of_the_client(part: object) -> bool:
    """Tells a field or index from the label that pydantic puts in for an alternative."""
    return not (isinstance(part, str) and ("[" in part or part == "str"))


def _allowed(request: Request) -> str | None:
    """Returns the methods of a resource that is in the document: a route knows its own alone.

    A path can fit several, as `a:score` could be a collection; the longest is what was meant.
    """
    paths = request.app.openapi()["paths"]
    fit = [it for it in paths if re.fullmatch(_FIELD.sub("[^/]+", it), request.scope["path"])]
    return ", ".join(sorted(paths[max(fit, key=len)])).upper() if fit else None


async def _foreign(request: Request, error: HTTPException) -> Response:
    """Renames what the framework raises; our own error, raised while it read, goes before."""
    if isinstance(error.__cause__, ServiceError):
        return failure(error.__cause__)
    asked = f"{request.method} {request.url.path}"
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return failure(RouteNotFound(f"there is nothing at {asked}; see /docs"))
        case HTTPStatus.METHOD_NOT_ALLOWED:
            refused = failure(MethodNotAllowed(f"{asked} is no method of this resource; see /docs"))
            # RFC 9110 demands `Allow`.
            refused.headers["allow"] = _allowed(request) or (error.headers or {}).get("Allow", "")
            return refused
        case _:
            return failure(InvalidRequest(str(error.detail)))
