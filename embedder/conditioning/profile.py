"""What a target takes: everything that projects before this one left to folklore, as data.

A target is a pipeline's argument that listens to a vector. It states the shape, the scale, what
guidance is measured against, and in which encoder's space the vector lies. `profiles` holds one
entry a target; `contract` holds what is handed over against it.
"""

import fnmatch
from dataclasses import dataclass
from enum import StrEnum

from embedder.errors import ConditioningError


class Axis(StrEnum):
    """An axis whose length a profile leaves open.

    BATCH is one row per vector asked for, BOTH the same twice where guidance is asked for: first
    what it is measured against. ONE is a batch that the pipeline repeats by itself. VECTORS are
    those kept apart, TOKENS those of a fitted projector, DIM is that of the served space.
    """

    BATCH = "B"
    BOTH = "2B"
    ONE = "1"
    VECTORS = "N"
    TOKENS = "T"
    DIM = "D"


class Holds(StrEnum):
    """What of a condition an argument holds: the condition itself, or what it is measured against.

    POOLED is one more view of the same input, which SDXL takes beside its tokens.
    """

    CONDITION = "condition"
    NEGATIVE = "negative"
    POOLED = "pooled"
    NEGATIVE_POOLED = "negative_pooled"


class Unconditional(StrEnum):
    """Where the other side of classifier-free guidance comes from.

    INSIDE: the pipeline makes it, and takes none. ZEROS: zeros, which Kindred writes. SHIPPED: a
    vector that only the target's encoder can make, kept in an adapter.
    """

    INSIDE = "inside"
    ZEROS = "zeros"
    SHIPPED = "shipped"


class Scale(StrEnum):
    """Which size a target expects: unit norm, its encoder's own norm, or what a projector gives."""

    UNIT = "unit"
    NORM = "norm"
    FITTED = "fitted"


@dataclass(frozen=True, slots=True)
class Argument:
    """One tensor of a pipeline's call.

    Attributes:
        name: Keyword of the call, and name of the tensor.
        axes: Its shape: lengths, and axes that the profile leaves open.
        holds: What is in it.
        listed: Whether the call takes it inside a list, one tensor per adapter that is loaded.
        spelled: Whether the call wants to hear of it where there is none: as None.
    """

    name: str
    axes: tuple[Axis | int, ...]
    holds: Holds = Holds.CONDITION
    listed: bool = False
    spelled: bool = False


@dataclass(frozen=True, slots=True)
class NoiseLevels:
    """How far a target lets its vector be blurred: 0 takes it literally.

    Attributes:
        most: The largest level; the least is 0.
        pictures: What is proposed where every input is a picture.
        others: What is proposed elsewhere, since blur hides part of the gap between modalities.
    """

    most: int = 999
    pictures: int = 0
    others: int = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """One target.

    Attributes:
        id: What it is asked for by.
        description: One sentence.
        library: What the class is imported from; empty where nothing is called.
        class_name: The pipeline.
        encoder: Whose picture vectors it was trained on.
        dim: Length of such a vector; 0 for that of the served space.
        arguments: The tensors of the call.
        unconditional: Where the other side of guidance comes from.
        scale: Which size is expected.
        norm: Mean norm of the encoder's vectors of pictures, nominal until an adapter has measured
            it on the target's own.
        native: Names of models, with wildcards, whose vectors of pictures are the encoder's own.
        most_vectors: How many vectors it keeps apart where they are not mixed into one.
        noise_levels: None where it takes no level.
        checkpoint: Published weights that the class is made of, by their name on the Hub.
        prepare: Lines of Python between making the pipeline and calling it.
        components: Parts of the pipeline that must be there even though vectors are given.
        prompted: Whether the call wants a prompt, or prompt_embeds, beside the vector.
        guidance: Keyword of how strongly to guide; at 1 nothing is measured against anything.
        needs: What else the call wants, each a phrase.
        version: Changes when the same question would give other tensors.
    """

    id: str
    description: str
    encoder: str
    dim: int
    arguments: tuple[Argument, ...]
    library: str = "diffusers"
    class_name: str = ""
    unconditional: Unconditional = Unconditional.INSIDE
    scale: Scale = Scale.NORM
    norm: float = 1.0
    native: tuple[str, ...] = ()
    most_vectors: int = 1
    noise_levels: NoiseLevels | None = None
    checkpoint: str = ""
    prepare: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    prompted: bool = False
    guidance: str = "guidance_scale"
    needs: tuple[str, ...] = ()
    version: int = 1

    @property
    def argument(self) -> Argument:
        """The argument that the condition goes into."""
        return self.holding(Holds.CONDITION)

    @property
    def batched(self) -> bool:
        """Whether several conditions can be asked for in one call."""
        return Axis.ONE not in self.argument.axes

    @property
    def takes_negative(self) -> bool:
        """Whether a negative of one's own can be given as a vector."""
        return self.unconditional is not Unconditional.INSIDE

    def holding(self, what: Holds) -> Argument:
        """Returns the argument that holds this.

        Raises:
            ConditioningError: If none does.
        """
        for argument in self.arguments:
            if argument.holds is what:
                return argument
        raise ConditioningError(f"profile {self.id} has no argument for a {what} vector")

    def serves(self, encoder: str) -> bool:
        """Returns whether a model's vectors of pictures are the target's own, but for their norm.

        Args:
            encoder: Name of the model; of one that was taught another sense, its base's.
        """
        return any(fnmatch.fnmatchcase(encoder, pattern) for pattern in self.native)
