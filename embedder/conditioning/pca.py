"""Principal components: few coordinates of unit variance, and what they leave out. NumPy alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Whitening:
    """An affine map between vectors and white coordinates: their covariance is the identity.

    Attributes:
        mean: The mean vector, (dim,).
        there: From vectors less their mean to white coordinates, (dim, k).
        back: From white coordinates to vectors less their mean, (k, dim).
    """

    mean: Array
    there: Array
    back: Array

    @classmethod
    def fit(cls, vectors: Array, k: int) -> "Whitening":
        """Returns the map onto the k widest directions of vectors (n, dim); fewer if n is small."""
        rows = vectors.astype(np.float64)
        mean = rows.mean(axis=0)
        values, columns = np.linalg.eigh(np.cov(rows, rowvar=False))
        order = np.argsort(values)[::-1][: min(k, len(rows) - 1)]
        scales, directions = np.sqrt(np.maximum(values[order], 1e-12)), columns[:, order]
        return cls(*map(_single, (mean, directions / scales, (directions * scales).T)))

    @property
    def components(self) -> int:
        """Returns how many white coordinates there are."""
        return len(self.back)

    def white(self, vectors: Array) -> Array:
        """Returns white coordinates of vectors (n, dim), (n, k)."""
        return np.asarray((vectors - self.mean) @ self.there, np.float32)

    def vectors(self, white: Array) -> Array:
        """Returns the vectors at white coordinates (n, k), (n, dim), of any norm."""
        return np.asarray(white @ self.back + self.mean, np.float32)

    def residual(self, vectors: Array) -> Array:
        """Returns the norm of what the coordinates leave out of each vector, (n,)."""
        left_out = vectors - self.vectors(self.white(vectors))
        return np.asarray(np.linalg.norm(left_out, axis=1), np.float32)

    def turned(self, rotation: NDArray[np.floating]) -> "Whitening":
        """Returns the map onto other axes: white coordinates stay white when they are turned.

        Args:
            rotation: Orthonormal rows, the new axes in the old coordinates, (k, k).
        """
        return Whitening(self.mean, _single(self.there @ rotation.T), _single(rotation @ self.back))


def _single(array: NDArray[np.floating]) -> Array:
    return np.ascontiguousarray(array, dtype=np.float32)
