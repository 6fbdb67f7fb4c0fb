"""k-means in steps that can be cancelled, for the lists of an approximate index."""

from collections.abc import Callable

import faiss
import numpy as np
from numpy.typing import NDArray

from indexes.base import Vectors
from indexes.derived.threads import use_one_thread

_AT_ONCE = 1_024
"""Rows between two looks at whether to go on; the more, the more memory BLAS keeps for ever."""


class Cancelled(Exception):
    """Work beside serving was asked to stop; it left nothing behind."""


Asked = Callable[[], bool]
"""Says whether work is to stop."""


def centroids(sample: Vectors, count: int, rounds: int, seed: int, cancelled: Asked) -> Vectors:
    """Returns `count` centroids of the sample, shape (n, dim), n >= count, by Lloyd's algorithm.

    A list that loses all its rows takes a random row for its centroid.

    Raises:
        Cancelled: If asked to stop.
    """
    random = np.random.default_rng(seed)
    centres = sample[np.sort(random.choice(len(sample), count, replace=False))]
    for _ in range(rounds):
        nearest = assigned(sample, centres, cancelled)
        sums, sizes = _sums(sample, nearest, count)
        empty = sizes == 0
        centres = (sums / np.maximum(sizes, 1)[:, None]).astype(np.float32)
        centres[empty] = sample[random.choice(len(sample), int(empty.sum()))]
    return centres


def assigned(rows: Vectors, centres: Vectors, cancelled: Asked) -> NDArray[np.int64]:
    """Returns which centre each row, shape (n, dim), is nearest to.

    Raises:
        Cancelled: If asked to stop.
    """
    use_one_thread()
    index = faiss.IndexFlatL2(centres.shape[1])
    index.add(centres)
    nearest = np.empty(len(rows), dtype=np.int64)
    for start in range(0, len(rows), _AT_ONCE):
        stop_if(cancelled)
        some = slice(start, start + _AT_ONCE)
        nearest[some] = index.search(rows[some], 1)[1][:, 0]
    return nearest


def stop_if(cancelled: Asked) -> None:
    """Ends the work if it was asked to stop.

    Raises:
        Cancelled: If it was.
    """
    if cancelled():
        raise Cancelled("the build was cancelled")


def _sums(
    rows: Vectors, nearest: NDArray[np.int64], count: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Returns the sum of the rows of each list, shape (count, dim), and how many they are.

    `take` lets other threads run, which indexing by an array does not.
    """
    sizes = np.bincount(nearest, minlength=count)
    order = np.argsort(nearest, kind="stable")
    starts = np.cumsum(sizes) - sizes
    filled = sizes > 0
    sums = np.zeros((count, rows.shape[1]))
    sums[filled] = np.add.reduceat(rows.take(order, axis=0), starts[filled], axis=0)
    return sums, sizes
