"""Answers on their way: who takes none of theirs gets no more."""

from collections import Counter
from functools import partial

from service.access.caller import caller
from service.bodies import RETRY_SECONDS
from service.errors import Overloaded
from service.rpc.context import Context


class Untaken:
    """Counts what was answered and is not taken yet, by who asked. Belongs to one event loop.

    A call that was answered can't be called off, whether or not its client ever takes the answer.

    Args:
        most: Bytes of one caller.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._bytes = Counter[str]()

    def check(self) -> None:
        """Makes sure that the caller has taken enough of what they were answered.

        Raises:
            Overloaded: If they have not.
        """
        who = caller.get().id
        if self._bytes[who] > self._most:
            raise Overloaded(
                f"take answers before you ask for more: {self._bytes[who]} bytes for {who} wait, "
                f"more than max_body_bytes {self._most}",
                RETRY_SECONDS,
            )

    def keep(self, data: bytes, context: Context) -> bytes:
        """Counts an answer to the caller until its call is over, and returns it."""
        who = caller.get().id
        self._bytes[who] += len(data)
        context.add_done_callback(partial(self._let_go, who, len(data)))
        return data

    def _let_go(self, who: str, size: int, context: Context) -> None:
        self._bytes[who] -= size
