"""`kindred aliases`: names that stand for collections."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.table import Table

from service.cli import options
from service.cli.backend import Where
from service.cli.refusal import RefusingGroup
from service.cli.show import answers, show_table
from service.messages import AliasInfo

commands = typer.Typer(
    cls=RefusingGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Names that stand for a collection, today for this one and tomorrow for another.

An alias is taken wherever a collection is named. It is swapped in one step: a question finds the
old collection or the new one. `kindred jobs reembed --alias` swaps one at its end.

For example:

    kindred aliases set photos photos-1
    kindred search --collection photos a dog
    kindred aliases set photos photos-2 --expected photos-1
""",
)

Name = Annotated[str, typer.Argument(metavar="ALIAS", help="By the rule of collections' names.")]


@commands.command("list")
def list_(
    ctx: typer.Context,
    as_json: options.AsJson = False,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Lists the aliases, and what each stands for.

    Each is taken wherever a collection is named.

    For example:

        kindred aliases list
    """
    found = asyncio.run(_list(Where.of(ctx, data, server)))
    if as_json:
        known = [{"name": each.name, "collection": each.collection} for each in found]
        typer.echo(json.dumps(known, indent=2))
        return
    table = Table("alias", "collection")
    for each in found:
        table.add_row(each.name, each.collection)
    show_table(table)


@commands.command("set")
def set_(  # noqa: PLR0913 - one parameter per option
    ctx: typer.Context,
    alias: Name,
    collection: options.CollectionArgument,
    expected: Annotated[
        str | None,
        typer.Option(metavar="COLLECTION", help="Only if it stands for this one, or for nothing."),
    ] = None,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Makes an alias stand for a collection, whether or not there was one.

    With --expected, one of two who point it elsewhere at once is refused.

    For example:

        kindred aliases set photos photos-1
        kindred aliases set photos photos-2 --expected photos-1
    """
    told = asyncio.run(_set(Where.of(ctx, data, server), alias, collection, expected))
    before = f", before for {told.previous}" if told.previous else ""
    answers().print(f"{told.name} stands for {told.collection}{before}")


@commands.command()
def delete(
    ctx: typer.Context,
    alias: Name,
    data: options.Data = None,
    server: options.Server = None,
) -> None:
    """Deletes an alias; the collection stays.

    Whoever still asks by it is told that there is no such collection.

    For example:

        kindred aliases delete photos
    """
    asyncio.run(_delete(Where.of(ctx, data, server), alias))


async def _list(where: Where) -> Sequence[AliasInfo]:
    async with where.open() as backend:
        return await backend.aliases()


async def _set(where: Where, alias: str, collection: str, expected: str | None) -> AliasInfo:
    async with where.open() as backend:
        return await backend.set_alias(alias, collection, expected)


async def _delete(where: Where, alias: str) -> None:
    async with where.open() as backend:
        await backend.delete_alias(alias)
