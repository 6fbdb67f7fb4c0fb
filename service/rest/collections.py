"""Collections: named items of one embedding space."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field

from service import messages
from service.rest.wire import Answer, JsonRoute, Many, PathText, Question, TheEngine, reply

router = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=JsonRoute)

View = Annotated[
    Literal["basic", "full"],
    Query(description="`full` adds `stats`: what the indexes are made of, and how well they find."),
]


class CollectionQuestion(Question):
    """A collection to create."""

    name: str = Field(description="1 to 63 lower-case letters, digits, - or _.")
    model: str | None = Field(None, description="Whose space it is in; by default the first.")
    indexed: Many[str] = Field(
        [],
        description="Fields of metadata that filters ask for often, such as `year` or "
        "`camera.maker`; filters on them stay fast in large collections.",
    )
    recall_target: float | None = Field(
        None,
        description="Share of the true ten nearest that approximate searches must find; "
        "by default what the server is set to.",
    )
    structure: str | None = Field(
        None,
        description="What approximate searches run on where a modality is large: `ivf`, inverted "
        "lists of codes, small and soon built, or `graph`, which takes longer to build and more "
        "disk. By default `ivf` in a folder and `graph` on Milvus, which has only that. It can't "
        "be changed later.",
    )


class CollectionChange(Question):
    """What a collection is to be like."""

    indexed: Many[str] = Field(
        description="All fields of metadata that are to be indexed, those of before as well as "
        "new ones. Items are stored and found while new ones are prepared.",
    )


class Segment(Answer):
    """One part of a modality's index; `flat` and `head` are exact, `ivf` and `graph` are not."""

    kind: str
    rows: int
    dead: int
    memory_bytes: int
    disk_bytes: int
    build_seconds: float


class Recall(Answer):
    """How many of the true ten nearest are found, by the modalities of query and items."""

    query_modality: str
    modality: str
    target: float
    measured: float | None = Field(None, description="Absent until live queries were checked.")
    queries: int = Field(description="How many were also searched exactly.")
    effort: str


class Stats(Answer):
    """A collection's indexes at this moment."""

    segments: dict[str, list[Segment]]
    recall: list[Recall]
    building: list[str]
    damaged: list[str] = Field(description="Ids of items that cannot be read.")


class Collection(Answer):
    """Whose space it is in, and what it holds."""

    name: str
    model: str
    space: str
    dim: int
    counts: dict[str, int]
    index: str
    bytes: int
    created: str
    indexed: list[str]
    recall_target: float
    structure: str
    stats: Stats | None = Field(None, description="With `view=full`.")


class CollectionName(Question):
    """What a collection is to be called."""

    name: str = Field(description="Its new name.")


class Collections(Answer):
    """Every collection, by name."""

    collections: list[Collection]


@router.post("", response_model=Collection, status_code=201)
async def create_collection(question: CollectionQuestion, engine: TheEngine) -> Response:
    """Creates a collection."""
    new = messages.NewCollection(
        question.name,
        question.model,
        tuple(question.indexed),
        question.recall_target,
        question.structure,
    )
    return reply(Collection.model_validate(await engine.collections.create(new)), status=201)


@router.get("", response_model=Collections)
async def list_collections(engine: TheEngine) -> Response:
    """Lists every collection."""
    infos = await engine.collections.list()
    return reply(Collections(collections=[Collection.model_validate(info) for info in infos]))


@router.get("/{collection}", response_model=Collection)
async def get_collection(collection: PathText, engine: TheEngine, view: View = "basic") -> Response:
    """Gets one collection."""
    info = await engine.collections.get(collection, with_stats=view == "full")
    return reply(Collection.model_validate(info))


@router.patch("/{collection}", response_model=Collection)
async def update_collection(
    collection: PathText, question: CollectionChange, engine: TheEngine
) -> Response:
    """Changes which fields of metadata are indexed; answered when filters on them are fast."""
    info = await engine.collections.update(collection, indexed=question.indexed)
    return reply(Collection.model_validate(info))


@router.post("/{collection}:rename", response_model=Collection)
async def rename_collection(
    collection: PathText, question: CollectionName, engine: TheEngine
) -> Response:
    """Gives a collection another name; the old one stays, as an alias of it."""
    info = await engine.collections.rename(collection, question.name)
    return reply(Collection.model_validate(info))


@router.delete("/{collection}", status_code=204)
async def delete_collection(collection: PathText, engine: TheEngine) -> Response:
    """Deletes a collection and everything in it."""
    await engine.collections.delete(collection)
    return Response(status_code=204)
