"""Every failure in one shape, by the table of `service.errors`."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from embedder.errors import EmbedderError
from indexes.errors import IndexesError
from service.errors import (
    InvalidRequest,
    MethodNotAllowed,
    RouteNotFound,
    ServiceError,
    problem,
)
from service.rest.wire import json_response

MOST_REASONS = 3
"""A union of many shapes has a complaint from each; the first few say enough."""


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


def failure(error: BaseException) -> Response:
    """Returns the answer to a request that failed."""
    found = problem(error)
    response = json_response(found.as_json(), found.status.http)
    if found.retry_after is not None:
        response.headers["retry-after"] = f"{found.retry_after:.0f}"
    return response


async def _known(request: Request, error: Exception) -> Response:
    return failure(error)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    reasons = [_sentence(each) for each in error.errors()[:MOST_REASONS]]
    return failure(InvalidRequest("; ".join(reasons)))


def _sentence(complaint: dict[str, Any]) -> str:
    if complaint["type"] == "json_invalid":
        return f"the body must be JSON: {complaint['ctx']['error']}"
    place = ".".join(str(part) for part in complaint["loc"])
    return f"{place}: {complaint['msg']}, got {complaint.get('input')!r:.80}"


async def _foreign(request: Request, error: HTTPException) -> Response:
    """Renames what the framework raises; our own error, raised while it read, goes before."""
    if isinstance(error.__cause__, ServiceError):
        return failure(error.__cause__)
    asked = f"{request.method} {request.url.path}"
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return failure(RouteNotFound(f"there is nothing at {asked}; see /docs"))
        case HTTPStatus.METHOD_NOT_ALLOWED:
            return failure(MethodNotAllowed(f"{asked} is not a method of this resource; see /docs"))
        case _:
            return failure(InvalidRequest(str(error.detail)))
