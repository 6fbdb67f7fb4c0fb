"""From embedded inputs to what a target takes: bridge each, mix, lead to the target, place.

inputs --bridge--> image cone --mix--> (B, N, dim) --adapter or norm--> target --place--> tensors
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, Vectors
from embedder.conditioning.bridge import Bridges, Choice, Known
from embedder.conditioning.call import Call
from embedder.conditioning.density import Density
from embedder.conditioning.installed import Adapters
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
        adapter: Id of the adapter's source space where one was used, otherwise empty.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The space that inputs come from.

    Attributes:
        space: Id and dimension.
        encoder: Name of the model whose vectors of pictures they are, e.g. "kindred-mini",
            "open_clip:ViT-H-14/laion2b_s32b_b79k" or "imagebind:FILE"; of a model that was taught
            another sense, its base's.
    """

    space: EmbeddingSpace
    encoder: str


class Conditioner:
    """Makes conditions from vectors of one space. Its methods may be called from several threads.

    Args:
        served: The space.
        bridges: Of that space.
        adapters: What leads from it to targets that were trained on other encoders.
        max_vectors: The most inputs, and the most conditions, of one request.
    """

    def __init__(
        self,
        served: Served,
        bridges: Bridges,
        adapters: Adapters,
        *,
        max_vectors: int = 64,
    ) -> None:
        self.served, self.bridges, self.adapters = served, bridges, adapters
        self.max_vectors = max_vectors

    def ready(self, profile: Profile) -> bool:
        """Returns whether a target can be asked for: served as it is, or by an adapter."""
        raise NotImplementedError

    def condition(
        self, request: Request, known: Known | None = None, density: Density | None = None
    ) -> Conditioned:
        """Makes the tensors of a target's call.

        Args:
            request: What is asked.
            known: What a collection knows of pictures, for bridges that need it.
            density: Of pictures, for the diagnostics.

        Raises:
            ProfileNotFound: If no target has the id.
            AdapterNotFitted: If the target listens to another space, and no adapter is installed.
            BridgeNotFitted: If a bridge was named that the space does not have.
            InputsCancel: If the weighted inputs add up to nothing.
            UnfitForTarget: If a vector is not of the space's dimension, or the target does not take
                what is asked: several vectors, a noise level, a negative.
            ConditioningError: If a number is out of its range, or there are no inputs.
            EncodingFailed: If a vector is zero or not finite.
        """
        raise NotImplementedError
