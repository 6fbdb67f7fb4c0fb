"""Options that belong together, as one parameter of a command: a dataclass of options."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

Command = Callable[..., None]


def grouped(command: Command) -> Command:
    """Gives a command one option for each field of its parameters that are dataclasses.

    A field is declared as an option is: its default, and how it is called and told in `Annotated`.

        @dataclass(frozen=True)
        class Print:
            as_json: options.AsJson = False

        @grouped
        def show(name: Id, print_: Print) -> None: ...
    """
    hints = get_type_hints(command, include_extras=True)
    asked = inspect.signature(command).parameters.values()
    groups = {each.name: hints[each.name] for each in asked if is_dataclass(hints[each.name])}

    @wraps(command)
    def told(**given: Any) -> None:  # noqa: ANN401 - one type per option
        made = {
            name: group(**{field.name: given.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(**given, **made)

    options = [
        option
        for each in asked
        for option in (
            _options(groups[each.name])
            if each.name in groups
            else [each.replace(annotation=hints[each.name])]
        )
    ]
    parameters = [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in options]
    told.__annotations__ = {each.name: each.annotation for each in parameters}
    told.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return told


def _options(group: Any) -> Iterator[inspect.Parameter]:  # noqa: ANN401 - a dataclass
    hints = get_type_hints(group, include_extras=True)
    for field in fields(group):
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )


def _default(field: "Field[Any]") -> Any:  # noqa: ANN401 - of any type
    return inspect.Parameter.empty if field.default is MISSING else field.default
