"""`kindred models`: what can be embedded with."""

import asyncio
import dataclasses
import json
from collections.abc import Sequence

import typer

from service.cli import options
from service.cli.backend import Where
from service.cli.show import answers, models_table
from service.messages import ModelInfo


def models(
    ctx: typer.Context, as_json: options.AsJson = False, server: options.Server = None
) -> None:
    """Lists the models: what each embeds, its dimension, its licence, and the id of its space."""
    found = asyncio.run(_ask(Where.of(ctx, None, server)))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(model) for model in found], indent=2))
    else:
        answers().print(models_table(found))


async def _ask(where: Where) -> Sequence[ModelInfo]:
    async with where.open() as backend:
        return await backend.models()
