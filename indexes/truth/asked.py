"""The table of recent queries of each modality, by which indexes are calibrated."""

import sqlite3
import zlib
from collections.abc import Mapping

import numpy as np

from indexes.base import Vectors


def write(connection: sqlite3.Connection, queries: Mapping[str, Vectors]) -> None:
    """Stores these queries, shape (n, dim), in the place of those of their modalities."""
    rows = {modality: vectors.astype("<f4").tobytes() for modality, vectors in queries.items()}
    connection.executemany(
        "INSERT OR REPLACE INTO query VALUES (?,?,?)",
        ((modality, data, zlib.crc32(data)) for modality, data in rows.items()),
    )


def read(connection: sqlite3.Connection, dim: int) -> dict[str, Vectors]:
    """Returns the stored queries of each modality; damaged ones are no loss and left out."""
    rows = connection.execute("SELECT modality, data, crc FROM query ORDER BY modality")
    return {
        modality: np.frombuffer(data, dtype="<f4").reshape(-1, dim).astype(np.float32)
        for modality, data, crc in rows
        if zlib.crc32(data) == crc
    }
