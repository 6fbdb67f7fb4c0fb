"""What can be embedded: decoded, immutable content that knows its modality.

Nothing here touches a file, a network or a codec; see `embedder.decode` for bytes to `Media`.
"""

import math
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

    def cut(self, start: float, end: float) -> "Audio":
        """Returns what is heard from one second to another."""
        first, last = round(start * self.sample_rate), round(end * self.sample_rate)
        return Audio(self.samples[:, first:last], self.sample_rate)


@dataclass(frozen=True, slots=True, eq=False)
class Video:
    """What is seen of a film: some of its frames, upright, in sRGB.

    Its modality is that of pictures, since that is where its vector lies. What is heard of it is an
    `Audio` like any other: a vector lies in one cone of a space and an item in one index, so a film
    that is to be found by both senses is two items.

    Attributes:
        frames: uint8, shape (n, height, width, 3).
        numbers: Which frame of the film each is, ascending, the first of all being 0; shape (n,).
        count: How many frames the whole film has.
        rate: Frames a second, on average.
    """

    frames: NDArray[np.uint8]
    numbers: NDArray[np.int64]
    count: int
    rate: float
    modality: ClassVar[Modality] = Modality.IMAGE

    def __post_init__(self) -> None:
        """Checks shapes, numbers and rate, and freezes the frames.

        Raises:
            InvalidMedia: If there is no frame, a number is out of order or range, or the rate is
                not positive.
        """
        shape, numbers = self.frames.shape, self.numbers
        if self.frames.dtype != np.uint8 or len(shape) != 4 or shape[3] != 3 or 0 in shape:
            raise InvalidMedia(
                "frames must be uint8 of shape (n, height, width, 3) with no empty side, "
                f"got {self.frames.dtype} of shape {shape}"
            )
        if numbers.shape != shape[:1] or numbers[0] < 0 or (np.diff(numbers) <= 0).any():
            raise InvalidMedia("frames must have one number each, and those ascend from 0 or later")
        if self.count <= numbers[-1]:
            raise InvalidMedia(f"count must be more than {numbers[-1]}, got {self.count}")
        if not 0 < self.rate < np.inf:
            raise InvalidMedia(f"rate must be positive and finite, got {self.rate}")
        self.frames.flags.writeable = False

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.count / self.rate

    def cut(self, start: float, end: float) -> "Video | None":
        """Returns what is seen from one second to another; None if no frame of it is here."""
        first, last = math.ceil(start * self.rate), min(math.ceil(end * self.rate), self.count)
        seen = (first <= self.numbers) & (self.numbers < last)
        if not seen.any():
            return None
        return Video(self.frames[seen], self.numbers[seen] - first, last - first, self.rate)


Single = Text | Image | Audio
"""What a tower reads as one."""

Media = Single | Video
