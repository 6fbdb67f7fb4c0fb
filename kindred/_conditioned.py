"""What is answered about conditioning. See `kindred._conditions` for what is asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kindred._answers import Hit, ItemError, TimingMs, Treatment
from kindred._content import Modality

DType = Literal["f32", "f16", "bf16"]

_STORED: Mapping[str, str] = {"f32": "<f4", "f16": "<f2", "bf16": "<u2"}


@dataclass(frozen=True)
class ProfileArgument:
    """One tensor of a pipeline's call.

    Attributes:
        name: The keyword of the call, and the name of the tensor.
        axes: Its shape: numbers, and letters for what the request decides.
        holds: condition, negative, pooled or negative_pooled.
        listed: Whether the call takes it inside a list.
    """

    name: str
    axes: tuple[str, ...]
    holds: str
    listed: bool


@dataclass(frozen=True)
class NoiseLevels:
    """How far a target lets its vector be blurred: the most, and what is proposed."""

    most: int
    pictures: int
    others: int


@dataclass(frozen=True)
class Profile:
    """A target that can be conditioned.

    Attributes:
        id: What it is asked for by.
        encoder: Whose picture vectors it was trained on.
        dim: Length of such a vector; 0 for that of the served space.
        norm: Mean norm of the encoder's vectors, nominal until an adapter has measured it.
        ready_models: Served models whose vectors can be led there; others need an adapter.
    """

    id: str
    description: str
    version: int
    library: str
    class_name: str
    encoder: str
    dim: int
    scale: str
    norm: float
    unconditional: str
    most_vectors: int
    noise_levels: NoiseLevels | None
    arguments: tuple[ProfileArgument, ...]
    checkpoint: str
    needs: tuple[str, ...]
    ready_models: tuple[str, ...]


@dataclass(frozen=True)
class Tensor:
    """An array as it was sent, little-endian, its last axis fastest."""

    dtype: DType
    shape: tuple[int, ...]
    data: bytes = field(repr=False)

    @property
    def values(self) -> NDArray[np.float32]:
        """Its numbers as float32, which holds each of them exactly."""
        array = np.frombuffer(self.data, _STORED[self.dtype]).reshape(self.shape)
        if self.dtype == "bf16":  # the upper half of a float32
            array = (array.astype("<u4") << np.uint32(16)).view("<f4")
        return array.astype(np.float32)


@dataclass(frozen=True)
class PipelineCall:
    """How a pipeline is called with the tensors.

    Attributes:
        arguments: Names of tensors by keyword; a tuple of names where the call takes a list.
        options: Other keywords and their values.
        needs: What else the call wants, in words.
        snippet: Python that reads the tensors from `out.safetensors` and makes pictures.
    """

    library: str
    class_name: str
    arguments: Mapping[str, str | tuple[str, ...]]
    options: Mapping[str, Any]
    needs: tuple[str, ...]
    snippet: str


@dataclass(frozen=True)
class InputReport:
    """What became of one input."""

    modality: Modality
    weight: float
    norm: float
    bridge: str
    cos_to_result: float


@dataclass(frozen=True)
class Diagnostics:
    """How usual the result is among pictures; None where it is not known."""

    cos_to_image_mean: float | None = None
    log_density_percentile: float | None = None
    residual_percentile: float | None = None


@dataclass(frozen=True)
class Conditioned:
    """The tensors of a target's call, and what to know of them.

    Attributes:
        tensors: By the names that `call` uses.
        norm: What the vectors were brought to; 0 where a projector's are left as they are.
        seed: Makes the same tensors again.
        nearest: The nearest pictures of the collection, if one was named.
        warnings: What whoever asked should know.
    """

    model: str
    space: str
    tensors: Mapping[str, Tensor]
    call: PipelineCall
    profile: str
    profile_version: int
    norm: float
    adapter: str
    seed: int
    bridge_used: str
    per_input: tuple[InputReport, ...]
    diagnostics: Diagnostics
    nearest: tuple[Hit, ...]
    warnings: tuple[str, ...]
    treatments: tuple[Treatment, ...]
    timing_ms: TimingMs


@dataclass(frozen=True)
class Pictures:
    """Small pictures that were made.

    Attributes:
        generator: Its id.
        pictures: PNG files.
        seed: Makes the same pictures again.
    """

    generator: str
    pictures: tuple[bytes, ...] = field(repr=False)
    seed: int
    bridge_used: str
    warnings: tuple[str, ...]
    timing_ms: TimingMs


@dataclass(frozen=True)
class Score:
    """How usual a content is among the items of its modality; None where there is an error.

    Attributes:
        percentile: Share of held-out items, 0 to 100, that are less usual: near 0 is an outlier.
        density_percentile: Share of them of a lower log density.
        residual_percentile: Share of them that are further off the main directions.
        log_density: In nats: relative, no probability.
        residual: Norm of what the main directions leave out.
    """

    index: int
    modality: Modality | None = None
    percentile: float | None = None
    density_percentile: float | None = None
    residual_percentile: float | None = None
    log_density: float | None = None
    residual: float | None = None
    error: ItemError | None = None


@dataclass(frozen=True)
class Density:
    """What the scores of one modality stand on."""

    modality: Modality
    kind: str
    fitted: int
    held_out: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """How usual contents are in a collection, by its own name: one score for each, in order."""

    collection: str
    space: str
    scores: tuple[Score, ...]
    densities: tuple[Density, ...]
    timing_ms: TimingMs
