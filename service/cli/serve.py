"""`kindred serve`: REST, gRPC and the search page; every setting is an option."""

import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from pydantic.fields import FieldInfo

from service.settings import Settings

Command = Callable[..., None]


def with_settings(command: Command) -> Command:
    """Gives a command that takes `**flags` one option per setting; what is not given stays None."""
    context = inspect.signature(command).parameters["ctx"]
    parameters = [context, *_parameters()]
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
            annotation=Annotated[kind | None, _option(name, field, many)],
        )


def _option(name: str, field: FieldInfo, many: bool) -> Any:  # noqa: ANN401 - typer's marker
    flag = "--" + (name.removesuffix("s") if many else name).replace("_", "-")
    if field.annotation is bool:
        flag = f"{flag}/--no-{flag.removeprefix('--')}"
    shown = ", ".join(field.default) if many else str(field.default)
    return typer.Option(flag, help=field.description, show_default=shown)
