"""How long work tells that it goes on."""

from collections.abc import Callable

Progress = Callable[[int, int], object]
"""Called with how much is done and how much is to do in all; raising breaks the work off."""


def silent(done: int, total: int) -> None:
    """Tells nobody."""
