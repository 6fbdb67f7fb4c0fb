"""The log-mel filterbank of Kaldi, in NumPy, as ImageBind's audio tower reads it.

The numbers are Kaldi's defaults (kaldi-asr.org, feature-window.h and mel-computations.h) with a
Hann window, 128 bands and no dither. Samples keep the scale [-1, 1].
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SAMPLE_RATE = 16_000
FRAME = 400  # 25 ms
FRAME_HOP = 160  # 10 ms
FFT = 512
BANDS = 128
LOW_HZ, HIGH_HZ = 20.0, 8_000.0
PRE_EMPHASIS = 0.97
LEAST_POWER = float(np.finfo(np.float32).eps)

_BLOCK = 8
"""Frames of one matrix product: OpenBLAS would share longer ones between threads that wait for each
other far longer than the product takes."""

Samples = NDArray[np.float32]


def filterbank(samples: Samples) -> NDArray[np.float32]:
    """Returns the log-mel energies of whole 25 ms frames, shape (frames, 128).

    Args:
        samples: float32 at 16 kHz, shape (samples,), at least one frame of them.
    """
    frames = sliding_window_view(samples, FRAME)[::FRAME_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - np.float32(PRE_EMPHASIS) * before) * _HANN
    power = np.square(np.abs(np.fft.rfft(frames, FFT, axis=1))).astype(np.float32)[:, :-1]
    blocks = range(0, len(power), _BLOCK)
    energies = np.concatenate([power[i : i + _BLOCK] @ _MEL_WEIGHTS for i in blocks])
    return np.asarray(np.log(np.maximum(energies, np.float32(LEAST_POWER))), np.float32)


def _mel(hertz: NDArray[np.float32] | float) -> NDArray[np.float32]:
    """The mel scale of HTK (Young et al., The HTK Book, section 5.4)."""
    return np.asarray(1127.0 * np.log(1.0 + np.asarray(hertz) / 700.0), dtype=np.float32)


def _mel_weights() -> NDArray[np.float32]:
    """Triangles that are straight in mel, shape (256 bins, 128 bands); the Nyquist bin has none.

    In float32, as the networks met them: in float64 a band may move by 2e-4.
    """
    hertz = np.float32(SAMPLE_RATE / FFT) * np.arange(FFT // 2, dtype=np.float32)
    bins = _mel(hertz)[:, None]
    low, high = float(_mel(LOW_HZ)), float(_mel(HIGH_HZ))
    step = (high - low) / (BANDS + 1)
    edges = np.float32(low) + np.arange(BANDS + 2, dtype=np.float32) * np.float32(step)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    rise, fall = (bins - left) / (centre - left), (right - bins) / (right - centre)
    return np.maximum(np.float32(0.0), np.minimum(rise, fall))


_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FRAME) / (FRAME - 1))).astype(np.float32)
_MEL_WEIGHTS = _mel_weights()
