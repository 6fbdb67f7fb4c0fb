"""Collections: named items of one embedding space."""

from fastapi import APIRouter, Response
from pydantic import Field

from service.rest.wire import Answer, JsonRoute, PathText, Question, TheEngine, reply

router = APIRouter(prefix="/v1/collections", tags=["collections"], route_class=JsonRoute)


class CollectionQuestion(Question):
    """A collection to create."""

    name: str = Field(description="1 to 63 lower-case letters, digits, - or _.")
    model: str | None = Field(None, description="Whose space it is in; by default the first.")


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


class Collections(Answer):
    """Every collection, by name."""

    collections: list[Collection]


@router.post("", response_model=Collection, status_code=201)
async def create_collection(question: CollectionQuestion, engine: TheEngine) -> Response:
    """Creates a collection."""
    info = await engine.create_collection(question.name, model=question.model)
    return reply(Collection.model_validate(info), status=201)


@router.get("", response_model=Collections)
async def list_collections(engine: TheEngine) -> Response:
    """Lists every collection."""
    infos = await engine.collections()
    return reply(Collections(collections=[Collection.model_validate(info) for info in infos]))


@router.get("/{collection}", response_model=Collection)
async def get_collection(collection: PathText, engine: TheEngine) -> Response:
    """Gets one collection."""
    return reply(Collection.model_validate(await engine.collection(collection)))


@router.delete("/{collection}", status_code=204)
async def delete_collection(collection: PathText, engine: TheEngine) -> Response:
    """Deletes a collection and everything in it."""
    await engine.delete_collection(collection)
    return Response(status_code=204)
