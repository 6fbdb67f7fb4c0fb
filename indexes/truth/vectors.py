"""The table of vectors: all that is read when a collection is opened."""

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from indexes.base import Half, Keys
from indexes.truth import checksums, sql

_AT_ONCE = 4_096
"""Rows that are read into one array."""

_LAST = 2**63 - 1

Numbered = tuple[int, str]
"""An item's number and modality."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Vectors of one modality in the order of their keys: shapes (n,) and (n, dim).

    Attributes:
        damaged: Numbers of items between them whose vectors cannot be read.
    """

    modality: str
    keys: Keys
    vectors: Half
    damaged: tuple[int, ...] = ()


def modalities(connection: sqlite3.Connection) -> dict[str, int]:
    """Returns how many vectors there are of each modality."""
    return dict(
        connection.execute("SELECT modality, count(*) FROM vector GROUP BY modality ORDER BY 1")
    )


def blocks(
    connection: sqlite3.Connection,
    dim: int,
    modality: str,
    after: int = 0,
    upto: int | None = None,
) -> Iterator[Block]:
    """Reads the vectors of a modality with numbers in (after, upto], checking each, by number."""
    rows = connection.execute(
        "SELECT seq, data, crc FROM vector "
        "WHERE modality = ? AND seq > ? AND seq <= ? ORDER BY seq",
        (modality, after, _LAST if upto is None else upto),
    )
    while some := rows.fetchmany(_AT_ONCE):
        good = [row for row in some if readable(*row, modality=modality, dim=dim)]
        keys = np.array([row[0] for row in good], dtype=np.int64)
        vectors = np.frombuffer(b"".join(row[1] for row in good), dtype="<f2").reshape(-1, dim)
        damaged = () if len(good) == len(some) else tuple({r[0] for r in some} - set(keys.tolist()))
        yield Block(modality, keys, vectors.astype(np.float16, copy=False), damaged)


def readable(seq: int, data: bytes, crc: int, *, modality: str, dim: int) -> bool:
    """Tells whether a stored vector is what was written."""
    return is_of(data, dim) and checksums.of_vector(seq, modality, data) == crc


def is_of(data: object, dim: int) -> bool:
    """Tells whether stored data are a vector of this length."""
    return isinstance(data, bytes) and len(data) == 2 * dim


def insert(connection: sqlite3.Connection, items: Sequence[Numbered], rows: Half) -> None:
    """Writes vectors, shape (len(items), dim)."""
    sql.insert(
        connection,
        "vector",
        (
            (seq, modality, data, checksums.of_vector(seq, modality, data))
            for (seq, modality), data in zip(items, map(encoded, rows), strict=True)
        ),
    )


def encoded(row: Half) -> bytes:
    """Returns a vector as it is stored."""
    return row.astype("<f2", copy=False).tobytes()


def decoded(data: bytes) -> NDArray[np.float32]:
    """Returns stored numbers, exactly, in single precision."""
    return np.frombuffer(data, dtype="<f2").astype(np.float32)
