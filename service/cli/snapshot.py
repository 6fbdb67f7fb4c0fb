"""`kindred snapshot` and `kindred restore`: a collection to one file, and back."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from service.cli import options
from service.cli.backend import Where
from service.cli.show import answers, moving, transfer
from service.messages import CollectionInfo, SnapshotInfo


def snapshot(
    ctx: typer.Context,
    collection: options.CollectionArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Where to; there must be none.")
    ],
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Copies one moment of a collection to one checksummed file, while it may be used.

    The file holds everything, media and windows included, and is restored into a folder, a server
    or a Milvus alike.

    For example:

        kindred snapshot photos -o photos.snapshot
        kindred snapshot photos -o photos.snapshot --server http://localhost:8000
    """
    if output.exists():
        raise typer.BadParameter(f"{output} exists: name a new file")
    taken = asyncio.run(_snapshot(Where.of(ctx, data, server), collection, output))
    size = taken.bytes / 1e6
    answers().print(f"Wrote {taken.items:,} items of {collection}, {size:,.1f} MB, to {output}.")


def restore(
    ctx: typer.Context,
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="What `kindred snapshot` wrote.")
    ],
    collection: Annotated[
        str | None,
        typer.Option("--collection", "-c", help="Name to give it. Default: the one it had."),
    ] = None,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Creates a collection from such a file, all of which is checked before anything is written.

    Refused are a damaged file, a name that is taken, and vectors of a model that nobody serves
    there.

    For example:

        kindred restore photos.snapshot
        kindred restore photos.snapshot --collection photos-again --data ./elsewhere
    """
    made = asyncio.run(_restore(Where.of(ctx, data, server), file, collection))
    answers().print(f"Restored {sum(made.counts.values()):,} items to {made.name}.")


async def _snapshot(where: Where, collection: str, path: Path) -> SnapshotInfo:
    async with where.open() as backend:
        with moving(transfer("copying")) as moved:
            return await backend.snapshot(collection, path, moved)


async def _restore(where: Where, path: Path, collection: str | None) -> CollectionInfo:
    async with where.open() as backend:
        with moving(transfer("restoring")) as moved:
            return await backend.restore(path, collection, moved)
