"""`kindred export` and `kindred import`: items with their vectors, as Parquet."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from indexes.errors import CollectionNotFound
from service.cli import options
from service.cli.backend import Where, require_structure
from service.cli.refusal import FAILED, needs
from service.cli.show import answers, complain, moving, progress
from service.messages import NewCollection

if TYPE_CHECKING:
    from indexes.parquet import Imported

MOST_LISTED = 100
"""Rows that failed which are named one by one."""


def export(
    ctx: typer.Context,
    collection: options.CollectionArgument,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE.parquet", help="Where to; it is replaced."),
    ],
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Writes ids, modalities, vectors and metadata of a collection to a Parquet file.

    Media are left out, and so are the windows of a server's items: `kindred snapshot` copies
    everything.

    For example:

        kindred export photos -o photos.parquet
    """
    count = asyncio.run(_export(Where.of(ctx, data, server), collection, output))
    answers().print(f"Wrote {count:,} items of {collection} to {output}.")


def import_(  # noqa: PLR0913 - one parameter per option
    ctx: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(exists=True, dir_okay=False, help="With columns id, modality, vector."),
    ],
    collection: options.Collection = "default",
    model: Annotated[
        str | None,
        typer.Option(help="Whose vectors they are, where the file does not say."),
    ] = None,
    indexed: options.Indexed = None,
    structure: options.Structure = None,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Stores the rows of a Parquet file; a bad one costs itself alone, and the status is then 1.

    Columns are id, modality, vector and, if you like, metadata (JSON as text) and created. The
    collection is created if there is none. On a server, items are created when they arrive.

    For example:

        kindred import photos.parquet --collection photos --indexed year
        kindred import others.parquet --model kindred-mini
    """
    new = NewCollection(collection, model, tuple(indexed or ()), structure=structure)
    done = asyncio.run(_import(Where.of(ctx, data, server), file, new))
    for row, reason in done.refused[:MOST_LISTED]:
        complain(f"row {row}: {reason}")
    if len(done.refused) > MOST_LISTED:
        complain(f"and {len(done.refused) - MOST_LISTED:,} more")
    failed = f", {len(done.refused):,} failed" if done.refused else ""
    answers().print(f"{collection}: {done.stored:,} stored{failed}")
    if done.refused:
        raise typer.Exit(FAILED)


async def _export(where: Where, collection: str, path: Path) -> int:
    with needs("parquet"), moving(progress("exporting")) as told:
        if where.server:
            from service.cli import served

            return served.export(where.server, collection, path, told)
        async with where.make_engine(where.settings) as engine:
            return await engine.tables.export(collection, path, told)


async def _import(where: Where, path: Path, new: NewCollection) -> "Imported":
    """Stores the rows, then declares the fields: all at once that takes less than row by row."""
    with needs("parquet"), moving(progress("importing")) as told:
        if where.server:
            from service.cli import served

            done = served.import_(where.server, path, new, told)
            if new.indexed:
                async with where.open() as backend:
                    await backend.ensure_collection(new)
            return done
        from service.cli.local import LocalBackend

        async with where.make_engine(where.settings) as engine:
            with suppress(CollectionNotFound):
                known = await engine.collections.get(new.name)
                require_structure(new.name, known.structure, new.structure)
            done = await engine.tables.import_(path, new, told)
            if new.indexed:
                await LocalBackend(engine).ensure_collection(new)
            return done
