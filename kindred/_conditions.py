"""The calls about conditioning. See `kindred._calls`."""

from collections.abc import Iterable
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

from kindred._answers import File
from kindred._calls import Call, Priority
from kindred._conditioned import Conditioned, DType, Pictures, Profile, Scores
from kindred._content import ContentLike, Parts
from kindred._errors import InvalidArgument

Bridge = Literal["auto", "none", "mean_shift", "linear", "knn", "prior"]
Mix = Literal["mean", "slerp", "stack"]
FileFormat = Literal["safetensors", "npz"]


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
        priority: "interactive" goes before "bulk"; None means interactive.

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
    priority: Priority | None = None


@dataclass(frozen=True)
class ConditionFile(Call[File]):
    """The same, as one file; `condition_file` makes it."""

    condition: Condition
    format: FileFormat = "safetensors"

    @property
    def priority(self) -> Priority | None:
        """As of what the file holds."""
        return self.condition.priority


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
        priority: "interactive" goes before "bulk"; None means interactive.

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
    priority: Priority | None = None


@dataclass(frozen=True)
class ScoreItems(Call[Scores]):
    """Tells how usual contents are among a collection's items of their modality.

    Args:
        collection: The collection.
        contents: What is compared; a bad one, or one of a modality with too few items, has an
            error in its place.
        priority: "interactive" goes before "bulk"; None means interactive.

    Raises:
        NotFound: If there is no such collection.
    """

    collection: str
    contents: ContentLike | Iterable[ContentLike]
    _: KW_ONLY
    priority: Priority | None = None
