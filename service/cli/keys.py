"""`kindred keys`: who may call a server, and what they may do there."""

from typing import Annotated

import typer
from rich.table import Table

from service.access.caller import Scope
from service.access.keys import Key, KeyFile
from service.cli import options
from service.cli.refusal import RefusingGroup
from service.cli.show import answers, notes, show_table
from service.settings import load_settings

commands = typer.Typer(
    cls=RefusingGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Who may call a server, and what they may do there.

Once there is a key, every caller has to show one, over REST and over gRPC. A running server takes
changes at once. Only digests are kept: a key is shown once.

For example:

    kindred keys create phone
    kindred keys create crawler --scope read --scope write --only photos --per-minute 600
    kindred keys revoke 5f0c91ab
""",
)


@commands.command()
def create(
    label: Annotated[str, typer.Argument(metavar="LABEL", help="Whose key it is, in words.")],
    scope: Annotated[
        list[Scope] | None,
        typer.Option(
            help="What it may do: read (search, embed), write (store, delete items), admin (all of "
            "it, and delete collections, take snapshots). Repeatable. Default: read."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLLECTION",
            help="A collection that it is limited to. Repeatable. Default: all.",
        ),
    ] = None,
    per_minute: Annotated[
        int, typer.Option(min=0, help="Requests that it may make in a minute; 0 is any number.")
    ] = 0,
    data: options.Data = None,
) -> None:
    """Makes a key, and prints it: the only time that anybody can read it.

    What it may do can't be changed later: make another, and revoke this one.

    For example:

        kindred keys create phone
        kindred keys create crawler --scope read --scope write --only photos --per-minute 600
    """
    scopes = tuple(dict.fromkeys(scope or [Scope.READ]))
    key, shown = _file(data).create(label, scopes, tuple(only or ()), per_minute)
    notes().print(f"Key {key.id} for {label}: keep it, nobody can show it again.")
    answers().print(shown, soft_wrap=True, highlight=False)


@commands.command("list")
def list_(data: options.Data = None) -> None:
    """Lists the keys, the revoked too, without what they are.

    By their ids, the log `kindred.audit` tells who did what.

    For example:

        kindred keys list
    """
    table = Table("id", "label", "scopes", "collections", "a minute", "created", "revoked")
    for key in _file(data).list():
        table.add_row(*_cells(key))
    show_table(table)


@commands.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As `kindred keys list` shows it.")],
    data: options.Data = None,
) -> None:
    """Makes a key worthless from now on.

    A running server refuses it from the next request on; jobs that it created go on.

    For example:

        kindred keys revoke 5f0c91ab
    """
    revoked = _file(data).revoke(key_id)
    answers().print(f"Key {revoked.id} ({revoked.label}) opens nothing from now on.")


def _file(data: options.Data) -> KeyFile:
    return KeyFile(load_settings(data=data).key_file)


def _cells(key: Key) -> tuple[str, ...]:
    return (
        key.id,
        key.label,
        ", ".join(key.scopes),
        ", ".join(key.collections) or "all",
        str(key.per_minute or "any"),
        key.created,
        key.revoked,
    )
