"""Sounds to log-mel patches: the front end of YAMNet, in NumPy.

A sound is mixed to mono, resampled to 16 kHz, looped until it fills one patch, and cut into windows
of at most ten seconds; a window becomes a log-mel spectrogram, and that patches of 0.96 s.

The numbers are YAMNet's (github.com/tensorflow/models, research/audioset/yamnet/params.py), so that
a network that has learnt from YAMNet sees what its teacher saw.
"""

from dataclasses import dataclass

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from embedder.errors import InvalidMedia
from embedder.media import Audio

SAMPLE_RATE = 16_000
FRAME = 400  # 25 ms
FRAME_HOP = 160  # 10 ms
FFT = 512
MEL_BANDS = 64
MEL_LOW_HZ, MEL_HIGH_HZ = 125.0, 7_500.0
LOG_OFFSET = 0.001
PATCH_FRAMES = 96
PATCH_HOP = 48
PATCH_SAMPLES = FRAME + (PATCH_FRAMES - 1) * FRAME_HOP
WINDOW_SAMPLES = 10 * SAMPLE_RATE

_BLOCK = 12
"""Frames of one matrix product: OpenBLAS shares products of more than 2**18 multiplications between
threads, whose waiting for each other takes fifty times as long as the product."""

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class AudioPatches:
    """What the audio tower reads of one sound, and what was done to get there.

    Attributes:
        patches: float32, shape (windows, patches, 96 frames, 64 bands); windows are equally long.
        resampled: Whether the sound had another rate than 16 kHz.
        looped: Whether the sound was shorter than a patch and was repeated.
    """

    patches: NDArray[np.float32]
    resampled: bool
    looped: bool


def prepare_audio(audio: Audio) -> AudioPatches:
    """Returns the patches of a sound of any length.

    Raises:
        InvalidMedia: If nothing is left of the sound at 16 kHz.
    """
    samples = mono_16k(audio)
    return AudioPatches(
        patches=np.stack([patches(log_mel(window)) for window in windows(looped(samples))]),
        resampled=audio.sample_rate != SAMPLE_RATE,
        looped=samples.size < PATCH_SAMPLES,
    )


def mono_16k(audio: Audio) -> Samples:
    """Returns the mean of the channels at 16 kHz, shape (samples,).

    Raises:
        InvalidMedia: If the sound is too short to leave one sample at 16 kHz.
    """
    mono: Samples = audio.samples.mean(axis=0, dtype=np.float32)
    if audio.sample_rate == SAMPLE_RATE:
        return mono
    samples = soxr.resample(mono, audio.sample_rate, SAMPLE_RATE)
    if not samples.size:
        raise InvalidMedia(
            f"a sound must last at least one sample at {SAMPLE_RATE} Hz, "
            f"got {mono.size} at {audio.sample_rate} Hz"
        )
    return np.asarray(samples, dtype=np.float32)


def looped(samples: Samples) -> Samples:
    """Returns the samples, repeated from their beginning where they do not fill a patch."""
    return samples if samples.size >= PATCH_SAMPLES else np.resize(samples, PATCH_SAMPLES)


def windows(samples: Samples) -> list[Samples]:
    """Cuts windows of at most ten seconds; the last ends with the sound and may overlap."""
    return [
        samples[start : start + WINDOW_SAMPLES] for start in starts(samples.size, WINDOW_SAMPLES)
    ]


def log_mel(samples: Samples) -> NDArray[np.float32]:
    """Returns the log-mel spectrogram of whole 25 ms frames, shape (frames, 64)."""
    frames = sliding_window_view(samples, FRAME)[::FRAME_HOP] * _HANN
    magnitude = np.abs(np.fft.rfft(frames, FFT, axis=1))
    blocks = range(0, len(magnitude), _BLOCK)
    mel = np.concatenate([magnitude[i : i + _BLOCK] @ _MEL_WEIGHTS for i in blocks])
    return np.asarray(np.log(mel + LOG_OFFSET), dtype=np.float32)


def patches(spectrogram: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cuts a spectrogram of at least 96 frames into patches, shape (patches, 96, 64).

    A patch starts every 48 frames; the last one ends with the spectrogram: no frame is lost.
    """
    begin = starts(len(spectrogram), PATCH_FRAMES, PATCH_HOP)
    return np.stack([spectrogram[i : i + PATCH_FRAMES] for i in begin])


def starts(length: int, size: int, hop: int | None = None) -> list[int]:
    """Returns where pieces of `size` begin that cover `length`, the last one flush with the end."""
    last = max(length - size, 0)
    return [*range(0, last, hop or size), last]


def _mel(hertz: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """The mel scale of HTK (Young et al., The HTK Book, section 5.4)."""
    return 1127.0 * np.log1p(np.asarray(hertz) / 700.0)


def _mel_weights() -> NDArray[np.float32]:
    """Triangles that are straight in mel, shape (257 bins, 64 bands), without the constant bin."""
    bins = _mel(np.linspace(0.0, SAMPLE_RATE / 2, FFT // 2 + 1))[:, None]
    edges = np.linspace(_mel(MEL_LOW_HZ), _mel(MEL_HIGH_HZ), MEL_BANDS + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (bins - left) / (centre - left), (right - bins) / (right - centre)
    weights = np.maximum(0.0, np.minimum(rise, fall))
    weights[0] = 0.0
    return weights.astype(np.float32)


_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / FRAME)).astype(np.float32)
_MEL_WEIGHTS = _mel_weights()
