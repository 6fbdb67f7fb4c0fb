"""Random unit vectors, and exact search said plainly: what every index is compared with."""

import numpy as np
from numpy.typing import NDArray

from indexes.base import Half, Vectors


def unit_rows(n: int, dim: int, seed: int) -> Vectors:
    """Returns random unit vectors, shape (n, dim)."""
    rows = np.random.default_rng(seed).standard_normal((n, dim))
    return np.ascontiguousarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def kept(vectors: Vectors) -> Vectors:
    """Returns what collections keep of vectors: the numbers that half precision holds."""
    return vectors.astype(np.float16).astype(np.float32)


def nearest(
    queries: Vectors, keys: NDArray[np.int64], vectors: Vectors | Half, k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Returns keys and cosines of the k nearest rows by plain NumPy in double precision."""
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    order = np.lexsort((np.broadcast_to(keys, scores.shape), -scores))[:, :k]
    return keys[order], np.take_along_axis(scores, order, 1)
