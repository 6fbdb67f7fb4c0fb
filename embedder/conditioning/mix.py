"""Several inputs become one vector, or are kept apart."""

import math
from collections.abc import Sequence
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors, unit
from embedder.errors import ConditioningError, InputsCancel

LEAST_NORM = 1e-4
"""Below this share of the weights, what is left of the inputs is rounding and not a direction."""

Array64 = NDArray[np.float64]


class Mix(StrEnum):
    """How inputs are put together.

    MEAN sums unit vectors with their weights, which may be negative, and makes the sum unit: left
    as it is, two units at cosine 0.3 would average to norm 0.81. SLERP goes along the arc between
    two, and on from there to the next. STACK keeps them apart, for targets that listen to several.
    """

    MEAN = "mean"
    SLERP = "slerp"
    STACK = "stack"


def mix(vectors: Vectors, weights: Sequence[float], how: Mix = Mix.MEAN) -> Vectors:
    """Puts the vectors of several inputs together.

    Args:
        vectors: One unit vector an input, (n, dim), all in the same cone.
        weights: One an input.
        how: See `Mix`; STACK leaves the weights aside.

    Returns:
        Unit vectors: (1, dim), or (n, dim) where they are kept apart.

    Raises:
        ConditioningError: If there are no inputs, a weight is not finite, or not positive in SLERP.
        InputsCancel: If the inputs add up to nothing, or an arc has no one way to go.
        EncodingFailed: If a vector is zero or not finite.
    """
    if len(vectors) == 0 or len(vectors) != len(weights):
        raise ConditioningError(
            f"a mix must have an input, and a weight for each; got {len(vectors)} inputs and "
            f"{len(weights)} weights"
        )
    for weight in weights:
        if not math.isfinite(weight):
            raise ConditioningError(f"a weight must be finite, got {weight}")
    rows = unit(vectors).astype(np.float64)
    match how:
        case Mix.MEAN:
            return _unit_sum(rows, weights)
        case Mix.SLERP:
            return _along_arcs(rows, weights)
        case Mix.STACK:
            return unit(vectors)


def _unit_sum(rows: Array64, weights: Sequence[float]) -> Vectors:
    total = np.asarray(weights, dtype=np.float64) @ rows
    norm, weight = float(np.linalg.norm(total)), sum(abs(weight) for weight in weights)
    if norm <= LEAST_NORM * weight:
        raise InputsCancel(
            f"weighted inputs must not cancel out, got weights {list(weights)} whose sum has norm "
            f"{norm:.2g}"
        )
    return np.asarray((total / norm)[None], dtype=np.float32)


def _along_arcs(rows: Array64, weights: Sequence[float]) -> Vectors:
    """Folds the inputs: each is gone towards by its share of the weight so far."""
    here, gone = rows[0], weights[0]
    if min(weights) <= 0:
        raise ConditioningError(f"weights of slerp must be positive, got {list(weights)}")
    for towards, weight in zip(rows[1:], weights[1:], strict=True):
        gone += weight
        here = slerp(here, towards, weight / gone)
    return np.asarray(here[None], dtype=np.float32)


def slerp(start: Array64, end: Array64, share: float) -> Array64:
    """Returns the unit vector a share of the way along the arc between two unit vectors.

    The angle is that of their dot product (Shoemake 1985, "Animating rotation with quaternion
    curves"); taken from the product of each pair of numbers, as is sometimes seen, it means
    nothing.

    Raises:
        InputsCancel: If the two are opposite, so that no arc is the shortest.
    """
    cosine = float(np.clip(start @ end, -1.0, 1.0))
    if cosine < -1.0 + LEAST_NORM**2:
        raise InputsCancel(
            f"slerp must not lead between opposite inputs, got cosine {cosine:.6f}: their midpoint "
            "has norm 0"
        )
    angle = math.acos(cosine)
    if angle < LEAST_NORM:  # sin(angle) would be rounding; a straight line is the arc here
        way = (1.0 - share) * start + share * end
    else:
        way = math.sin((1.0 - share) * angle) * start + math.sin(share * angle) * end
    return np.asarray(way / np.linalg.norm(way))
