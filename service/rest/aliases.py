"""Aliases: names that stand for a collection."""

from fastapi import APIRouter, Response
from pydantic import Field

from service.rest.wire import Answer, JsonRoute, PathText, Question, TheEngine, reply

router = APIRouter(prefix="/v1/aliases", tags=["aliases"], route_class=JsonRoute)


class AliasQuestion(Question):
    """What an alias is to stand for."""

    collection: str = Field(description="The collection.")
    expected: str | None = Field(
        None,
        description="The collection that it must stand for by now, if for any; otherwise the "
        "answer is `ALIAS_MOVED`. By default it may be any.",
    )


class Alias(Answer):
    """A name that stands for a collection."""

    name: str
    collection: str
    previous: str | None = Field(
        None, description="What it stood for before, in the answer to a change."
    )


class Aliases(Answer):
    """Every alias of a collection that the caller may see, by name."""

    aliases: list[Alias]


@router.put("/{alias}", response_model=Alias)
async def set_alias(alias: PathText, question: AliasQuestion, engine: TheEngine) -> Response:
    """Makes an alias stand for a collection, in one step, whether or not there was one.

    It is taken wherever a path or a body names a collection, but where one is created, restored or
    deleted. A question finds the old collection or the new one, never half of each.
    """
    info = await engine.aliases.point(alias, question.collection, expected=question.expected)
    return reply(Alias.model_validate(info))


@router.get("", response_model=Aliases)
async def list_aliases(engine: TheEngine) -> Response:
    """Lists every alias."""
    infos = await engine.aliases.list()
    return reply(Aliases(aliases=[Alias.model_validate(info) for info in infos]))


@router.delete("/{alias}", status_code=204)
async def delete_alias(alias: PathText, engine: TheEngine) -> Response:
    """Deletes an alias; the collection stays."""
    await engine.aliases.delete(alias)
    return Response(status_code=204)
