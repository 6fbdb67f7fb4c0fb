"""How well vectors find each other: recall, precision, and the shape of a space. NumPy alone.

Rows are unit vectors; relevance is a boolean matrix, (queries, gallery).
"""

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors

Relevance = NDArray[np.bool_]


def ranking(queries: Vectors, gallery: Vectors, depth: int) -> NDArray[np.int64]:
    """Returns each query's nearest gallery rows, nearest first, shape (queries, depth).

    Equal scores keep the gallery's order.
    """
    scores = queries @ gallery.T
    return np.argsort(-scores, axis=1, kind="stable")[:, :depth]


def recall_at(ranked: NDArray[np.int64], relevant: Relevance, k: int) -> float:
    """Returns the share of queries with a relevant row among their k nearest (R@k)."""
    hits = np.take_along_axis(relevant, ranked[:, :k], axis=1)
    return float(hits.any(axis=1).mean())


def precision_at(ranked: NDArray[np.int64], relevant: Relevance, k: int) -> float:
    """Returns the mean share of relevant rows among the k nearest.

    A query with fewer than k relevant rows is judged on as many as it has: 1 is always in reach.
    """
    hits = np.take_along_axis(relevant, ranked[:, :k], axis=1)
    depth = np.minimum(relevant.sum(axis=1), k)
    counted = hits & (np.arange(hits.shape[1]) < depth[:, None])
    return float((counted.sum(axis=1) / depth).mean())


def chance_recall(relevant: Relevance, k: int) -> float:
    """Returns the R@k of a random order: 1 - C(n - r, k) / C(n, k), averaged over the queries."""
    n = relevant.shape[1]
    r = relevant.sum(axis=1, keepdims=True).astype(np.float64)
    drawn = np.arange(min(k, n))
    missed = np.clip((n - r - drawn) / (n - drawn), 0.0, 1.0).prod(axis=1)
    return float((1.0 - missed).mean())


def chance_precision(relevant: Relevance) -> float:
    """Returns the precision of a random order: the mean share of relevant rows."""
    return float(relevant.mean())


def modality_gap(first: Vectors, second: Vectors) -> float:
    """Returns the distance between two modalities' means (Liang et al. 2022, arXiv:2203.02053)."""
    return float(np.linalg.norm(first.mean(axis=0) - second.mean(axis=0)))


def separability(first: Vectors, second: Vectors) -> float:
    """Returns how well a plane halfway between the means tells modalities apart; 0.5 is chance."""
    normal = first.mean(axis=0) - second.mean(axis=0)
    offset = normal @ (first.mean(axis=0) + second.mean(axis=0)) / 2
    return float(((first @ normal > offset).mean() + (second @ normal <= offset).mean()) / 2)


def alignment(first: Vectors, second: Vectors) -> float:
    """Returns the mean squared distance of paired rows (Wang and Isola 2020, arXiv:2005.10242)."""
    return float(np.square(first - second).sum(axis=1).mean())


def uniformity(vectors: Vectors) -> float:
    """Returns log mean exp(-2 |x - y|^2) over pairs of rows; lower is more even.

    Source: Wang and Isola 2020, arXiv:2005.10242.
    """
    squared = 2.0 - 2.0 * (vectors @ vectors.T)
    rows, columns = np.triu_indices(len(vectors), k=1)
    return float(np.log(np.exp(-2.0 * squared[rows, columns]).mean()))


def calibration_error(z: NDArray[np.floating]) -> float:
    """Returns how far shares above each quantile of a standard normal are from what they should be.

    The mean absolute error over the shares 1 %, 2 %, ..., 99 %: 0 if z is standard normal, at most
    one half. Source: Kuleshov et al. 2018, arXiv:1807.00263, with absolute errors.
    """
    shares = np.arange(1, 100) / 100
    thresholds = [NormalDist().inv_cdf(1.0 - share) for share in shares]
    above = 1.0 - np.searchsorted(np.sort(z, axis=None), thresholds, side="right") / z.size
    return float(np.abs(above - shares).mean())


def frechet(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Returns the Frechet distance of the Gaussians that two sets of rows have for moments.

    |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)); 0 if means and covariances are equal. Small sets of
    the same distribution are not at 0, so put the distance of two such sets beside it.
    Source: Heusel et al. 2017, arXiv:1706.08500.
    """
    a, b = first.astype(np.float64), second.astype(np.float64)
    one, two = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, axes = np.linalg.eigh(one)
    root = (axes * np.sqrt(np.maximum(values, 0.0))) @ axes.T
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ two @ root), 0.0)).sum()
    return float(
        np.square(a.mean(axis=0) - b.mean(axis=0)).sum() + np.trace(one + two) - 2 * shared
    )


def auroc(usual: NDArray[np.floating], strange: NDArray[np.floating]) -> float:
    """Returns how often a strange item scores below a usual one; ties count half. 0.5 is chance."""
    ordered = np.sort(usual)
    below = np.searchsorted(ordered, strange, side="left")
    level = np.searchsorted(ordered, strange, side="right") - below
    return float(1.0 - ((below + level / 2) / len(ordered)).mean())


def uniformity_distance(shares: NDArray[np.floating]) -> float:
    """Returns the largest distance of the shares' distribution from uniform in 0..1.

    The statistic of the one-sample test of Kolmogorov and Smirnov.
    """
    found = np.sort(shares)
    steps = np.arange(len(found) + 1) / len(found)
    return float(max(np.abs(found - steps[1:]).max(), np.abs(found - steps[:-1]).max()))
