"""What a field of an item's metadata holds, as filters see it."""

from collections.abc import Mapping, Sequence
from typing import Any

MISSING = object()
"""What a field holds that an item has not."""


def walk(metadata: Mapping[str, Any], path: tuple[str, ...]) -> object:
    """Returns what lies at the path, or `MISSING`."""
    value: object = metadata
    for part in path:
        if not isinstance(value, dict) or part not in value:
            return MISSING
        value = value[part]
    return value


def elements(value: object) -> Sequence[Any]:
    """Returns the values that a condition may match: of a list, each of its elements."""
    return value if isinstance(value, list) else [value]


def kind(value: object) -> str:
    """Returns the name of the values that this one may be compared with."""
    if value is MISSING:
        return "missing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "null" if value is None else "structure"
