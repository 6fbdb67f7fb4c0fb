"""How a list of calls becomes the methods of a client."""

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

DEFAULT_TIMEOUT = 60.0
"""Seconds."""


def described(method: F, call: Callable[..., Any]) -> F:
    """Gives a method the docstring and the arguments of its call, for people who ask `help`."""
    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    arguments = inspect.signature(call).parameters.values()
    method.__doc__ = call.__doc__
    vars(method)["__signature__"] = inspect.Signature([this, *arguments])
    return method


def named(cls: type[T]) -> type[T]:
    """Gives each method of a client the name that it has there."""
    for name, method in vars(cls).items():
        if inspect.isfunction(method):
            method.__name__, method.__qualname__ = name, f"{cls.__name__}.{name}"
    return cls


def untold(_: int) -> None:
    """Hears of progress and does nothing."""
