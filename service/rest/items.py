"""Items of a collection: stored, uploaded, listed, fetched and deleted."""

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import Field

from embedder.errors import UndecodableMedia
from embedder.media import Modality
from service import messages
from service.errors import InvalidRequest
from service.intake import TEXT_TYPE, file_content
from service.rest.content import Content, contents_of
from service.rest.wire import (
    Answer,
    JsonRoute,
    Many,
    PathText,
    Question,
    TheEngine,
    Vector,
    WrongItem,
    reply,
)

router = APIRouter(
    prefix="/v1/collections/{collection}/items", tags=["items"], route_class=JsonRoute
)

Include = Annotated[
    list[Literal["metadata", "vector"]],
    Query(default_factory=list, description="`vector` adds the vectors; metadata always come."),
]
_STORED_MEDIA = {
    "content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'"
}
"""What somebody uploaded must not run as a page of ours."""


class ItemQuestion(Question):
    """An item to store."""

    content: Content
    id: str | None = Field(None, description="By default a digest of the content.")
    metadata: dict[str, Any] = Field(default_factory=dict)


class Upsert(Question):
    """Items to store, each in the place of the one that had its id."""

    items: Many[ItemQuestion]
    windows: bool = Field(
        False,
        description="Whether longer sounds and films are kept with the vectors of their windows, "
        "so that hits tell where they match.",
    )


class Delete(Question):
    """Items to delete."""

    ids: Many[str]


class ItemResult(Answer):
    """What became of one item."""

    index: int
    id: str | None = None
    status: Literal["ok", "error"]
    modality: Modality | None = None
    truncated: bool | None = None
    resampled: bool | None = None
    padded: bool | None = None
    windows: int | None = None
    error: WrongItem | None = None


class Results(Answer):
    """One result for each item, in order, and how many went well."""

    collection: str = Field(description="The one that was changed, by its own name.")
    results: list[ItemResult]
    ok: int
    failed: int


class Item(Answer):
    """An item as it is kept."""

    id: str
    modality: Modality
    metadata: dict[str, Any]
    created: str
    has_content: bool
    vector: Vector | None = None


class Items(Answer):
    """One page; an empty token means that it is the last."""

    collection: str = Field(description="The one that is listed, by its own name.")
    items: list[Item]
    next_page_token: str


@router.post(":upsert", response_model=Results)
async def upsert_items(collection: PathText, question: Upsert, engine: TheEngine) -> Response:
    """Stores items, each on its own: a bad one costs itself alone."""
    contents = await contents_of([item.content for item in question.items])
    items = [
        messages.ItemInput(content, item.id, item.metadata)
        for content, item in zip(contents, question.items, strict=True)
    ]
    answer = await engine.collections.upsert(collection, items, windows=question.windows)
    return reply(_results(answer))


@router.post(":upload", response_model=Results)
async def upload_items(  # noqa: PLR0913 - one parameter per field of the form
    collection: PathText,
    engine: TheEngine,
    file: Annotated[
        list[UploadFile], File(description="Pictures, sounds, films or texts, as they are.")
    ],
    id: Annotated[
        list[str], Form(default_factory=list, description="One for each file, or none at all.")
    ],
    metadata: Annotated[str, Form(description="A JSON object for all of them.")] = "{}",
    windows: Annotated[bool, Form(description="As in `:upsert`.")] = False,
) -> Response:
    """Stores files that are sent as they are: `curl -F file=@dog.jpg`."""
    if id and len(id) != len(file):
        raise InvalidRequest(f"there must be one id for each file, got {len(id)} for {len(file)}")
    shared = _json_object(metadata)
    names: Sequence[str | None] = id or [None] * len(file)
    items = [
        messages.ItemInput(await _content(upload), name, {"filename": upload.filename, **shared})
        for upload, name in zip(file, names, strict=True)
    ]
    return reply(_results(await engine.collections.upsert(collection, items, windows=windows)))


@router.post(":delete", response_model=Results)
async def delete_items(collection: PathText, question: Delete, engine: TheEngine) -> Response:
    """Deletes items by id."""
    return reply(_results(await engine.collections.delete_items(collection, question.ids)))


@router.get("", response_model=Items)
async def list_items(  # noqa: PLR0913 - one parameter per option
    collection: PathText,
    engine: TheEngine,
    include: Include,
    page_size: int = 100,
    page_token: str = "",
    filter: Annotated[str | None, Query(description="A filter, as JSON.")] = None,
) -> Response:
    """Lists items in the order they were stored."""
    page = await engine.collections.items(
        collection,
        page_size=page_size,
        page_token=page_token,
        filter=None if filter is None else _json_object(filter),
        with_vectors="vector" in include,
    )
    return reply(Items.model_validate(page))


@router.get("/{item_id}", response_model=Item)
async def get_item(
    collection: PathText,
    item_id: PathText,
    engine: TheEngine,
    include: Include,
) -> Response:
    """Gets one item."""
    stored = await engine.collections.item(collection, item_id, with_vector="vector" in include)
    return reply(Item.model_validate(stored))


@router.get("/{item_id}/content", response_class=Response)
async def get_content(collection: PathText, item_id: PathText, engine: TheEngine) -> Response:
    """Gets the media of an item, as they were sent."""
    data, mime = await engine.collections.content(collection, item_id)
    kind = f"{mime}; charset=utf-8" if mime == TEXT_TYPE else mime
    return Response(data, headers={"content-type": kind, **_STORED_MEDIA})


async def _content(upload: UploadFile) -> messages.Content:
    try:
        return await asyncio.to_thread(file_content, await upload.read())
    except UndecodableMedia as error:
        return messages.BrokenContent(error)


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidRequest(f"a JSON object is needed: {error}, got {text[:80]!r}") from error
    if not isinstance(value, dict):
        raise InvalidRequest(f"a JSON object is needed, got {text[:80]!r}")
    return value


def _results(answer: messages.ItemResults) -> Results:
    return Results(
        collection=answer.collection,
        results=[_result(result) for result in answer.results],
        ok=answer.ok,
        failed=answer.failed,
    )


def _result(result: messages.ItemResult) -> ItemResult:
    if result.error:
        error = WrongItem.model_validate(result.error)
        return ItemResult(
            index=result.index,
            id=result.id,
            status="error",
            modality=result.modality,
            error=error,
        )
    return ItemResult(
        index=result.index,
        id=result.id,
        status="ok",
        modality=result.modality,
        truncated=result.treatment.truncated,
        resampled=result.treatment.resampled,
        padded=result.treatment.padded,
        windows=result.treatment.windows,
    )
