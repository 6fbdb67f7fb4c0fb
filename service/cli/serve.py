"""`kindred serve`: REST, gRPC and the search page; every setting is an option."""

import inspect
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from service.cli.backend import engine_maker
from service.cli.show import notes
from service.settings import Settings, in_words, load_settings, misspelt

if TYPE_CHECKING:
    from service.serve import Addresses

Command = Callable[..., None]


def with_settings(command: Command) -> Command:
    """Gives a command that takes `**flags` one option per setting; what is not given stays None."""
    parameters = [inspect.signature(command).parameters["ctx"], *_parameters()]
    command.__annotations__ = {
        **command.__annotations__,
        **{parameter.name: parameter.annotation for parameter in parameters},
    }
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return command


def _parameters() -> Iterator[inspect.Parameter]:
    for name, field in Settings.model_fields.items():
        many = isinstance(field.default, tuple)
        kind: Any = list[str] if many else field.annotation
        yield inspect.Parameter(
            name,
            inspect.Parameter.KEYWORD_ONLY,
            default=None,
            annotation=Annotated[kind | None, _option(name, field)],
        )


def _option(name: str, field: FieldInfo) -> Any:  # noqa: ANN401 - typer's marker
    many = isinstance(field.default, tuple)
    flag = "--" + (name.removesuffix("s") if many else name).replace("_", "-")
    if field.annotation is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    default = in_words(", ".join(field.default) if many else field.default)
    told = f"{field.description} Default: {default}." if default else field.description
    kinds = get_args(field.annotation) or (field.annotation,)
    named = next((_METAVARS[kind] for kind in kinds if kind in _METAVARS), "TEXT")
    return typer.Option(
        flag, help=told, show_default=False, metavar=named, rich_help_panel=_panel(name)
    )


_METAVARS = {bool: "", int: "N", float: "NUMBER", Path: "PATH"}
"""Short, so that long flags have room in a terminal of 80 columns."""


def _panel(name: str) -> str:
    """Returns what the settings of one file of `service.settings` have in common."""
    owner = next(
        each
        for each in Settings.__bases__
        if issubclass(each, BaseModel) and name in each.model_fields
    )
    return (owner.__doc__ or "").removesuffix(".")


@with_settings
def serve(ctx: typer.Context, **flags: Any) -> None:  # noqa: ANN401 - one type per setting
    """Serves REST, gRPC and a search page, until Ctrl-C or SIGTERM.

    Every option is also KINDRED_... in the environment (KINDRED_PORT=9000) and a key of
    kindred.toml in the working directory; a flag goes before the environment, that before the file.

    For example:

        kindred serve --data ./kindred-data
        kindred serve --host 0.0.0.0 --allow-anonymous
    """
    settings = load_settings(**flags)
    for name, meant in misspelt():
        notes().print(f"{name} is no setting and changes nothing: is {meant} meant?")
    run_server(ctx, settings)


def run_server(ctx: typer.Context, settings: Settings) -> None:
    """Serves until it is told to stop, and then ends what it has begun."""
    from service.serve import run, serve

    run(serve(settings, _announce, engine_maker(ctx)))


def _announce(addresses: "Addresses") -> None:
    console = notes()
    console.print(f"Search page  {addresses.http}/")
    console.print(f"REST         {addresses.http}/v1, explained at {addresses.http}/docs")
    scheme = "grpcs" if addresses.http.startswith("https:") else "grpc"
    console.print(f"gRPC         {scheme}://{addresses.grpc}")
    console.print("Ctrl-C stops it.")
