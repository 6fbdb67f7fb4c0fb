"""Looks every second of a load whether a server is ready, and how much memory it takes."""

import statistics
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Protocol, Self

ENDS = 0.05
"""Part of the time, at the begin and at the end, whose memory is compared."""


class Watched(Protocol):
    """A server that tells how it is."""

    @property
    def rss_mib(self) -> float:
        """Memory of all its processes."""

    def is_ready(self) -> bool:
        """Tells whether it says that it is ready; an OSError is no."""


class Watch:
    """A context manager, within which it looks.

    Args:
        server: Whom it asks.
        every: Seconds between two looks.
    """

    def __init__(self, server: Watched, every: float = 1.0) -> None:
        self._server = server
        self._every = every
        self._ready = list[bool]()
        self._rss = list[float]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        """Begins."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        """Ends."""
        self._over.set()
        self._thread.join()

    def health(self) -> Mapping[str, int]:
        """Returns how often it asked whether the server is ready, and was not told so."""
        return {"asked": len(self._ready), "unready": self._ready.count(False)}

    def memory(self) -> Mapping[str, float]:
        """Returns MiB at the begin, at the end and at most, and what has come to the begin's."""
        part = max(1, round(ENDS * len(self._rss)))
        begin, end = (statistics.median(each) for each in (self._rss[:part], self._rss[-part:]))
        return {
            "rss_begin_mib": begin,
            "rss_mib": end,
            "rss_most_mib": max(self._rss),
            "rss_growth": end / begin - 1,
            "rss_most_growth": max(self._rss) / begin - 1,
        }

    def _look(self) -> None:
        while True:
            try:
                self._ready.append(self._server.is_ready())
            except OSError:  # an error's status, and no answer in time
                self._ready.append(False)
            self._rss.append(self._server.rss_mib)
            if self._over.wait(self._every):
                return
