"""`kindred doctor`: what is installed, and whether the models answer."""

import asyncio
import os
import platform
from collections.abc import Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version

import typer
from rich.table import Table
from rich.text import Text

from service.cli.backend import Where
from service.cli.refusal import FAILED
from service.cli.show import answers, models_table
from service.messages import ModelInfo, Readiness

PACKAGES = (
    "kindred",
    "openvino",
    "torch",
    "open_clip_torch",
    "faiss-cpu",
    "numpy",
    "pillow",
    "soundfile",
    "av",
)
"""What a report about a fault should name."""


def doctor(ctx: typer.Context) -> None:
    """Tells what is installed, and whether each model embeds a probe of each of its modalities.

    The status is 1 if one does not. Put the output into a report about a fault.
    """
    console = answers()
    where = Where.of(ctx, None, None)
    table = Table(show_header=False)
    for name, value in facts(where.settings.forward_threads):
        table.add_row(name, value)
    console.print(table)
    models, readiness = asyncio.run(_examine(where))
    console.print(models_table(models))
    for name, reason in readiness.failed.items():
        console.print(Text.assemble(("✗ ", "red"), f"{name}: {reason}"))
    if not readiness.ready:
        raise typer.Exit(FAILED)
    console.print(Text.assemble(("✓ ", "green"), "every modality of every model answers"))


def facts(threads: int) -> Iterator[tuple[str, str]]:
    """Yields what is known without loading a model."""
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "cpus", f"{os.cpu_count()}, threads of a forward pass: {threads}"
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"


async def _examine(where: Where) -> tuple[Sequence[ModelInfo], Readiness]:
    with where.without_data() as scratch:
        async with scratch.make_engine(scratch.settings) as engine:
            return engine.models(), await engine.readiness()
