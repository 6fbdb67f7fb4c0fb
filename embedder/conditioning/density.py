"""How usual a vector is among others: a density of a collection's vectors.

Two views of each vector, since either misses what the other sees: log p of its principal components
under a normalizing flow (neural spline flow, arXiv:1906.04032, by zuko), and the norm of what the
components leave out. Both become percentiles of items that the fit has not seen.

A log density is of white coordinates: it compares vectors of one fit, and kinds of fits of the same
coordinates, and is no probability.
"""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, Vectors
from embedder.conditioning.fitted_file import Kind, Tensors, read_fitted, write_fitted
from embedder.conditioning.flow import Flow, FlowRecipe
from embedder.conditioning.pca import Whitening
from embedder.errors import ConditioningError, FittedElsewhere, TooFewVectors, WeightsError

Array = NDArray[np.float32]
KindName = Literal["auto", "flow", "gaussian"]

KIND = Kind("a density")
LEAST = 20
"""Vectors without which not even a Gaussian can be fitted and held out from."""

_PER_COMPONENT = 5
"""Vectors a principal component needs, or its spread is guesswork."""


@dataclass(frozen=True, slots=True)
class DensityRecipe:
    """The numbers of a fit.

    Attributes:
        kind: "flow", "gaussian", or "auto": a flow from `least` vectors on.
        least: Vectors from which on "auto" fits a flow.
        most: Vectors that are looked at; of more, so many are drawn.
        components: Principal components at most; small collections have fewer.
        held_out: Share of the vectors that percentiles refer to.
        watched: Share of the vectors that say when the flow has learnt enough.
        seed: Same seed, vectors and machine: same density.
        flow: The numbers of the flow.
    """

    kind: KindName = "auto"
    least: int = 500
    most: int = 20_000
    components: int = 32
    held_out: float = 0.25
    watched: float = 0.1
    seed: int = 0
    flow: FlowRecipe = field(default_factory=FlowRecipe)


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


class Estimate(Protocol):
    """A density of white coordinates."""

    def log_density(self, white: Array) -> Array:
        """Returns log p of each row in nats, (n,)."""

    def tensors(self) -> dict[str, Array]:
        """Returns what it has learnt, by name."""


class Gaussian:
    """The standard normal: all that means and covariances know of white coordinates."""

    def log_density(self, white: Array) -> Array:
        """Returns log p of each row in nats, (n,)."""
        constant = white.shape[1] * np.log(2 * np.pi)
        return np.asarray(-0.5 * (np.square(white).sum(axis=1) + constant), np.float32)

    def tensors(self) -> dict[str, Array]:
        """Returns nothing: whitening has learnt it all."""
        return {}


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What held-out items scored, each array ascending, (held out,).

    Attributes:
        log_density: Of each.
        residual: Of each, negated, so that higher is more usual.
        worst: The lower of each one's two percentiles.
    """

    log_density: Array
    residual: Array
    worst: Array

    @classmethod
    def of(cls, log_density: Array, residual: Array) -> "Reference":
        """Returns what the held-out items scored."""
        dense, near = np.sort(log_density), np.sort(-residual)
        worst = np.minimum(percentile(dense, log_density), percentile(near, -residual))
        return cls(dense, near, np.sort(worst))

    def scores(self, log_density: Array, residual: Array) -> Scores:
        """Returns how others compare."""
        dense = percentile(self.log_density, log_density)
        near = percentile(self.residual, -residual)
        both = percentile(self.worst, np.minimum(dense, near))
        return Scores(log_density, residual, dense, near, both)


@dataclass(frozen=True, slots=True, eq=False)
class Density:
    """The density of one modality's vectors in a collection.

    Attributes:
        space: Id of the vectors' space.
        kind: "flow" or "gaussian".
        fitted: Vectors that it was fitted to, held-out ones not counted.
        whitening: Onto the principal components.
        estimate: The density of those.
        reference: What held-out items scored.
        recipe: The numbers of the fit.
        warnings: What whoever asks should know, in sentences.
    """

    space: str
    kind: KindName
    fitted: int
    whitening: Whitening
    estimate: Estimate
    reference: Reference
    recipe: DensityRecipe
    warnings: tuple[str, ...] = ()

    @property
    def held_out(self) -> int:
        """Returns how many vectors the percentiles refer to."""
        return len(self.reference.worst)

    @property
    def held_out_log_likelihood(self) -> float:
        """Returns the mean log density of held-out vectors in nats: it compares kinds."""
        return float(self.reference.log_density.mean())

    @classmethod
    def fit(
        cls, vectors: Vectors, space: EmbeddingSpace, recipe: DensityRecipe | None = None
    ) -> "Density":
        """Fits a density to vectors of one modality.

        Args:
            vectors: Unit vectors, (n, dim).
            space: Where they lie.
            recipe: The numbers.

        Raises:
            TooFewVectors: If there are fewer than `LEAST`.
            MissingDependency: If a flow is to be fitted and zuko is not installed.
        """
        recipe = recipe or DensityRecipe()
        if len(vectors) < LEAST:
            raise TooFewVectors(f"a density needs at least {LEAST} vectors, got {len(vectors)}")
        kind, warnings = _kind(recipe, len(vectors))
        learnt, watched, held_out = _split(vectors, recipe)
        whitening = Whitening.fit(learnt, min(recipe.components, len(learnt) // _PER_COMPONENT))
        estimate: Estimate = Gaussian()
        if kind == "flow":
            white = whitening.white(learnt), whitening.white(watched)
            estimate = Flow.fit(*white, recipe.flow, recipe.seed)
        dense = estimate.log_density(whitening.white(held_out))
        reference = Reference.of(dense, whitening.residual(held_out))
        return cls(space.id, kind, len(learnt), whitening, estimate, reference, recipe, warnings)

    def score(self, vectors: Vectors) -> Scores:
        """Returns how usual each of the vectors (n, dim) is.

        Raises:
            FittedElsewhere: If they have another length than the fitted ones.
        """
        dim = len(self.whitening.mean)
        if vectors.ndim != 2 or vectors.shape[1] != dim:
            raise FittedElsewhere(f"vectors must be of shape (n, {dim}), got {vectors.shape}")
        dense = self.estimate.log_density(self.whitening.white(vectors))
        return self.reference.scores(dense, self.whitening.residual(vectors))

    def save(self, path: Path) -> None:
        """Writes one safetensors file, whole or not at all."""
        learnt = {f"flow.{name}": tensor for name, tensor in self.estimate.tensors().items()}
        tensors = _fields(self.whitening) | _fields(self.reference) | learnt
        config = {"density": self.kind, "fitted": self.fitted, "recipe": asdict(self.recipe)}
        write_fitted(path, KIND, self.space, tensors, config | {"warnings": self.warnings})

    @classmethod
    def load(cls, path: Path, space: EmbeddingSpace) -> "Density":
        """Reads what `save` wrote.

        Raises:
            WeightsError: If the file is missing or damaged.
            FittedElsewhere: If it was fitted in another space.
            MissingDependency: If it holds a flow and zuko is not installed.
        """
        file = read_fitted(path, KIND, space.id)
        try:
            recipe = dict(file.config["recipe"])
            whole = DensityRecipe(**recipe | {"flow": FlowRecipe(**recipe["flow"])})
            whitening = Whitening(**_part("whitening", file.tensors))
            reference = Reference(**_part("reference", file.tensors))
            kind, fitted = file.config["density"], int(file.config["fitted"])
            estimate: Estimate = Gaussian()
            if kind == "flow":
                estimate = Flow.of(_part("flow", file.tensors), whitening.components, whole.flow)
            warnings = tuple(file.config["warnings"])
        except (KeyError, TypeError, ValueError, RuntimeError) as exc:
            raise WeightsError(f"{path} must be what Density.save wrote: {exc!r}") from exc
        return cls(space.id, kind, fitted, whitening, estimate, reference, whole, warnings)


def percentile(ascending: Array, values: Array) -> Array:
    """Returns where values lie among others, in (0, 100); the middle of a tie.

    Of m others, a value above r of them is at 100 (r + 1/2) / (m + 1): uniform if it is like them.
    """
    below = np.searchsorted(ascending, values, side="left")
    above = np.searchsorted(ascending, values, side="right")
    rank = (below + above) / 2
    return np.asarray(100 * (rank + 0.5) / (len(ascending) + 1), np.float32)


def _kind(recipe: DensityRecipe, count: int) -> tuple[KindName, tuple[str, ...]]:
    """Returns the kind to fit, and what to say of it."""
    if recipe.kind not in ("auto", "flow", "gaussian"):
        raise ConditioningError(f"kind must be auto, flow or gaussian, got {recipe.kind!r}")
    if recipe.kind != "auto":
        return recipe.kind, ()
    if count >= recipe.least:
        return "flow", ()
    return "gaussian", (f"{count} vectors are too few for a flow ({recipe.least}): a Gaussian",)


def _split(vectors: Vectors, recipe: DensityRecipe) -> tuple[Array, Array, Array]:
    """Returns what is learnt from, what says when to stop, and what percentiles refer to."""
    order = np.random.default_rng(recipe.seed).permutation(len(vectors))[: recipe.most]
    held_out = round(recipe.held_out * len(order))
    watched = held_out + round(recipe.watched * len(order))
    rows = np.split(order, [held_out, watched])
    return vectors[rows[2]], vectors[rows[1]], vectors[rows[0]]


def _fields(part: Whitening | Reference) -> dict[str, NDArray[np.generic]]:
    return {f"{type(part).__name__.lower()}.{name}": value for name, value in asdict(part).items()}


def _part(name: str, tensors: Tensors) -> dict[str, Array]:
    """Returns the tensors of one prefix, without it."""
    some = {key: tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
    return {key.partition(".")[2]: tensor.astype(np.float32) for key, tensor in some.items()}
