"""Lists in pages, as AIP-158 has them."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from service.errors import InvalidRequest

T = TypeVar("T")


class PageRequest(Protocol):
    """What every request for a list has."""

    @property
    def page_size(self) -> int:
        """At most so many; 0 means all."""

    @property
    def page_token(self) -> str:
        """What the page before told; empty for the first."""


def page_of(
    entries: Sequence[T], name: Callable[[T], str], request: PageRequest
) -> tuple[Sequence[T], str]:
    """Returns the page asked for and the token of the next; a token is the last name seen.

    Raises:
        InvalidRequest: If the size is negative, or the token was not handed out.
    """
    if request.page_size < 0:
        raise InvalidRequest(f"page_size must not be negative, got {request.page_size}")
    names = [name(entry) for entry in entries]
    if request.page_token and request.page_token not in names:
        raise InvalidRequest(f"page_token {request.page_token!r} is not one that was handed out")
    start = names.index(request.page_token) + 1 if request.page_token else 0
    end = start + (request.page_size or len(names))
    return entries[start:end], names[end - 1] if end < len(names) else ""
