"""Embeddings, compatible with OpenAI's: its clients work unchanged, and may send media too."""

import base64
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Response
from numpy.typing import NDArray
from pydantic import Field, WithJsonSchema

from embedder.media import Modality
from embedder.windows import WindowVectors
from service.messages import EmbedAnswer, Embedded
from service.rest.content import Content, contents_of
from service.rest.wire import (
    Answer,
    JsonRoute,
    Many,
    Question,
    TheEngine,
    Timing,
    WrongItem,
    json_response,
)

router = APIRouter(prefix="/v1", tags=["embeddings"], route_class=JsonRoute)

Encoding = Literal["float", "base64"]


Written = Annotated[
    Any,
    WithJsonSchema({"anyOf": [{"type": "array", "items": {"type": "number"}}, {"type": "string"}]}),
]
"""A vector as numbers or as base64."""


class EmbeddingsQuestion(Question):
    """What to embed, and how vectors are written."""

    input: Content | Many[Content] = Field(description="One content, or a list of them.")
    model: str | None = Field(None, description="A served model; by default the first.")
    encoding_format: Encoding = Field(
        "float", description="Numbers, or base64 of little-endian float32, which is smaller."
    )
    dimensions: int | None = Field(None, description="Keep so many leading numbers of a vector.")
    on_error: Literal["request", "item"] = Field(
        "request", description="Whether one bad content fails the request or has its own error."
    )
    windows: bool = Field(
        False,
        description="Whether each vector comes with those of its windows: stretches of a sound or "
        "a film that overlap by half.",
    )
    user: str | None = Field(None, description="Taken for the sake of OpenAI's clients, not used.")


class WindowEmbedding(Answer):
    """The vector of one window, in seconds; 0 to 0 is the whole of what has no duration."""

    start: float
    end: float
    embedding: Written


class Embedding(Answer):
    """One vector, or the error that took its place."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: Written | None = None
    modality: Modality | None = None
    truncated: bool | None = None
    resampled: bool | None = None
    padded: bool | None = None
    windows: int | None = None
    window_embeddings: list[WindowEmbedding] | None = None
    error: WrongItem | None = None


class Usage(Answer):
    """Work done, in the model's own units: tokens, pictures, patches of sound."""

    prompt_tokens: int
    total_tokens: int


class Embeddings(Answer):
    """One entry for each content, in order."""

    object: Literal["list"] = "list"
    model: str
    space: str
    data: list[Embedding]
    usage: Usage
    timing_ms: Timing


@router.post("/embeddings", response_model=Embeddings)
async def create_embeddings(question: EmbeddingsQuestion, engine: TheEngine) -> Response:
    """Embeds texts, pictures, sounds or any list of them into one space."""
    asked = question.input if isinstance(question.input, list) else [question.input]
    answer = await engine.embed(
        await contents_of(asked),
        model=question.model,
        dimensions=question.dimensions,
        on_error=question.on_error,
        windows=question.windows,
    )
    return json_response(_embeddings(answer, question.encoding_format))


def _embeddings(answer: EmbedAnswer, encoding: Encoding) -> dict[str, Any]:
    """Returns `Embeddings` as plain JSON: to make models of it takes longer than its vectors.

    Dataclasses of the engine that have the same shape are printed as they are.
    """
    return {
        "object": "list",
        "model": answer.model,
        "space": answer.space,
        "data": [_embedding(each, encoding) for each in answer.results],
        "usage": {"prompt_tokens": answer.units, "total_tokens": answer.units},
        "timing_ms": answer.timing_ms,
    }


def _embedding(each: Embedded, encoding: Encoding) -> dict[str, Any]:
    place = {"object": "embedding", "index": each.index}
    if each.error or each.vector is None:
        return {**place, "error": each.error}
    found = {
        **place,
        "embedding": _written(each.vector, encoding),
        "modality": each.modality,
        "truncated": each.treatment.truncated,
        "resampled": each.treatment.resampled,
        "padded": each.treatment.padded,
        "windows": each.treatment.windows,
    }
    if each.windows:
        found["window_embeddings"] = _windows(each.windows, encoding)
    return found


def _windows(found: WindowVectors, encoding: Encoding) -> list[dict[str, Any]]:
    return [
        {"start": window.start, "end": window.end, "embedding": _written(vector, encoding)}
        for window, vector in zip(found.windows, found.vectors, strict=True)
    ]


def _written(vector: NDArray[np.float32], encoding: Encoding) -> NDArray[np.float32] | str:
    """Returns the vector as orjson is to print it."""
    if encoding == "float":
        return vector
    # `pybase64` would let other threads go first, which takes longer than so little does.
    return base64.b64encode(vector.astype("<f4").tobytes()).decode()
