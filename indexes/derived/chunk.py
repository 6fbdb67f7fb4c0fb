"""Chunk: rows of one modality in memory, searched by comparing them all."""

from typing import Self

import numpy as np

from indexes.base import Half, Keys

_SMALLEST = 64
"""Rows of the smallest buffer."""

_SMALL = 1_024
"""Buffers double up to so many rows, and then are as large as they will ever be: what is unwritten
takes no memory, and what is copied at every size leaves the memory in pieces."""


class _Buffer:
    """Rows that versions of a chunk share: each sees the first n, which nobody writes again.

    Attributes:
        keys: int64, shape (capacity,).
        rows: float16, shape (capacity, dim).
        used: How many rows any version has claimed.
    """

    def __init__(self, capacity: int, dim: int) -> None:
        self.keys = np.empty(capacity, dtype=np.int64)
        self.rows = np.empty((capacity, dim), dtype=np.float16)
        self.used = 0

    def write(self, start: int, keys: Keys, rows: Half) -> None:
        """Claims the rows from `start` on."""
        self.used = start + len(keys)
        self.keys[start : self.used] = keys
        self.rows[start : self.used] = rows


class Chunk:
    """Keys and float16 rows in the order of the keys; a value.

    Attributes:
        keys: int64, shape (n,).
        rows: float16, shape (n, dim).
    """

    def __init__(self, buffer: _Buffer, size: int) -> None:
        self._buffer = buffer
        self.keys: Keys = buffer.keys[:size]
        self.rows: Half = buffer.rows[:size]

    @classmethod
    def of(cls, keys: Keys, rows: Half) -> Self:
        """Returns a chunk of these rows, which are copied."""
        buffer = _Buffer(max(len(keys), _SMALLEST), rows.shape[1])
        buffer.write(0, keys, rows)
        return cls(buffer, len(keys))

    def grown(self, keys: Keys, rows: Half, capacity: int) -> Self:
        """Returns this chunk with more rows behind, of which it will take up to `capacity`.

        They are written behind the rows that older versions see, unless there is no room or another
        version has grown from here; then all are copied.
        """
        old = len(self.keys)
        size = old + len(keys)
        buffer = self._buffer
        if buffer.used != old or size > len(buffer.keys):
            room = max(2 * size, _SMALLEST) if size < _SMALL else capacity
            buffer = _Buffer(max(min(room, capacity), size), self.dim)
            buffer.write(0, self.keys, self.rows)
        buffer.write(old, keys, rows)
        return type(self)(buffer, size)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.rows.shape[1])

    @property
    def nbytes(self) -> int:
        """What its rows take in memory; a buffer's unwritten rest takes nothing."""
        return self.keys.nbytes + self.rows.nbytes
