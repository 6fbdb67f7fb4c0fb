"""A small space, and adapters from it to every target, fitted to random pairs."""

import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, Vectors, unit
from embedder.conditioning.bridge import Bridges
from embedder.conditioning.condition import Input
from embedder.conditioning.conditioner import Conditioner, Served
from embedder.conditioning.fitting import Pairs, fit_adapter
from embedder.conditioning.installed import Adapters
from embedder.conditioning.profile import Axis, Holds, Profile, Unconditional
from embedder.conditioning.profiles import PROFILES
from embedder.media import Modality

SPACE = EmbeddingSpace("small-space", 16)
ELSEWHERE = EmbeddingSpace("other-space", 16)
TOKENS = 4

DRIVEN = tuple(profile for profile in PROFILES if profile.library == "diffusers")


def vectors(count: int, dim: int = SPACE.dim, seed: int = 0) -> Vectors:
    """Returns random unit vectors."""
    return unit(np.random.default_rng(seed).standard_normal((count, dim)).astype(np.float32))


def pictures(*rows: int) -> tuple[Input, ...]:
    """Returns these of ten random vectors, as of pictures."""
    return tuple(Input(vectors(10)[row], Modality.IMAGE) for row in rows)


def targets(profile: Profile, sources: Vectors) -> dict[Holds, NDArray[np.float32]]:
    """Returns what sources become under random linear maps, in the shapes that a profile takes."""
    made: dict[Holds, NDArray[np.float32]] = {}
    for argument in profile.arguments:
        if argument.holds in (Holds.CONDITION, Holds.POOLED):
            axes = [axis for axis in argument.axes[1:] if axis is not Axis.VECTORS]
            shape = [TOKENS if axis is Axis.TOKENS else int(axis) for axis in axes]
            dealer = np.random.default_rng(len(made))
            weights = dealer.standard_normal((sources.shape[1], math.prod(shape)))
            made[argument.holds] = (sources @ weights).reshape(-1, *shape).astype(np.float32)
    return made


def random_pairs(profile: Profile, count: int = 60) -> Pairs:
    """Returns pairs, with a negative where the target needs its encoder's own."""
    sources = vectors(count, seed=1)
    own = profile.unconditional is Unconditional.SHIPPED
    negatives = {what: rows[0] for what, rows in targets(profile, vectors(1, seed=2)).items()}
    return Pairs(sources, targets(profile, sources), negatives if own else {})


def conditioner(folder: Path, *profiles: Profile, encoder: str = "kindred-mini") -> Conditioner:
    """Returns a conditioner of the small space with adapters to some targets."""
    adapters = Adapters(folder)
    for profile in profiles:
        adapters.install(fit_adapter(profile, SPACE, random_pairs(profile)))
    return Conditioner(Served(space=SPACE, encoder=encoder), Bridges(), adapters)
