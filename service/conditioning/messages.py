"""What can be asked of conditioning and what is answered; see `service.messages`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from embedder.base import Treatment
from embedder.conditioning.bridge import Choice
from embedder.conditioning.call import Call
from embedder.conditioning.condition import Diagnostics, InputReport
from embedder.conditioning.mix import Mix
from embedder.conditioning.profile import Profile
from embedder.conditioning.tensors import DType, Tensor, to_npz, to_safetensors
from embedder.media import Modality
from service.messages import ItemError, QueryPart, SearchHit, TimingMs

FileFormat = Literal["safetensors", "npz"]
"""Files that hold tensors, where they are not asked for as what a wire has of its own."""


@dataclass(frozen=True, slots=True)
class ProfileInfo:
    """A target, and the served models whose vectors can be led there."""

    profile: Profile
    ready_models: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditionQuery:
    """A question; `embedder.conditioning.condition.Request` says what most of it means.

    Attributes:
        inputs: At least one.
        negative_inputs: What to lead away from.
        model: None means that of the collection, or else the default one.
        collection: Whose items are named, whose pictures bridges and diagnostics look among.
    """

    inputs: Sequence[QueryPart]
    negative_inputs: Sequence[QueryPart] = ()
    model: str | None = None
    collection: str | None = None
    profile: str = "kindred-raw"
    bridge: Choice = field(default_factory=Choice)
    mix: Mix = Mix.MEAN
    num_vectors: int = 1
    seed: int | None = None
    cfg: bool = True
    noise_level: int | None = None
    dtype: DType = DType.F32


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ConditionAnswer:
    """The answer to `Conditions.condition`; see `embedder.conditioning.condition.Conditioned`.

    Attributes:
        nearest: The nearest pictures of the collection to the first condition.
        treatments: What preprocessing did to each input, the negative ones last.
    """

    model: str
    space: str
    tensors: Mapping[str, Tensor]
    call: Call
    profile: str
    profile_version: int
    norm: float
    adapter: str
    seed: int
    bridge_used: str
    per_input: tuple[InputReport, ...]
    diagnostics: Diagnostics
    nearest: tuple[SearchHit, ...]
    warnings: tuple[str, ...]
    treatments: tuple[Treatment, ...]
    timing_ms: TimingMs

    def file(self, form: FileFormat) -> bytes:
        """Returns the tensors as one file.

        Raises:
            UnfitForTarget: If they are bfloat16, which NumPy's archive can't hold.
        """
        if form == "npz":
            return to_npz(self.tensors)
        told = {name: str(getattr(self, name)) for name in ("model", "space", "profile", "seed")}
        return to_safetensors(self.tensors, told)


@dataclass(frozen=True, slots=True)
class PictureAnswer:
    """The answer to `Pictures.generate`.

    Attributes:
        generator: Its id.
        pictures: PNG files.
        seed: Makes the same pictures again.
    """

    generator: str
    pictures: tuple[bytes, ...]
    seed: int
    bridge_used: str
    warnings: tuple[str, ...]
    timing_ms: TimingMs


@dataclass(frozen=True, slots=True)
class Score:
    """How usual a content is among the items of its modality, or why that can't be said.

    Attributes:
        percentile: Share of held-out items, 0..100, that are less usual in the worse of both views;
            near 0 is an outlier.
        density_percentile: Share of held-out items of a lower log density.
        residual_percentile: Share of held-out items that are further off the main directions.
        log_density: Log p of the principal components, in nats: relative, no probability.
        residual: Norm of what the components leave out.
    """

    index: int
    modality: Modality | None = None
    percentile: float | None = None
    density_percentile: float | None = None
    residual_percentile: float | None = None
    log_density: float | None = None
    residual: float | None = None
    error: ItemError | None = None


@dataclass(frozen=True, slots=True)
class DensityInfo:
    """What scores of one modality stand on.

    Attributes:
        kind: "flow" or "gaussian".
        fitted: Items that it was fitted to.
        held_out: Items that the percentiles refer to.
    """

    modality: Modality
    kind: str
    fitted: int
    held_out: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ScoreAnswer:
    """The answer of a collection, by its own name: one score per content, in order."""

    collection: str
    space: str
    scores: tuple[Score, ...]
    densities: tuple[DensityInfo, ...]
    timing_ms: TimingMs
