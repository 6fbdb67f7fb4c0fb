"""Exact search in float32 by plain NumPy: what every engine's answers are compared with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.search.data import Halves, Rows, widened

_BLOCK = 16_384


@dataclass(frozen=True, slots=True, eq=False)
class Nearest:
    """The nearest rows of each query, best first.

    Attributes:
        keys: int64, shape (queries, k); -1 where fewer than k were allowed.
        scores: float32 cosines, shape (queries, k); -inf where fewer than k were allowed.
    """

    keys: NDArray[np.int64]
    scores: NDArray[np.float32]

    def merged(self, other: "Nearest") -> "Nearest":
        """Returns the nearest among these and those."""
        keys = np.concatenate([self.keys, other.keys], 1)
        scores = np.concatenate([self.scores, other.scores], 1)
        best = np.argsort(-scores, axis=1, kind="stable")[:, : self.keys.shape[1]]
        return Nearest(np.take_along_axis(keys, best, 1), np.take_along_axis(scores, best, 1))


def exact(
    queries: Rows, rows: Halves, k: int = 10, allowed: NDArray[np.bool_] | None = None
) -> Nearest:
    """Returns the k nearest of the rows, named by their numbers, among the allowed ones.

    Args:
        queries: Shape (queries, dim).
        rows: Shape (n, dim).
        k: How many.
        allowed: Shape (n,); None means all.
    """
    shape = (len(queries), k)
    nearest = Nearest(np.full(shape, -1), np.full(shape, -np.inf, dtype=np.float32))
    for start in range(0, len(rows), _BLOCK):
        scores = queries @ widened(rows[start : start + _BLOCK]).T
        if allowed is not None:
            scores[:, ~allowed[start : start + _BLOCK]] = -np.inf
        width = min(k, scores.shape[1])
        best = np.argpartition(-scores, width - 1, axis=1)[:, :width]
        block = Nearest(best + start, np.take_along_axis(scores, best, 1))
        nearest = nearest.merged(block)
    nearest.keys[np.isneginf(nearest.scores)] = -1
    return nearest


def recall(found: list[list[int]], true: Nearest) -> float:
    """Returns the share of the true neighbours that were found, over the queries answered."""
    wanted = [set(keys[keys >= 0].tolist()) for keys in true.keys[: len(found)]]
    hits = sum(len(mine & set(keys)) for mine, keys in zip(wanted, found, strict=True))
    return hits / max(sum(map(len, wanted)), 1)
