"""`kindred models`: what can be embedded with, and whether a model here does."""

import asyncio
import dataclasses
import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from rich.table import Table

from service.cli import options
from service.cli.backend import Where
from service.cli.show import answers, families_table, models_table
from service.messages import ModelInfo

if TYPE_CHECKING:
    from embedder.base import Embedder

commands = typer.Typer(invoke_without_command=True)

_BATCH, _ROUNDS = 8, 3
"""Probes of one forward pass, and how often each is run; the fastest counts."""


@commands.callback()
def models(
    ctx: typer.Context, as_json: options.AsJson = False, server: options.Server = None
) -> None:
    """Lists the models: what each embeds, its dimension, its licence, and the id of its space.

    Here the bundled one is shown, and how others are named; with --server, what a server serves.
    """
    if ctx.invoked_subcommand is not None:
        return
    found = asyncio.run(_ask(Where.of(ctx, None, server)))
    if as_json:
        typer.echo(json.dumps([_json(model) for model in found], indent=2))
        return
    answers().print(models_table(found))
    if server is None:
        answers().print(families_table())


@commands.command()
def check(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="E.g. open_clip:ViT-B-32/openai.")],
) -> None:
    """Loads a model and embeds a probe of each modality: norms, speed and the id of its space.

    For example:

        kindred models check kindred-mini
        kindred models check open_clip:ViT-B-32/own-weights.pt
    """
    from embedder import catalog
    from service.settings import load_settings

    began = time.perf_counter()
    embedder = catalog.load(name, cache=load_settings().cache)
    loaded = time.perf_counter() - began
    spec = catalog.find(name)
    table = Table("modality", "norm", "items/s", header_style="bold")
    for modality, norm, speed in _probed(embedder):
        table.add_row(modality, f"{norm:.6f}", f"{speed:.1f}")
    answers().print(table)
    answers().print(
        f"{name}: {embedder.space.dim} dimensions, licence {spec.licence}, {embedder.runtime} on "
        f"{embedder.device}, loaded in {loaded:.1f} s\nspace {embedder.space.id}",
        highlight=False,
        soft_wrap=True,
    )


def _probed(embedder: "Embedder") -> list[tuple[str, float, float]]:
    """Returns (modality, norm of a probe's vector, items a second) of each modality."""
    from service.served import PROBES

    rows = []
    for modality in sorted(embedder.modalities):
        batch = [embedder.prepare(PROBES[modality])] * _BATCH
        seconds = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            vectors = embedder.encode(batch)
            seconds.append(time.perf_counter() - began)
        rows.append((str(modality), float(np.linalg.norm(vectors[0])), _BATCH / min(seconds)))
    return rows


async def _ask(where: Where) -> Sequence[ModelInfo]:
    with where.without_data() as scratch:
        async with scratch.open() as backend:
            return await backend.models()


def _json(model: ModelInfo) -> dict[str, Any]:
    # Not `asdict`: it copies deeply, which a read-only mapping of limits can't be.
    shallow = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    return {**shallow, "limits": dict(model.limits)}
