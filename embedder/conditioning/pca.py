"""Principal components: few coordinates of unit variance, and what they leave out. NumPy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """An affine map between vectors and white coordinates.

    Attributes:
        mean: The mean vector, (dim,).
        directions: Orthonormal rows, the widest first, (k, dim).
        scales: Standard deviation along each, (k,).
    """

    mean: Array
    directions: Array
    scales: Array

    @classmethod
    def fit(cls, vectors: Array, k: int) -> "Whitening":
        """Returns the map onto the k widest directions of vectors (n, dim); fewer if n is small."""
        rows = vectors.astype(np.float64)
        mean = rows.mean(axis=0)
        values, columns = np.linalg.eigh(np.cov(rows, rowvar=False))
        order = np.argsort(values)[::-1][: min(k, len(rows) - 1)]
        scales = np.sqrt(np.maximum(values[order], 1e-12))
        return cls(*(_single(part) for part in (mean, columns[:, order].T, scales)))

    def white(self, vectors: Array) -> Array:
        """Returns white coordinates, (n, k)."""
        return np.asarray((vectors - self.mean) @ self.directions.T / self.scales, np.float32)

    def vectors(self, white: Array) -> Array:
        """Returns the vectors at white coordinates, (n, dim), of any norm."""
        return np.asarray(white * self.scales @ self.directions + self.mean, np.float32)

    def residual(self, vectors: Array) -> Array:
        """Returns the norm of what the directions leave out of each vector, (n,)."""
        left_out = vectors - self.vectors(self.white(vectors))
        return np.asarray(np.linalg.norm(left_out, axis=1), np.float32)


def _single(array: NDArray[np.float64]) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)
