"""Inputs brought among pictures, and put together."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors, unit
from embedder.conditioning.bridge import Bridged, Bridges, Choice, Known
from embedder.conditioning.condition import Input, InputReport, Request
from embedder.conditioning.mix import Mix, mix
from embedder.conditioning.profile import Profile

Apart = NDArray[np.float32]
"""Unit vectors, (B, N, dim): of each condition, those that are kept apart."""


@dataclass(frozen=True, slots=True, eq=False)
class Crossed:
    """An input, and where it lies among pictures: a unit vector for each condition, (B, dim)."""

    given: Input
    bridged: Bridged


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """What became of a request's inputs.

    Attributes:
        crossed: Inputs, those subtracted last.
        against: Negative inputs that are not subtracted.
        vectors: The inputs put together, (B, N, dim).
        negatives: The negative inputs put together, (B, 1, dim); None without any.
    """

    crossed: tuple[Crossed, ...]
    against: tuple[Crossed, ...]
    vectors: Apart
    negatives: Apart | None

    @property
    def rows(self) -> Vectors:
        """The vectors one below the other, (B * N, dim)."""
        return self.vectors.reshape(-1, self.vectors.shape[-1])

    @property
    def bridges(self) -> tuple[str, ...]:
        """The bridges that were crossed."""
        every = (str(one.bridged.used) for one in (*self.crossed, *self.against))
        return tuple(dict.fromkeys(every))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the bridges have to say."""
        return tuple(
            said for one in (*self.crossed, *self.against) for said in one.bridged.warnings
        )

    def reports(self) -> tuple[InputReport, ...]:
        """Returns what became of each input."""
        result = unit(self.vectors.mean(axis=1))  # (B, dim)
        return tuple(_report(one, result) for one in (*self.crossed, *self.against))


def blend(request: Request, profile: Profile, bridges: Bridges, known: Known | None) -> Blend:
    """Brings inputs among pictures and puts them together.

    Args:
        request: With a seed.
        profile: Says whether negative inputs are kept or subtracted.
        bridges: Of the inputs' space.
        known: What a collection knows of pictures.

    Raises:
        BridgeNotFitted: If a bridge was named that the space does not have.
        InputsCancel: If the weighted inputs add up to nothing.
        ConditioningError: If a weight is not finite, or not positive where it must be.
        EncodingFailed: If a vector is zero or not finite.
    """
    negatives = request.negative_inputs
    if negatives and not profile.takes_negative:
        subtracted = tuple(replace(one, weight=-one.weight) for one in negatives)
        request = replace(request, inputs=request.inputs + subtracted, negative_inputs=())
    every = (*request.inputs, *request.negative_inputs)
    crossed = tuple(
        Crossed(one, bridges.apply(_rows(one, request), one.modality, _choice(request, i), known))
        for i, one in enumerate(every)
    )
    here, against = crossed[: len(request.inputs)], crossed[len(request.inputs) :]
    aside = _mixed(against, Mix.MEAN) if against else None
    return Blend(here, against, _mixed(here, request.mix), aside)


def _rows(given: Input, request: Request) -> Vectors:
    """Returns the input once for each condition."""
    return np.repeat(unit(given.vector[None]), request.num_vectors, axis=0)


def _choice(request: Request, index: int) -> Choice:
    """Returns the bridge with a seed of the input's own: two inputs must not share their noise."""
    dealt = np.random.SeedSequence((request.seed or 0, index)).generate_state(1)
    return replace(request.bridge, sampling=replace(request.bridge.sampling, seed=int(dealt[0])))


def _mixed(crossed: Sequence[Crossed], how: Mix) -> Apart:
    weights = [one.given.weight for one in crossed]
    every = np.stack([one.bridged.vectors for one in crossed], axis=1)  # (B, inputs, dim)
    return np.stack([mix(vectors, weights, how) for vectors in every])


def _report(one: Crossed, result: Vectors) -> InputReport:
    return InputReport(
        modality=one.given.modality,
        weight=one.given.weight,
        norm=float(np.linalg.norm(one.given.vector)),
        bridge=str(one.bridged.used),
        cos_to_result=float((one.bridged.vectors * result).sum(axis=1).mean()),
    )
