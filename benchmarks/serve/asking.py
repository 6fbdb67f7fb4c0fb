"""What clients ask, and what answers are: of items that nobody sent before."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from benchmarks.serve import items
from benchmarks.serve.wires import EMBED, Answer, Channel, Connection

Request = tuple[Any, bytes]
"""What one is of, for who made it, and how it is written."""


class Asking(Protocol):
    """Makes requests and looks at their answers."""

    async def learn(self, connection: Connection | Channel) -> None:
        """Asks beforehand what it takes to judge answers."""

    def requests(self) -> Iterator[Request]:
        """Yields requests without end."""

    def said(self, sent: Any, answer: Answer) -> Sequence[str]:  # noqa: ANN401 - its own
        """Returns what each item of a request was: "good", if its answer was no error."""

    def checked(self) -> Mapping[str, float]:
        """Returns figures of what was compared."""


_MAKERS: Mapping[str, Callable[[str, int, int], bytes]] = {
    "/v1/embeddings": items.embedding,
    "/embeddings": items.of_infinity,
    EMBED: items.embed_request,
}


class New:
    """Asks about items that nobody sent before; of answers, only errors are looked at.

    Args:
        path: Where requests go, by HTTP or gRPC; it tells what they look like.
        kind: "text" or "image".
        batch: Items in a request.
    """

    def __init__(self, path: str, kind: str, batch: int) -> None:
        self._make = _MAKERS.get(path, items.upsert)
        self._kind, self._batch = kind, batch

    async def learn(self, connection: Connection | Channel) -> None:
        """Needs nothing."""

    def requests(self) -> Iterator[Request]:
        """See `Asking`."""
        number = random.SystemRandom().randrange(1 << 40)
        while True:
            number += 1
            yield None, self._make(self._kind, number, self._batch)

    def said(self, sent: None, answer: Answer) -> Sequence[str]:
        """See `Asking`."""
        return [f"good answered {answer.reason}" if answer.reason else "good"] * self._batch

    def checked(self) -> Mapping[str, float]:
        """Returns nothing."""
        return {}
