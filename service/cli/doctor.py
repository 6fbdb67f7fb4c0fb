"""`kindred doctor`: what is installed, whether the models answer, what of the items is damaged."""

import asyncio
import os
import platform
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from service.cli import options
from service.cli.backend import Where
from service.cli.refusal import FAILED
from service.cli.show import answers, models_table, show_table
from service.messages import ModelInfo, Readiness
from service.settings import Settings

if TYPE_CHECKING:
    from indexes.store import Store

PACKAGES = (
    "kindred",
    "openvino",
    "onnxruntime",
    "torch",
    "open_clip_torch",
    "faiss-cpu",
    "numpy",
    "pillow",
    "soundfile",
    "av",
)
"""What a report about a fault should name."""

MOST_SHOWN = 10
"""Damaged items of a collection that are named."""


def doctor(ctx: typer.Context, data: options.Data = None) -> None:
    """Tells what is installed, whether the models answer, and whether collections can be read.

    Each model embeds a probe of each of its modalities; each item is held against its checksum. A
    folder that a server holds is read beside it, as it was last written. The status is 1 if
    something fails, is damaged, or could not be looked at, else 0. Put the output into a report
    about a fault.

    For example:

        kindred doctor
        kindred doctor --data ./kindred-data
    """
    console = answers()
    where = Where.of(ctx, data, None)
    table = Table(show_header=False)
    for name, value in facts(where.settings.forward_threads):
        table.add_row(name, value)
    show_table(table)
    models, readiness = asyncio.run(_examine(where))
    show_table(models_table(models))
    failed = [f"{name}: {reason}" for name, reason in readiness.failed.items()]
    failed += damage(where.settings, lambda note: console.print(f"! {note}", soft_wrap=True))
    for failure in failed:
        console.print(Text.assemble(("✗ ", "red"), failure), soft_wrap=True)
    if failed:
        raise typer.Exit(FAILED)
    console.print(Text.assemble(("✓ ", "green"), "every modality of every model answers"))
    console.print(Text.assemble(("✓ ", "green"), "every item of every collection can be read"))


def facts(threads: int) -> Iterator[tuple[str, str]]:
    """Yields what is known without loading a model."""
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield "cpus", f"{os.cpu_count()}, threads of a forward pass: {threads}"
    for package in PACKAGES:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            yield package, "not installed"


def damage(settings: Settings, note: Callable[[str], object]) -> Iterator[str]:
    """Yields what cannot be read of the collections, and how to save the rest; notes who has them.

    Args:
        settings: Where they are.
        note: Told what is no fault.
    """
    address = settings.store_address
    if isinstance(address, Path) and not address.exists():
        note(f"there is no folder {address}, so no collection to look at")
        return
    from indexes.errors import StorageError, StoreInUse
    from indexes.opening import open_store

    try:
        with open_store(address) as store:
            for name in store.list():
                yield from _damage_of(store, name)
    except StoreInUse as error:
        note(f"{error}; its collections are read beside it")
        yield from _damage_beside(Path(address))
    except StorageError as error:
        yield f"collections were not looked at: {error}"


def _damage_beside(folder: Path) -> Iterator[str]:
    """Yields the same of a folder that another process holds."""
    from indexes.errors import StorageError
    from indexes.local.folder import databases
    from indexes.truth.inspection import inspect_beside

    for name, path in databases(folder):
        try:
            yield from _told(name, [str(found) for found in inspect_beside(path)])
        except StorageError as error:
            if path.exists():  # or else it was deleted meanwhile
                yield f"collection {name} was not looked at: {error}"


def _damage_of(store: "Store", name: str) -> Iterator[str]:
    from indexes.errors import StorageError
    from indexes.local.folder import FolderStore

    try:
        damaged = list(store.open(name).damage())
    except StorageError as error:
        yield f"collection {name} cannot be opened: {error}"
        if isinstance(store, FolderStore):
            command = f"kindred rescue {store.path} {name} {name}-rescued"
            yield f"what can be read of {name} is saved by: {command}"
        return
    yield from _told(name, damaged)


def _told(name: str, damaged: Sequence[str]) -> Iterator[str]:
    if damaged:
        more = len(damaged) - MOST_SHOWN
        shown = [*damaged[:MOST_SHOWN], *([f"and {more} more"] if more > 0 else [])]
        yield "\n  ".join([f"collection {name} is damaged, store again what is lost:", *shown])


async def _examine(where: Where) -> tuple[Sequence[ModelInfo], Readiness]:
    with where.without_data() as scratch:
        async with scratch.make_engine(scratch.settings) as engine:
            return engine.models(), await engine.readiness()
