"""Queries that a collection was asked of late: its indexes are calibrated and judged by them."""

import threading
import zlib
from collections import OrderedDict, deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from indexes.base import Vectors


class RecentQueries:
    """Different queries of each modality, the oldest forgotten first. Thread-safe.

    Args:
        stored: What `all` returned when it was last stored.
        most: How many to keep of each modality.
        live: How many of the very latest wait to be judged.
    """

    def __init__(self, stored: Mapping[str, Vectors], most: int, live: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._live: deque[tuple[str, NDArray[np.float32]]] = deque(maxlen=live)
        self._kept: dict[str, OrderedDict[int, NDArray[np.float32]]] = {}
        self.changes = 0
        """How often a query was new."""
        for modality, vectors in stored.items():
            self._kept[modality] = OrderedDict((_digest(row), row) for row in vectors[-most:])

    def add(self, modality: str, vector: NDArray[np.float32]) -> None:
        """Remembers a query, of shape (dim,), that was just asked."""
        digest = _digest(vector)
        with self._lock:
            self._live.append((modality, vector))
            kept = self._kept.setdefault(modality, OrderedDict())
            if digest in kept:
                return
            self.changes += 1
            kept[digest] = vector
            if len(kept) > self._most:
                kept.popitem(last=False)

    def all(self) -> dict[str, Vectors]:
        """Returns what is kept of each modality, shape (n, dim), the latest last."""
        with self._lock:
            kept = {modality: list(rows.values()) for modality, rows in self._kept.items()}
        return {modality: np.stack(rows) for modality, rows in kept.items() if rows}

    def live(self) -> list[tuple[str, NDArray[np.float32]]]:
        """Returns the latest queries that this has not returned before, with their modalities."""
        with self._lock:
            taken = list(self._live)
            self._live.clear()
        return taken


def _digest(vector: NDArray[np.float32]) -> int:
    return zlib.crc32(np.ascontiguousarray(vector).tobytes())
