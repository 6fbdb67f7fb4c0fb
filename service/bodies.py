"""Bytes of requests in memory: many large ones at once are refused, not gathered."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Overloaded

RETRY_SECONDS = 1.0
"""After so long some of them are likely to have been answered."""


class Bodies:
    """Counts what the requests in work hold, of both transports. Belongs to one event loop.

    Args:
        most: Bytes of all of them together.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._all = 0

    @contextmanager
    def held(self) -> Iterator[Callable[[int], None]]:
        """Yields what counts bytes that came, until leaving; it raises Overloaded beyond `most`.

        Less than none are bytes that were let go before.
        """
        held = 0

        def take(size: int) -> None:
            nonlocal held
            if self._all + size > self._most:
                raise Overloaded(
                    f"requests in work hold {self._all} bytes, and {size} more would pass "
                    f"max_pending_bytes {self._most}",
                    RETRY_SECONDS,
                )
            self._all += size
            held += size

        try:
            yield take
        finally:
            self._all -= held
