"""An affine map between vectors, fitted by ridge regression. NumPy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """An affine map, x @ weights + offset.

    Attributes:
        weights: (dim, dim).
        offset: (dim,).
    """

    weights: Array
    offset: Array

    @classmethod
    def fit(cls, sources: Array, targets: Array, penalty: float) -> "Line":
        """Returns the ridge regression of targets on sources, in closed form.

        Args:
            sources: One row a pair, (n, dim).
            targets: One row a pair, (n, dim).
            penalty: Added to the variances of the sources, as a share of their mean; the offset is
                not penalised.
        """
        x, y = sources.astype(np.float64), targets.astype(np.float64)
        centre, middle = x.mean(axis=0), y.mean(axis=0)
        covariance = (x - centre).T @ (x - centre) / len(x)
        # Sources that are all the same tell nothing; they are no reason to fail.
        weight = penalty * np.trace(covariance) / len(covariance) + 1e-12
        ridge = weight * np.eye(len(covariance))
        weights = np.linalg.solve(covariance + ridge, (x - centre).T @ (y - middle) / len(x))
        offset = middle - centre @ weights
        return cls(weights.astype(np.float32), offset.astype(np.float32))

    def __call__(self, vectors: Array) -> Array:
        """Returns where vectors (n, dim) lead, of any norm."""
        return np.asarray(vectors @ self.weights + self.offset, np.float32)
