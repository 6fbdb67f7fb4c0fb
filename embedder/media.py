"""What can be embedded: decoded, immutable content that knows its modality.

Nothing here touches a file, a network or a codec; see `embedder.decode` for bytes to `Media`.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from embedder.errors import InvalidMedia


class Modality(StrEnum):
    """The kind of a piece of content. A modality is a value, never a method name."""

    TEXT = "text"
    IMAGE = "image"
    AUDIO = "audio"


@dataclass(frozen=True, slots=True)
class Text:
    """Words in any length; a model truncates what it cannot read and says so."""

    text: str
    modality: ClassVar[Modality] = Modality.TEXT

    def __post_init__(self) -> None:
        """Refuses text without a visible character, and what is no text at all.

        Raises:
            InvalidMedia: If the text is empty or only white space, or holds half a surrogate pair.
        """
        if not self.text.strip():
            raise InvalidMedia("text must hold at least one visible character, got none")
        try:
            self.text.encode()
        except UnicodeEncodeError as exc:
            raise InvalidMedia(f"text must be Unicode, got {self.text[exc.start]!r}") from exc


@dataclass(frozen=True, slots=True, eq=False)
class Image:
    """A picture, upright, in sRGB.

    Attributes:
        pixels: uint8, shape (height, width, 3).
    """

    pixels: NDArray[np.uint8]
    modality: ClassVar[Modality] = Modality.IMAGE

    def __post_init__(self) -> None:
        """Checks the shape and freezes the pixels.

        Raises:
            InvalidMedia: If the array is not a non-empty (height, width, 3) of uint8.
        """
        shape = self.pixels.shape
        if self.pixels.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or 0 in shape:
            raise InvalidMedia(
                "pixels must be uint8 of shape (height, width, 3) with no empty side, "
                f"got {self.pixels.dtype} of shape {shape}"
            )
        self.pixels.flags.writeable = False


@dataclass(frozen=True, slots=True, eq=False)
class Audio:
    """A sound, as it was recorded: neither mixed down nor resampled.

    Attributes:
        samples: float32 in about [-1, 1], shape (channels, samples).
        sample_rate: Samples a second.
    """

    samples: NDArray[np.float32]
    sample_rate: int
    modality: ClassVar[Modality] = Modality.AUDIO

    def __post_init__(self) -> None:
        """Checks shape, rate and values, and freezes the samples.

        Raises:
            InvalidMedia: If there is no sample, one is not finite, or the rate is not positive.
        """
        shape = self.samples.shape
        if self.samples.dtype != np.float32 or len(shape) != 2 or 0 in shape:
            raise InvalidMedia(
                "samples must be float32 of shape (channels, samples) with at least one sample, "
                f"got {self.samples.dtype} of shape {shape}"
            )
        if self.sample_rate <= 0:
            raise InvalidMedia(f"sample_rate must be positive, got {self.sample_rate}")
        if not np.isfinite(self.samples).all():
            raise InvalidMedia("samples must be finite, got NaN or infinity")
        self.samples.flags.writeable = False

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return float(self.samples.shape[1] / self.sample_rate)


Media = Text | Image | Audio
