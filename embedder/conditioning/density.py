"""How usual a vector is among others: a density of a collection's vectors.

Two views of each vector, since either misses what the other sees: log p of its principal components
under a normalizing flow (neural spline flow, arXiv:1906.04032, by zuko), and the norm of what the
components leave out. Both become percentiles of items that the fit has not seen.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, Vectors

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class DensityRecipe:
    """The numbers of a fit; `Density.fit` says what they bound.

    Attributes:
        kind: "flow", "gaussian", or "auto": a flow from `least` vectors on.
        least: Vectors from which on "auto" fits a flow.
        most: Vectors that are fitted and held out, evenly drawn from more.
        seed: Same seed, vectors and machine: same density.
    """

    kind: str = "auto"
    least: int = 500
    most: int = 20_000
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """How usual each of n vectors is; every array (n,).

    Attributes:
        log_density: Log p of the white principal components, in nats; relative, no probability.
        residual: Norm of what the components leave out.
        density_percentile: Share of held-out items, 0..100, of a lower log density.
        residual_percentile: Share of held-out items, 0..100, of a larger residual.
        percentile: Share of held-out items, 0..100, that are less usual in the worse of both views:
            near 0 is an outlier, and uniform over items like those of the collection.
    """

    log_density: Array
    residual: Array
    density_percentile: Array
    residual_percentile: Array
    percentile: Array


class Density:
    """The density of one modality's vectors in a collection.

    Attributes:
        space: Id of the vectors' space.
        kind: "flow" or "gaussian".
        fitted: Vectors that it was fitted to, held-out ones not counted.
        held_out: Vectors that percentiles refer to.
        held_out_log_likelihood: Mean log density of those, in nats: compares kinds.
        warnings: What whoever asks should know, in sentences.
    """

    space: str
    kind: str
    fitted: int
    held_out: int
    held_out_log_likelihood: float
    warnings: tuple[str, ...]

    @classmethod
    def fit(
        cls, vectors: Vectors, space: EmbeddingSpace, recipe: DensityRecipe | None = None
    ) -> "Density":
        """Fits a density to unit vectors (n, dim) of one modality.

        Raises:
            TooFewVectors: If there are fewer than 20.
            MissingDependency: If a flow is to be fitted and zuko is not installed.
        """
        raise NotImplementedError

    def score(self, vectors: Vectors) -> Scores:
        """Returns how usual each vector is.

        Raises:
            FittedElsewhere: If the vectors have another length than the fitted ones.
        """
        raise NotImplementedError

    def save(self, path: Path) -> None:
        """Writes one safetensors file, whole or not at all."""
        raise NotImplementedError

    @classmethod
    def load(cls, path: Path, space: EmbeddingSpace) -> "Density":
        """Reads what `save` wrote.

        Raises:
            WeightsError: If the file is missing or damaged.
            FittedElsewhere: If it was fitted in another space.
        """
        raise NotImplementedError
