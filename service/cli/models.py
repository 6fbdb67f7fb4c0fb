"""`kindred models`: what can be embedded with."""

import asyncio
import dataclasses
import json
from collections.abc import Sequence
from typing import Any

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
        typer.echo(json.dumps([_json(model) for model in found], indent=2))
    else:
        answers().print(models_table(found))


async def _ask(where: Where) -> Sequence[ModelInfo]:
    with where.without_data() as scratch:
        async with scratch.open() as backend:
            return await backend.models()


def _json(model: ModelInfo) -> dict[str, Any]:
    # Not `asdict`: it copies deeply, which a read-only mapping of limits can't be.
    shallow = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    return {**shallow, "limits": dict(model.limits)}
