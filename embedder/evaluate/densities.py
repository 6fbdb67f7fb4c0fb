"""How well a density finds what does not belong: planted strangers in a collection of photos.

The density is fitted to the collection with the strangers in it, a hundredth of it, as it would be
in earnest; then every item is scored. Each view is judged apart, and so is the Gaussian.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, Vectors, unit
from embedder.conditioning.density import Density, DensityRecipe, KindName, Scores
from embedder.evaluate.metrics import auroc, uniformity_distance
from embedder.evaluate.report import Figure

DIRECTION = "density"
KINDS: tuple[KindName, ...] = ("flow", "gaussian")
PLANTED = 0.01
NOISE = 0.03
"""Standard deviation, in each dimension, of what is added to photos to leave their manifold."""

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Collection:
    """Photos that belong together.

    Attributes:
        space: Where they lie.
        photos: Those that densities are fitted to, (n, dim).
        fresh: Others like them, (m, dim).
        recipe: The numbers of a fit, but for its kind.
    """

    space: EmbeddingSpace
    photos: Vectors
    fresh: Vectors
    recipe: DensityRecipe = field(default_factory=DensityRecipe)

    def figures(self, strangers: Mapping[str, Vectors]) -> Iterator[Figure]:
        """Yields AUROC of strangers, uniformity of percentiles, and likelihoods.

        Args:
            strangers: By what they are called; as many of each are planted as a hundredth allows.
        """
        for name, vectors in {**strangers, "photos with noise": self._noisy()}.items():
            yield from self._found(name, vectors)
        for kind in KINDS:
            density = Density.fit(self.photos, self.space, replace(self.recipe, kind=kind))
            scores, count = density.score(self.fresh), len(self.fresh)
            likelihood = float(scores.log_density.mean())
            yield Figure(DIRECTION, kind, "log-likelihood of fresh photos", likelihood, None, count)
            for view, values in _views(scores).items():
                distance = uniformity_distance(values / 100) / self._expected(density)
                yield Figure(DIRECTION, kind, f"KS of {view}", distance, 1.0, count)

    def _found(self, name: str, vectors: Vectors) -> Iterator[Figure]:
        count = min(len(vectors), round(PLANTED * len(self.photos)))
        both = np.concatenate([self.photos, vectors[:count]])
        flow, bell = (
            Density.fit(both, self.space, replace(self.recipe, kind=kind)).score(both)
            for kind in KINDS
        )
        rows = {f"flow, {view}": values for view, values in _views(flow).items()}
        rows["gaussian, both views"] = bell.percentile
        for view, values in rows.items():
            value = auroc(values[:-count], values[-count:])
            yield Figure(DIRECTION, name, f"AUROC, {view}", value, 0.5, count)

    def _noisy(self) -> Vectors:
        some = self.fresh[: round(PLANTED * len(self.photos))]
        noise = np.random.default_rng(0).standard_normal(some.shape, np.float32)
        return unit(some + np.float32(NOISE) * noise)

    def _expected(self, density: Density) -> float:
        """Returns the distance that one in twenty uniform sets exceed.

        Kolmogorov and Smirnov's for two samples, since held-out items are a sample as well.
        """
        n, m = len(self.fresh), density.held_out
        return 1.358 * sqrt((n + m) / (n * m))


def _views(scores: Scores) -> dict[str, Array]:
    return {
        "both views": scores.percentile,
        "log density": scores.density_percentile,
        "residual": scores.residual_percentile,
    }
