"""How JSON comes in and goes out."""

import inspect
from collections.abc import Callable, Coroutine
from typing import Annotated, Any, TypeVar
from urllib.parse import unquote

import numpy as np
import orjson
from fastapi import Depends, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic_core import PydanticCustomError

from service.engine import Engine
from service.errors import InvalidRequest

MOST_MISTAKES = 100
"""In one body; who makes more is told how many."""

MOST_VALUES = 2_000_000
"""Of one body: what it is read as takes 50 to 250 bytes of memory for each, of which two suffice
on the way."""

MOST_FIELDS = 1_000
"""Of one object, but for metadata and filters: each that is unknown would be described."""

Element = TypeVar("Element")
Many = Annotated[list[Element], Field(fail_fast=True)]
"""A list of which the first mistake is told: to tell of each takes a kilobyte and a microsecond."""


class Question(BaseModel):
    """What a client sends: an unknown field is an error, since it would be ignored."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _of_few_fields(cls, given: object) -> object:
        if isinstance(given, dict) and len(given) > MOST_FIELDS:
            raise PydanticCustomError("fields", f"an object of at most {MOST_FIELDS} fields")
        return given


class Answer(BaseModel):
    """What a client gets; made from the engine's answer of the same shape."""

    model_config = ConfigDict(from_attributes=True)


Vector = Annotated[Any, WithJsonSchema({"type": "array", "items": {"type": "number"}})]
"""A float32 array: orjson prints the shortest decimals that read back to the same bits."""

PathText = Annotated[str, Path(description="With `/` as `%2F`."), AfterValidator(unquote)]
"""Routes see paths as they were sent, so that an id may hold a slash; see `edge`."""


class Treatment(Answer):
    """What preprocessing did to an item."""

    truncated: bool
    resampled: bool
    padded: bool
    windows: int


class Timing(Answer):
    """Where the time of the request went, in milliseconds."""

    decode: float
    queue: float
    embed: float
    search: float
    total: float


class WrongItem(Answer):
    """Why one item of a batch failed."""

    reason: str
    message: str


def reply(answer: Answer, status: int = 200) -> Response:
    """Returns the answer as JSON, without what is None."""
    return json_response(answer.model_dump(exclude_none=True), status)


def json_response(body: object, status: int = 200) -> Response:
    """Returns any JSON, NumPy arrays included."""
    data = orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)
    return Response(data, status, media_type="application/json")


class _OrjsonRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401 - any JSON
        return orjson.loads(await self.body())


class JsonRoute(APIRoute):
    """Reads bodies with orjson: several times as fast, and without NaN, which is no JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns the handler, given requests that read so."""
        handle, kind = super().get_route_handler(), _question(self.endpoint)

        async def with_orjson(request: Request) -> Response:
            request = _OrjsonRequest(request.scope, request.receive)
            if kind:
                question_in(await request.body(), kind)
            return await handle(request)

        return with_orjson


def question_in(body: bytes, kind: type[Question]) -> Question | None:
    """Returns the question that a body holds; None if there is something wrong with it.

    What is wrong, FastAPI tells; of very much that would take it minutes.

    Raises:
        InvalidRequest: If it is too much to be told.
    """
    _check_values(body)
    try:
        return kind.model_validate(orjson.loads(body))
    except orjson.JSONDecodeError:
        return None
    except ValidationError as error:
        if (count := error.error_count()) > MOST_MISTAKES:
            raise InvalidRequest(
                f"a body must be wrong in at most {MOST_MISTAKES} places, got {count}"
            ) from None
        return None


def _check_values(body: bytes) -> None:
    """Refuses a body of very many values before it is read.

    Each but the first has a comma before it, or the bracket that it is in; so it takes two bytes.

    Raises:
        InvalidRequest: If there are too many.
    """
    if len(body) > 2 * MOST_VALUES:
        octets = np.frombuffer(body, np.uint8)  # `bytes.count` takes as long as reading it does
        values = sum(int(np.count_nonzero(octets == mark)) for mark in b",[{")
        if values > MOST_VALUES:
            raise InvalidRequest(f"a body may have at most {MOST_VALUES} values, got {values}")


def _question(endpoint: Callable[..., Any]) -> type[Question] | None:
    """Returns the type of the body, if an endpoint takes one as JSON."""
    kinds = (each.annotation for each in inspect.signature(endpoint).parameters.values())
    found = (each for each in kinds if isinstance(each, type) and issubclass(each, Question))
    return next(found, None)


def _engine_of(request: Request) -> Engine:
    engine: Engine = request.app.state.engine
    return engine


async def _engine_for(request: Request) -> Engine:
    """Hands over the engine; FastAPI would call a plain function in a thread."""
    return _engine_of(request)


TheEngine = Annotated[Engine, Depends(_engine_for)]
"""The engine of the process, handed to a route."""
