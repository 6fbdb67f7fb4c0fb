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

from embedder import catalog
from embedder.catalog import ModelSpec
from service.cli import options
from service.cli.backend import Where
from service.cli.show import answers, families_table, models_table, show_table, specs_table
from service.cli.warm import warm
from service.messages import ModelInfo
from service.settings import load_settings

if TYPE_CHECKING:
    from embedder.base import Embedder

commands = typer.Typer(invoke_without_command=True, rich_markup_mode="markdown")

_BATCH, _ROUNDS = 8, 3
"""Probes of one forward pass, and how often each is run; the fastest counts."""

Precision = Annotated[
    str | None, typer.Option(help="fp32, bf16, fp16 or auto. Default: as in the settings.")
]

Runtime = Annotated[
    str | None, typer.Option(help="openvino, onnx, torch or auto. Default: as in the settings.")
]
Least = Annotated[
    float | None, typer.Option(help="Cosine to float32 below which it is refused, say 0.99.")
]


@commands.callback()
def models(
    ctx: typer.Context,
    family: Annotated[
        str | None, typer.Option(metavar="NAME", help="List a family, e.g. open_clip.")
    ] = None,
    search: Annotated[
        str, typer.Option(metavar="WORD", help="Only names that hold this, e.g. laion2b.")
    ] = "",
    as_json: options.AsJson = False,
    server: options.Server = None,
) -> None:
    """Lists models: what each embeds, dimension, parameters, licence, where its weights are.

    Nothing is loaded and no network asked. With --server, what a server serves.

        kindred models --family open_clip --search laion2b
    """
    if ctx.invoked_subcommand is not None:
        return
    if server is not None:
        _show_served(asyncio.run(_ask(Where.of(ctx, None, server))), as_json=as_json)
        return
    found = [catalog.find(name) for name in _names(family) if search in name]
    if as_json:
        typer.echo(json.dumps([_described(spec) for spec in found], indent=2))
        return
    show_table(specs_table(found, narrow=answers().is_terminal))
    if family is None:
        show_table(families_table())


@commands.command()
def check(
    name: Annotated[str, typer.Argument(metavar="MODEL", help="E.g. open_clip:ViT-B-32/openai.")],
    precision: Precision = None,
    runtime: Runtime = None,
    least_fidelity: Least = None,
) -> None:
    """Loads a model and embeds a probe of each modality: norms, speed and the id of its space.

    The cosine is that to the same model in torch and float32: how closely this runtime and this
    precision compute. Under 0.999 a model is refused, unless --least-fidelity allows it:

        kindred models check kindred-mini
        kindred models check kindred-mini --precision bf16 --least-fidelity 0.99
    """
    settings = load_settings(precision=precision, runtime=runtime, least_fidelity=least_fidelity)
    began = time.perf_counter()
    embedder = catalog.load(name, settings.placement)
    loaded = time.perf_counter() - began
    exact = dataclasses.replace(settings.placement, runtime="torch", precision="fp32")
    is_exact = (embedder.runtime, embedder.precision) == ("torch", "fp32")
    reference = embedder if is_exact else catalog.load(name, exact)
    table = Table("modality", "norm", "items/s", "cosine to float32", header_style="bold")
    for row in _probed(embedder, reference):
        table.add_row(*row)
    show_table(table)
    answers().print(
        f"{name}: {embedder.space.dim} dimensions, licence {catalog.find(name).licence}, "
        f"{embedder.runtime} on {embedder.device}, {embedder.precision}, "
        f"loaded in {loaded:.1f} s\nleast cosine to float32 over more probes: "
        f"{embedder.fidelity:.5f}\nspace {embedder.space.id}",
        highlight=False,
        soft_wrap=True,
    )


commands.command()(warm)


def _probed(embedder: "Embedder", reference: "Embedder") -> list[tuple[str, str, str, str]]:
    """Returns modality, norm of a probe's vector, items a second, and cosine to the reference."""
    from service.served import PROBES

    rows = []
    for modality in sorted(embedder.modalities):
        probe = PROBES[modality]
        batch = [embedder.prepare(probe)] * _BATCH
        seconds = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            vector = embedder.encode(batch)[0].astype(np.float64)
            seconds.append(time.perf_counter() - began)
        cosine = float(vector @ reference.embed([probe])[0])
        norm, speed = np.linalg.norm(vector), _BATCH / min(seconds)
        rows.append((str(modality), f"{norm:.6f}", f"{speed:.1f}", f"{min(cosine, 1):.6f}"))
    return rows


def _names(family: str | None) -> Sequence[str]:
    """Returns the names of a family; without one, the catalogue's and those in the settings."""
    if family is None:
        return tuple(dict.fromkeys((*catalog.names(), *load_settings().models)))
    if family not in catalog.FAMILIES:
        known = ", ".join(catalog.FAMILIES)
        raise typer.BadParameter(f"a family must be one of {known}, got {family!r}")
    return tuple(catalog.FAMILIES[family].names())


async def _ask(where: Where) -> Sequence[ModelInfo]:
    with where.without_data() as scratch:
        async with scratch.open() as backend:
            return await backend.models()


def _show_served(found: Sequence[ModelInfo], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([_json(model) for model in found], indent=2))
    else:
        show_table(models_table(found))


def _described(spec: ModelSpec) -> dict[str, Any]:
    told = ("name", "description", "modalities", "dim", "parameters", "licence", "non_commercial")
    here = spec.is_here()
    return {
        **{name: getattr(spec, name) for name in told},
        "here": here,
        "download_bytes": 0 if here else spec.bytes,
    }


def _json(model: ModelInfo) -> dict[str, Any]:
    # Not `asdict`: it copies deeply, which a read-only mapping of limits can't be.
    shallow = {field.name: getattr(model, field.name) for field in dataclasses.fields(model)}
    return {**shallow, "limits": dict(model.limits)}
