"""`kindred collections`: what there is to search, and the end of it."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.table import Table

from embedder.media import Modality
from service.cli import options
from service.cli.backend import Where
from service.cli.refusal import RefusingGroup
from service.cli.show import answers, show_table
from service.messages import CollectionInfo

commands = typer.Typer(
    cls=RefusingGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""What there is to search.

`kindred index` and `kindred import` make collections; this lists, renames and deletes them. In a
folder, no server may hold it meanwhile: ask that one.

For example:

    kindred collections list
    kindred collections rename photos photos-1
    kindred collections delete photos-1
""",
)
HIDDEN_IN_JSON = "stats"
"""Takes a look at every index, which a list does not."""


@commands.command("list")
def list_(
    ctx: typer.Context,
    as_json: options.AsJson = False,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Lists the collections: the model of each, and how much it holds.

    Its name is what --collection takes, as is an alias of it.

    For example:

        kindred collections list
        kindred collections list --json --server http://localhost:8000
    """
    found = asyncio.run(_list(Where.of(ctx, data, server)))
    if as_json:
        told = [{k: v for k, v in asdict(each).items() if k != HIDDEN_IN_JSON} for each in found]
        typer.echo(json.dumps(told, indent=2))
        return
    show_table(_table(found))


@commands.command()
def rename(
    ctx: typer.Context,
    collection: options.CollectionArgument,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its new name.")],
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Gives a collection another name; the old one stays, as an alias of it.

    So what clients ask by already can be made to stand for another collection one day, as
    `kindred jobs reembed --alias` does.

    For example:

        kindred collections rename photos photos-1
    """
    asyncio.run(_rename(Where.of(ctx, data, server), collection, name))
    answers().print(f"{collection} is {name} by now, and an alias of it.")


@commands.command()
def delete(
    ctx: typer.Context,
    collection: options.CollectionArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Deletes a collection and everything in it, after asking; the files it was made of stay.

    An alias that stands for it has to be deleted first; on a server, this takes an admin's key.

    For example:

        kindred collections delete photos-1
        kindred collections delete photos-1 --yes
    """
    where = Where.of(ctx, data, server)
    if not yes:
        typer.confirm(f"Delete {collection} and everything in it?", abort=True)
    asyncio.run(_delete(where, collection))
    answers().print(f"Deleted {collection}.")


def _table(found: Sequence[CollectionInfo]) -> Table:
    table = Table("collection", "model")
    for title in ("pictures", "sounds", "texts", "MB"):
        table.add_column(title, justify="right")
    table.add_column("created")
    for each in found:
        counts = (
            each.counts.get(kind, 0) for kind in (Modality.IMAGE, Modality.AUDIO, Modality.TEXT)
        )
        numbers = (*(f"{count:,}" for count in counts), f"{each.bytes / 1e6:,.1f}")
        table.add_row(each.name, each.model, *numbers, each.created[:10])
    return table


async def _list(where: Where) -> Sequence[CollectionInfo]:
    async with where.open() as backend:
        return await backend.collections()


async def _rename(where: Where, collection: str, name: str) -> None:
    async with where.open() as backend:
        await backend.rename_collection(collection, name)


async def _delete(where: Where, collection: str) -> None:
    async with where.open() as backend:
        await backend.delete_collection(collection)
