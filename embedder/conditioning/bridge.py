"""Bridges: text and sound vectors brought to where image vectors lie.

Modalities lie in cones of their own, and a generator that listens to image vectors has never heard
a text or a sound. A bridge leads them over:

    none        the vector as it is
    mean_shift  the distance of the modalities' means is added (C3, arXiv:2401.08567)
    linear      ridge regression from pairs: the mean picture that the words or the sound go with
    knn         a softmax mean of the nearest image vectors (ImageBind-LLM, arXiv:2309.03905)
    prior       a sample of p(image vector | vector), by flow matching: see `prior`
    auto        the first of `ORDER` that the space has, by purpose

All but the prior always give the same for the same. A generator asked twice for the same words is
to make two pictures, and so gets a sample, which a seed repeats. What was measured is in the model
card of kindred-mini.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors, unit
from embedder.conditioning.line import Line
from embedder.conditioning.prior import Prior, Sampling
from embedder.errors import BridgeNotFitted, ConditioningError
from embedder.media import Modality

Array = NDArray[np.float32]


class BridgeName(StrEnum):
    """What a bridge is called; see the module."""

    AUTO = "auto"
    NONE = "none"
    MEAN_SHIFT = "mean_shift"
    LINEAR = "linear"
    KNN = "knn"
    PRIOR = "prior"


class Purpose(StrEnum):
    """What the bridged vector is for."""

    SEARCH = "search"
    GENERATION = "generation"


ORDER: Mapping[Purpose, tuple[BridgeName, ...]] = MappingProxyType(
    {
        Purpose.SEARCH: (BridgeName.NONE,),
        Purpose.GENERATION: (
            BridgeName.PRIOR,
            BridgeName.LINEAR,
            BridgeName.MEAN_SHIFT,
            BridgeName.NONE,
        ),
    }
)
"""What `auto` takes: the first that the space has, by the table in the model card.

Vectors that were taught to tell pictures apart find their picture best as they are: every bridge
that was measured takes them nearer to pictures, and no longer to one among them.
"""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which bridge, and its numbers.

    Attributes:
        name: The bridge.
        purpose: What `auto` chooses for.
        strength: How far to go from the vector, 0, to where the bridge leads, 1.
        k: Image vectors that `knn` means over.
        temperature: What `knn` multiplies cosines by before its softmax; more is nearer to 1-NN.
        sampling: How `prior` samples, its seed included.
    """

    name: BridgeName = BridgeName.AUTO
    purpose: Purpose = Purpose.GENERATION
    strength: float = 1.0
    k: int = 10
    temperature: float = 20.0
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self) -> None:
        """Checks the numbers.

        Raises:
            ConditioningError: If one is out of its range.
        """
        if not 0.0 <= self.strength <= 1.0:
            raise ConditioningError(f"strength must be in [0, 1], got {self.strength}")
        if self.k < 1:
            raise ConditioningError(f"k must be at least 1, got {self.k}")
        if not 0.0 < self.temperature < np.inf:
            raise ConditioningError(f"temperature must be positive, got {self.temperature}")


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What is known of the pictures, and of others, besides what was fitted: a collection's own.

    Attributes:
        images: Unit image vectors that `knn` looks among, (m, dim); of a large collection, the
            nearest of each vector are enough.
        means: The mean unit vector of each modality, (dim,), for `mean_shift` in a space without
            fitted bridges.
    """

    images: Vectors | None = None
    means: Mapping[Modality, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Bridged:
    """What came over.

    Attributes:
        vectors: One unit vector for each that was given, (n, dim).
        used: The bridge that was taken, never `auto`.
        warnings: What whoever asked should know, in sentences.
    """

    vectors: Vectors
    used: BridgeName
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """What was fitted on the pairs of one space.

    Attributes:
        means: The mean unit vector of each modality, (dim,).
        lines: Ridge regression from each modality to pictures.
        prior: Samples image vectors.
    """

    means: Mapping[Modality, Array] = field(default_factory=dict)
    lines: Mapping[Modality, Line] = field(default_factory=dict)
    prior: Prior | None = None


class Bridges:
    """All bridges of one space.

    Args:
        fitted: What was fitted; `embedder.conditioning.bridge_file.load_bridges` reads it. A space
            that has nothing fitted has `mean_shift` and `knn` where the caller knows pictures.
    """

    def __init__(self, fitted: Fitted | None = None) -> None:
        self.fitted = fitted or Fitted()

    def available(self, modality: Modality, known: Known | None = None) -> tuple[BridgeName, ...]:
        """Returns the bridges that a modality can take, `none` always among them."""
        known = known or Known()
        fitted, pair = self.fitted, {modality, Modality.IMAGE}
        there = {
            BridgeName.NONE: True,
            BridgeName.MEAN_SHIFT: pair <= fitted.means.keys() or pair <= known.means.keys(),
            BridgeName.LINEAR: modality in fitted.lines,
            BridgeName.KNN: known.images is not None and len(known.images) > 0,
            BridgeName.PRIOR: fitted.prior is not None and modality in fitted.prior.modalities,
        }
        return tuple(name for name, is_there in there.items() if is_there)

    def apply(
        self,
        vectors: Vectors,
        modality: Modality,
        choice: Choice | None = None,
        known: Known | None = None,
    ) -> Bridged:
        """Brings vectors of one modality to where pictures lie; image vectors stay as they are.

        Args:
            vectors: Unit vectors, (n, dim).
            modality: Of all of them.
            choice: Which bridge and how; by default `auto`, for a generator.
            known: What a collection knows besides.

        Raises:
            BridgeNotFitted: If a bridge was named that this space does not have.
            EncodingFailed: If a vector is zero or not finite, or a bridge leads to none.
        """
        choice, known = choice or Choice(), known or Known()
        if modality is Modality.IMAGE:
            return Bridged(unit(vectors), BridgeName.NONE)
        name, warnings = self._chosen(modality, choice, known)
        there = self._cross(name, vectors, modality, choice, known)
        went = (1.0 - choice.strength) * unit(vectors) + choice.strength * unit(there)
        return Bridged(unit(went), name, warnings)

    def _chosen(
        self, modality: Modality, choice: Choice, known: Known
    ) -> tuple[BridgeName, tuple[str, ...]]:
        """Returns the bridge to take, and what to say of it."""
        there = self.available(modality, known)
        if choice.name is not BridgeName.AUTO:
            if choice.name not in there:
                raise BridgeNotFitted(
                    f"the bridge of {modality} vectors must be one of "
                    f"{', '.join(there)} in this space, got {choice.name}"
                )
            return choice.name, ()
        order = ORDER[choice.purpose]
        name = next(name for name in order if name in there)
        if name is order[0]:
            return name, ()
        return name, (f"no {order[0]} bridge is fitted for {modality} in this space: took {name}",)

    def _cross(
        self, name: BridgeName, vectors: Vectors, modality: Modality, choice: Choice, known: Known
    ) -> Array:  # fmt: skip
        fitted = self.fitted
        match name:
            case BridgeName.MEAN_SHIFT:
                means = fitted.means if modality in fitted.means else known.means
                return vectors + (means[Modality.IMAGE] - means[modality])
            case BridgeName.LINEAR:
                return fitted.lines[modality](vectors)
            case BridgeName.KNN if known.images is not None:
                return nearest_mean(vectors, known.images, choice.k, choice.temperature)
            case BridgeName.PRIOR if fitted.prior is not None:
                return fitted.prior.sample(vectors, modality, choice.sampling)
            case _:
                return vectors


def nearest_mean(vectors: Vectors, images: Vectors, k: int, temperature: float) -> Array:
    """Returns softmax(temperature * cosine) means of each vector's k nearest images, (n, dim)."""
    cosines = vectors @ images.T
    k = min(k, len(images))
    nearest = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
    logits = temperature * np.take_along_axis(cosines, nearest, axis=1)
    weights = np.exp(logits - logits.max(axis=1, keepdims=True))
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(np.einsum("nk,nkd->nd", weights, images[nearest]), np.float32)
