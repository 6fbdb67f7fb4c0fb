"""`kindred search`: a question in words, pictures and sounds, answered in every modality."""

import asyncio
import dataclasses
import json
from typing import Any

import typer

from service.cli import options
from service.cli.backend import Where
from service.cli.parts import filed, required, spoken, unwanted
from service.cli.show import answers, hits_table, show_table
from service.messages import SearchAnswer, SearchQuery


def search(  # noqa: PLR0913 - one parameter per option
    ctx: typer.Context,
    words: options.Words = None,
    image: options.Images = None,
    audio: options.Sounds = None,
    like: options.Likes = None,
    negative: options.Negatives = None,
    collection: options.Collection = "default",
    k: options.K = 10,
    modality: options.Modalities = None,
    filter: options.Filter = "",
    min_score: options.MinScore = None,
    exact: options.Exact = False,
    as_json: options.AsJson = False,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Finds what is nearest to words, pictures and sounds, in every modality.

    Parts add up: a picture and words find what is like both. The score is a cosine; calibrated is
    how far it lies above chance, in standard deviations; probability is that of a match that is no
    accident.

    For example:

        kindred search a dog on the beach
        kindred search --image dog.jpg --negative snow -m audio
        kindred search "at night" --filter '{"bytes": {"$lt": 100000}}' --json
    """
    given = [*spoken(words, like), *unwanted(negative), *filed(image, audio)]
    parts = required(given, "what should be looked for?")
    modalities = tuple(modality or ())
    query = SearchQuery(
        parts, k, modalities, filter=_filter(filter), min_score=min_score, exact=exact
    )
    answer = asyncio.run(_ask(Where.of(ctx, data, server), collection, query))
    _show(answer, collection, as_json)


def _show(answer: SearchAnswer, collection: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(answer_json(answer), ensure_ascii=False, indent=2))
    elif answer.hits:
        show_table(hits_table(answer.hits))
    else:
        answers().print(f"Nothing found in collection {collection}.")


def _filter(text: str) -> dict[str, Any] | None:
    if not text:
        return None
    try:
        expression = json.loads(text)
    except json.JSONDecodeError as error:
        raise typer.BadParameter(f"--filter must be JSON: {error}") from error
    if not isinstance(expression, dict):
        raise typer.BadParameter(f"--filter must be a JSON object, got {text}")
    return expression


async def _ask(where: Where, collection: str, query: SearchQuery) -> SearchAnswer:
    async with where.open() as backend:
        return await backend.search(collection, query)


def answer_json(answer: SearchAnswer) -> dict[str, Any]:
    """Returns the answer in the shape that REST gives it."""
    return {
        "collection": answer.collection,
        "hits": [
            {
                "id": hit.id,
                "modality": hit.modality,
                "score": hit.score,
                "calibrated": hit.calibrated,
                "probability": hit.probability,
                "metadata": dict(hit.metadata),
                **({"at": dataclasses.asdict(hit.at)} if hit.at else {}),
            }
            for hit in answer.hits
        ],
        "ranking": answer.ranking,
        "index": answer.index,
        "exact": answer.exact,
        "space": answer.space,
        "timing_ms": dataclasses.asdict(answer.timing_ms),
    }
