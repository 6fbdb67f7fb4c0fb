"""The calls about conditioning, and their answers. See `kindred._calls`."""

from collections.abc import Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kindred._answers import File, Hit, ItemError, TimingMs, Treatment
from kindred._calls import Call
from kindred._content import ContentLike, Modality, Parts
from kindred._errors import InvalidArgument

Bridge = Literal["auto", "none", "mean_shift", "linear", "knn", "prior"]
Mix = Literal["mean", "slerp", "stack"]
DType = Literal["f32", "f16", "bf16"]
FileFormat = Literal["safetensors", "npz"]

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
class ListProfiles(Call[tuple[Profile, ...]]):
    """Returns the targets that can be conditioned."""


@dataclass(frozen=True)
class GetProfile(Call[Profile]):
    """Returns one target.

    Raises:
        NotFound: If there is none of this id.
    """

    id: str


@dataclass(frozen=True)
class BridgeParams:
    """The numbers of a bridge; None means the server's default.

    Attributes:
        strength: How far to go, from 0, the vector as it is, to 1.
        k: Pictures that `knn` means over.
        temperature: What `knn` multiplies cosines by.
        steps: Of the prior's solver.
        guidance: How far the prior leans towards the condition; 1 is as it learnt.
        candidates: Samples of the prior, of which the fittest is kept.
    """

    strength: float | None = None
    k: int | None = None
    temperature: float | None = None
    steps: int | None = None
    guidance: float | None = None
    candidates: int | None = None


@dataclass(frozen=True)
class Condition(Call[Conditioned]):
    """Makes what a generator of pictures listens to.

    Args:
        inputs: Words, pictures, sounds, items or vectors, alone or as a mix of parts.
        profile: The target; see `profiles`.
        negative_inputs: What to lead away from.
        bridge: How words and sounds are brought to where pictures lie.
        bridge_params: Its numbers.
        mix: How several inputs become one.
        num_vectors: Conditions to make.
        seed: The same one gives the same tensors; None draws one.
        cfg: Whether what guidance is measured against is given too.
        noise_level: How far the target is to blur the vector; None takes its proposal.
        dtype: What numbers are sent as.
        model: Whose space; None means the collection's, or the default one.
        collection: Whose items are named, whose pictures `knn` and diagnostics look among.

    Raises:
        Conflict: If the target listens to another space, and no adapter leads there.
        InvalidArgument: If a number is out of its range, or the inputs cancel out.
        NotFound: If there is no such target, model or collection.
    """

    inputs: Parts
    profile: str = "kindred-raw"
    _: KW_ONLY
    negative_inputs: Parts = ()
    bridge: Bridge = "auto"
    bridge_params: BridgeParams = BridgeParams()
    mix: Mix = "mean"
    num_vectors: int = 1
    seed: int | None = None
    cfg: bool = True
    noise_level: int | None = None
    dtype: DType = "f32"
    model: str | None = None
    collection: str | None = None


@dataclass(frozen=True)
class ConditionFile(Call[File]):
    """The same, as one file; `condition_file` makes it."""

    condition: Condition
    format: FileFormat = "safetensors"


def condition_file(
    inputs: Parts,
    profile: str = "kindred-raw",
    *,
    format: FileFormat = "safetensors",
    **options: Any,  # noqa: ANN401 - as of `Condition`
) -> ConditionFile:
    """Makes what a generator listens to, as one file; takes what `condition` takes.

    Args:
        inputs: As of `condition`.
        profile: The target.
        format: Of the file; an npz can't hold bf16.
        options: As of `condition`.
    """
    if format not in ("safetensors", "npz"):
        raise InvalidArgument(f"format must be safetensors or npz, got {format!r}")
    return ConditionFile(Condition(inputs, profile, **options), format)


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
class Generate(Call[Pictures]):
    """Makes small pictures of words, pictures, sounds or items: a demonstration.

    Args:
        inputs: Alone, or as a mix of parts.
        count: Pictures to make.
        seed: The same one makes the same pictures; None draws one.
        bridge: How words and sounds are brought to where pictures lie.
        bridge_params: Its numbers.
        steps: From noise to a picture; None means the generator's own number.
        guidance: How far to lean towards what is asked; likewise.
        noise: How freely to read what is asked, 0 to 1; likewise.
        collection: Whose items are named.

    Raises:
        Conflict: If the server has no generator, or one of another model.
    """

    inputs: Parts
    _: KW_ONLY
    count: int = 1
    seed: int | None = None
    bridge: Bridge = "auto"
    bridge_params: BridgeParams = BridgeParams()
    steps: int | None = None
    guidance: float | None = None
    noise: float | None = None
    collection: str | None = None


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
    """How usual contents are, one score for each, in order."""

    space: str
    scores: tuple[Score, ...]
    densities: tuple[Density, ...]
    timing_ms: TimingMs


@dataclass(frozen=True)
class ScoreItems(Call[Scores]):
    """Tells how usual contents are among a collection's items of their modality.

    Args:
        collection: The collection.
        contents: What is compared; a bad one, or one of a modality with too few items, has an
            error in its place.

    Raises:
        NotFound: If there is no such collection.
    """

    collection: str
    contents: ContentLike | Iterable[ContentLike]
