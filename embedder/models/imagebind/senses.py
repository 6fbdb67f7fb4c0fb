"""Media to what ImageBind's towers read, in NumPy and Pillow; the original's every step and order.

Parity with the original matters more than taste here: pictures lose what a centre crop loses, only
the first channel of a sound is heard, and only six seconds of a long one.
"""

from dataclasses import dataclass

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from embedder.features.kaldi import FRAME, SAMPLE_RATE, filterbank
from embedder.features.resampling import resample
from embedder.media import Audio, Image

SIDE = 224

_LONGEST = 64
"""How often the short side may go into the long one before a strip's ends are cut."""

CLIP_MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)[:, None, None]
CLIP_STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)[:, None, None]
"""Of the pixels that CLIP was trained on (arXiv:2103.00020), by channel."""

CLIPS = 3
CLIP_SAMPLES = 2 * SAMPLE_RATE
FRAMES = 204
MEL_MEAN, MEL_DEVIATION = np.float32(-4.268), np.float32(9.138)


def picture(image: Image) -> NDArray[np.float32]:
    """Returns the middle of a picture, shape (3, 224, 224), normalised as CLIP's pictures are."""
    pixels = np.asarray(_middle(PIL.Image.fromarray(image.pixels)))
    planes = pixels.transpose(2, 0, 1).astype(np.float32) / np.float32(255)
    return (planes - CLIP_MEAN) / CLIP_STD


def _middle(whole: PIL.Image.Image) -> PIL.Image.Image:
    """Shrinks the short side to 224 and cuts the long one; offsets round half to even."""
    whole = _without_far_ends(whole)
    width, height = whole.size
    short = min(width, height)
    if short != SIDE:
        size = (int(SIDE * width / short), int(SIDE * height / short))
        whole = whole.resize(size, PIL.Image.Resampling.BICUBIC)
    left, top = round((whole.width - SIDE) / 2), round((whole.height - SIDE) / 2)
    return whole.crop((left, top, left + SIDE, top + SIDE))


def _without_far_ends(whole: PIL.Image.Image) -> PIL.Image.Image:
    """Cuts what lies far from the middle of a strip: enlarged, it would need gigabytes."""
    width, height = whole.size
    most = _LONGEST * min(width, height)
    left, top = max(width - most, 0) // 2, max(height - most, 0) // 2
    return whole.crop((left, top, width - left, height - top)) if left or top else whole


@dataclass(frozen=True, slots=True, eq=False)
class HeardClips:
    """What the audio tower reads of one sound.

    Attributes:
        clips: float32, shape (3, 1, 128 bands, 204 frames).
        resampled: Whether the sound had another rate than 16 kHz.
        padded: Whether the sound was shorter than a clip of two seconds.
        truncated: Whether parts of it lie in no clip.
    """

    clips: NDArray[np.float32]
    resampled: bool
    padded: bool
    truncated: bool


def clips(audio: Audio) -> HeardClips:
    """Returns three clips of two seconds: the beginning, the middle and the end of a sound.

    A shorter sound is heard whole three times. As in the original, each clip's mean is taken from
    the sound itself, so that a clip which overlaps an earlier one finds it already moved.
    """
    sound = np.array(resample(audio.samples, audio.sample_rate, SAMPLE_RATE), np.float32)
    samples = sound.shape[1]
    if samples < FRAME:
        sound = np.pad(sound, ((0, 0), (0, FRAME - samples)))
    last = max(samples - CLIP_SAMPLES, 0)
    spectrograms = []
    for number in range(CLIPS):
        start = number * last // (CLIPS - 1)
        clip = sound[:, start : start + CLIP_SAMPLES]
        clip -= clip.mean(dtype=np.float32)
        spectrograms.append(_spectrogram(clip[0]))
    return HeardClips(
        clips=np.stack(spectrograms),
        resampled=audio.sample_rate != SAMPLE_RATE,
        padded=samples < CLIP_SAMPLES,
        truncated=samples > CLIPS * CLIP_SAMPLES,
    )


def _spectrogram(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns (1, 128, 204): silence is padded with zeros before, not after, the scaling."""
    mel = filterbank(samples).T[:, :FRAMES]
    mel = np.pad(mel, ((0, 0), (0, FRAMES - mel.shape[1])))
    return ((mel - MEL_MEAN) / MEL_DEVIATION)[None]
