"""Vectors that lie as those of CLIP do: each modality in a cone of its own, matched by meaning.

A meaning is a point of 12 numbers, what only one modality shows another point of 14; smooth random
maps make vectors of them. So items lie on a sheet of about 25 dimensions, unrelated pairs of two
modalities have a cosine of about 0.2, and matched ones of 0.35, as with CLIP's pictures and texts.
"""

import numpy as np
from numpy.typing import NDArray

from indexes.base import Vectors

_MEANING, _OWN, _WAVES = 12, 14, 128


class CliplikeSpace:
    """A space of two modalities, "image" and "text"."""

    def __init__(self, dim: int, seed: int) -> None:
        random = np.random.default_rng(seed)
        self._meaning = _Map(_MEANING, dim, 0.2, random)
        self._own = {name: _Map(_OWN, dim, 0.12, random) for name in ("image", "text")}
        axes, _ = np.linalg.qr(random.standard_normal((dim, 2)))
        self._cones = {"image": axes[:, 0], "text": axes @ [0.42, (1 - 0.42**2) ** 0.5]}

    def vectors(self, modality: str, n: int, seed: int) -> Vectors:
        """Returns unit vectors, shape (n, dim)."""
        random = np.random.default_rng(seed)
        meaning = self._meaning(random.standard_normal((n, _MEANING)))
        own = self._own[modality](random.standard_normal((n, _OWN)))
        detail = 0.28**0.5 * meaning + 0.72**0.5 * own
        rows = 0.52**0.5 * self._cones[modality] + 0.48**0.5 * detail
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


class _Map:
    """A smooth random map to vectors of mean 0 and of length about 1."""

    def __init__(self, inputs: int, dim: int, width: float, random: np.random.Generator) -> None:
        self._waves = width * random.standard_normal((inputs, _WAVES))
        self._mixing = random.standard_normal((2 * _WAVES, dim))
        self._centre, self._length = np.zeros(dim), 1.0
        sample = self(random.standard_normal((2_000, inputs)))
        self._centre = sample.mean(0)
        self._length = float(np.linalg.norm(sample - self._centre, axis=1).mean())

    def __call__(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        angles = points @ self._waves
        rows = np.concatenate([np.sin(angles), np.cos(angles)], axis=1) @ self._mixing
        return np.asarray((rows - self._centre) / self._length)
