"""How long a call may get nowhere, where its answer or its question comes in pieces."""

import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

from kindred._errors import DeadlineExceeded

T = TypeVar("T")


def late(seconds: float | None) -> DeadlineExceeded:
    """Returns the error of a call in which nothing moved for so long."""
    return DeadlineExceeded(f"nothing was sent or received for {seconds} s")


class Patience:
    """Cancels a call in which nothing moves for so many seconds; entered, a thread watches it.

    gRPC's own timeout is of a whole call, and a file takes as long as it takes.

    Args:
        seconds: None means forever.
    """

    def __init__(self, seconds: float | None) -> None:
        self.is_over = False
        self._seconds = seconds
        self._moved = time.monotonic()
        self._is_asked = True
        self._ended = threading.Event()

    def of(self, call: Any) -> Self:  # noqa: ANN401 - grpc has no types
        """Names the call to cancel."""
        self._call = call
        return self

    def __enter__(self) -> Self:
        if self._seconds is not None:
            threading.Thread(target=self._watch, args=(self._seconds,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def sent(self, messages: Iterable[T]) -> Iterator[T]:
        """Yields what is sent, and notes that gRPC has taken it."""
        for message in messages:
            self._moved = time.monotonic()
            yield message

    def received(self) -> Iterator[Any]:
        """Yields what the call brings; whoever takes their time with it is not timed."""
        messages = iter(self._call)
        while True:
            self._moved, self._is_asked = time.monotonic(), True
            try:
                message = next(messages)
            except StopIteration:
                return
            self._is_asked = False
            yield message

    def _watch(self, seconds: float) -> None:
        left = seconds
        while not self._ended.wait(left):
            idle = time.monotonic() - self._moved if self._is_asked else 0.0
            if idle >= seconds:
                self.is_over = True
                self._call.cancel()
                return
            left = seconds - idle
