"""Vectors of what was embedded before, least recently asked for last, bounded in bytes."""

from collections import OrderedDict

from service.batching.job import Encoded
from service.telemetry import Telemetry

ENTRY_BYTES = 1024
"""What an entry takes beside its vector: objects, key and links."""


class VectorCache:
    """Remembers vectors by key. Belongs to one event loop.

    Args:
        capacity: Bytes of everything in it; 0 keeps nothing.
        model: Whose vectors these are, for the metrics.
        telemetry: Where hits are counted.
    """

    def __init__(self, capacity: int, model: str, telemetry: Telemetry) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[bytes, Encoded] = OrderedDict()
        self._size = 0
        self._hits = telemetry.cache_hits.labels(model)
        self._misses = telemetry.cache_misses.labels(model)
        self._bytes = telemetry.cache_bytes.labels(model)

    def get(self, key: bytes | None) -> Encoded | None:
        """Returns the vector of a key, or None; what can't be known (None) is not counted."""
        if key is None or not self._capacity:
            return None
        found = self._entries.get(key)
        (self._hits if found else self._misses).inc()
        if found:
            self._entries.move_to_end(key)
        return found

    def put(self, key: bytes, encoded: Encoded) -> None:
        """Remembers a vector; the least recently asked for make room for it."""
        if key in self._entries or _size_of(encoded) > self._capacity:
            return
        # A row of a batch would keep the whole batch alive.
        kept = Encoded(
            encoded.vector.copy(), encoded.modality, encoded.treatment, cost=encoded.cost
        )
        kept.vector.flags.writeable = False
        self._entries[key] = kept
        self._size += _size_of(kept)
        while self._size > self._capacity:
            _, oldest = self._entries.popitem(last=False)
            self._size -= _size_of(oldest)
        self._bytes.set(self._size)


def _size_of(encoded: Encoded) -> int:
    return encoded.vector.nbytes + ENTRY_BYTES
