"""A question and its answer: what a generator is to listen to, and what it then takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors
from embedder.conditioning.bridge import Choice
from embedder.conditioning.call import Call
from embedder.conditioning.mix import Mix
from embedder.conditioning.profile import Profile
from embedder.conditioning.tensors import DType, Tensor
from embedder.media import Modality


@dataclass(frozen=True, slots=True, eq=False)
class Input:
    """One thing that a generator is to listen to, embedded.

    Attributes:
        vector: (dim,), of any norm but 0: only its direction counts.
        modality: Which cone it lies in.
        weight: Its share of the mix; negative leads away from it.
    """

    vector: NDArray[np.float32]
    modality: Modality
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Request:
    """What is asked.

    Attributes:
        inputs: At least one.
        negative_inputs: What to lead away from: in the place of the unconditional vector where the
            target takes one, otherwise subtracted from the mix.
        profile: Id of the target.
        bridge: How other modalities are brought to where pictures lie. Its seed is not read:
            `seed` is.
        mix: How several inputs are put together.
        num_vectors: Conditions to make, each with samples of its own where the bridge samples.
        seed: The same one, inputs and machine give the same tensors, bit by bit; None draws one.
        cfg: Whether what guidance is measured against is given too.
        noise_level: How far the target is to blur the vector; None takes the profile's proposal.
        dtype: What numbers are sent as.
    """

    inputs: tuple[Input, ...]
    negative_inputs: tuple[Input, ...] = ()
    profile: str = "kindred-raw"
    bridge: Choice = field(default_factory=Choice)
    mix: Mix = Mix.MEAN
    num_vectors: int = 1
    seed: int | None = None
    cfg: bool = True
    noise_level: int | None = None
    dtype: DType = DType.F32


@dataclass(frozen=True, slots=True)
class InputReport:
    """What became of one input.

    Attributes:
        modality: Its modality.
        weight: Its weight; of a negative input that was subtracted, less than 0.
        norm: L2 norm of the vector as it came.
        bridge: The bridge that it crossed.
        cos_to_result: Cosine of its bridged vector and the result, the mean over conditions.
    """

    modality: Modality
    weight: float
    norm: float
    bridge: str
    cos_to_result: float


@dataclass(frozen=True, slots=True)
class Diagnostics:
    """How usual the result is among pictures; each the mean over conditions, None where not known.

    Attributes:
        cos_to_image_mean: Cosine to the mean vector of pictures.
        log_density_percentile: Share of held-out pictures, 0..100, of a lower log density.
        residual_percentile: Share of held-out pictures, 0..100, further off their main directions.
    """

    cos_to_image_mean: float | None = None
    log_density_percentile: float | None = None
    residual_percentile: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Conditioned:
    """What a generator takes, and what to know of it.

    Attributes:
        tensors: By the names that `call` uses; C-contiguous.
        call: How the pipeline is called.
        profile: The target.
        norm: Norm that the vectors were brought to; 0 where a projector's are left as they are.
        adapter: Id of the adapter that was used; empty where none was.
        vectors: The results in our space before they were led to the target, unit, (B * N, dim):
            what a service looks up the nearest items of.
        per_input: One an input, those subtracted last.
        diagnostics: How usual the result is.
        bridge_used: Names of the bridges that were crossed, by commas.
        seed: What makes the same tensors again.
        warnings: What whoever asked should know, in sentences.
    """

    tensors: Mapping[str, Tensor]
    call: Call
    profile: Profile
    norm: float
    adapter: str
    vectors: Vectors
    per_input: tuple[InputReport, ...]
    diagnostics: Diagnostics
    bridge_used: str
    seed: int
    warnings: tuple[str, ...]
