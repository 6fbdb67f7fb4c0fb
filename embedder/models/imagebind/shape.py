"""The numbers of ImageBind's architecture, as data: a reduced one is another value.

Source: imagebind_huge of arXiv:2305.05665, read from its published weights and its behaviour. Head
counts are the only numbers that the weights do not tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

TOKENS, MELS = 77, 128


@dataclass(frozen=True, slots=True)
class TrunkShape:
    """A transformer.

    Attributes:
        width: Numbers of a token.
        blocks: Blocks of attention and MLP.
        heads: Attention heads.
        extra_key: Whether attention has one learnt key and value beside those of the tokens.
        first_norm: Whether tokens are normalised before the first block.
    """

    width: int
    blocks: int
    heads: int
    extra_key: bool = True
    first_norm: bool = False


@dataclass(frozen=True, slots=True)
class PatchStem:
    """Cuts pictures, films or spectrograms into patches.

    Attributes:
        size: Shape of one input without channels, (rows, columns) or (frames, rows, columns).
        channels: Channels of the input.
        kernel: Of the convolution that reads a patch, as `size`.
        stride: From patch to patch, as `size`.
        name: Of the stem in the checkpoint.
        norm: Whether patches are normalised.
    """

    size: tuple[int, ...]
    channels: int
    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    name: str = "rgbt_stem"
    norm: bool = True

    @property
    def grid(self) -> tuple[int, ...]:
        """Patches along each axis."""
        return tuple(
            (size - kernel) // stride + 1
            for size, kernel, stride in zip(self.size, self.kernel, self.stride, strict=True)
        )


@dataclass(frozen=True, slots=True)
class TextStem:
    """Looks tokens up.

    Attributes:
        vocabulary: Entries of the tokenizer's vocabulary.
        context: Tokens of a text.
    """

    vocabulary: int = 49_408
    context: int = TOKENS


@dataclass(frozen=True, slots=True)
class SignalStem:
    """Cuts the signals of a motion sensor into windows.

    Attributes:
        channels: Signals.
        samples: Samples of each.
        window: Samples of a window.
    """

    channels: int = 6
    samples: int = 2_000
    window: int = 8


@dataclass(frozen=True, slots=True)
class SenseShape:
    """One sense: stem, trunk, and how its vectors are scaled.

    Attributes:
        stem: What makes tokens of an input.
        trunk: What they go through.
        scale: What unit vectors are multiplied by, before weights are loaded; None: nothing.
        learnt_scale: Whether the scale is a parameter; it counts up to 100.
    """

    stem: PatchStem | TextStem | SignalStem
    trunk: TrunkShape
    scale: float | None
    learnt_scale: bool = False


def _picture(width: int, heads: int, scale: float, name: str = "rgbt_stem") -> SenseShape:
    """A one-channel picture: depth or warmth."""
    stem = PatchStem((224, 224), 1, (16, 16), (16, 16), name)
    return SenseShape(stem, TrunkShape(width, 12, heads), scale)


HUGE_SENSES: Mapping[str, SenseShape] = MappingProxyType(
    {
        "vision": SenseShape(
            PatchStem((2, 224, 224), 3, (2, 14, 14), (2, 14, 14), norm=False),
            TrunkShape(1280, 32, 16, extra_key=False, first_norm=True),
            scale=None,
        ),
        "text": SenseShape(
            TextStem(),
            TrunkShape(1024, 24, 16, extra_key=False),
            scale=1 / 0.07,
            learnt_scale=True,
        ),
        "audio": SenseShape(
            PatchStem((MELS, 204), 1, (16, 16), (10, 10)), TrunkShape(768, 12, 12), scale=20.0
        ),
        "depth": _picture(384, 8, scale=5.0, name="depth_stem"),
        "thermal": _picture(768, 12, scale=10.0),
        "imu": SenseShape(SignalStem(), TrunkShape(512, 6, 8), scale=5.0),
    }
)


@dataclass(frozen=True, slots=True)
class ImageBindShape:
    """All senses of one model.

    Attributes:
        dim: Length of a vector.
        senses: By the names that the checkpoint uses.
    """

    dim: int = 1024
    senses: Mapping[str, SenseShape] = field(default_factory=lambda: HUGE_SENSES)


HUGE = ImageBindShape()
