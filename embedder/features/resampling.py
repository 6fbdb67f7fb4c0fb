"""Changes a sound's sample rate as torchaudio does, for models that learnt from such sounds."""

import math

import numpy as np
import soxr
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_ZEROS = 6
"""Zero crossings of the sinc on each side."""

_ROLLOFF = 0.99
"""Cut-off, as a share of the lower of the two Nyquist frequencies."""

_MOST_TAPS = 2**22
"""Taps of all phases together: rates without a common divisor would need gigabytes of them."""


def resample(samples: NDArray[np.float32], source: int, target: int) -> NDArray[np.float32]:
    """Returns channels (channels, samples) at another rate, by a Hann-windowed sinc.

    The filter is that of torchaudio's `resample` with its defaults. Rates so odd that its table
    would be huge go through soxr instead, which differs from it near the Nyquist frequency only.
    """
    if source == target:
        return samples
    divisor = math.gcd(source, target)
    a, b = source // divisor, target // divisor
    width = math.ceil(_ZEROS * a / (_ROLLOFF * min(a, b)))
    if b * (2 * width + a) > _MOST_TAPS:
        return np.asarray(soxr.resample(samples.T, source, target), np.float32).T
    kernel = _kernel(a, b, width)
    padded = np.pad(samples, ((0, 0), (width, width + a)))
    pieces = sliding_window_view(padded, 2 * width + a, axis=1)[:, ::a]
    phases = pieces @ kernel.T  # (channels, pieces, phases)
    wanted = math.ceil(b * samples.shape[1] / a)
    return np.ascontiguousarray(phases.reshape(len(samples), -1)[:, :wanted], dtype=np.float32)


def _kernel(a: int, b: int, width: int) -> NDArray[np.float32]:
    """Returns the filter of each output phase, shape (b, 2 * width + a)."""
    base = _ROLLOFF * min(a, b)
    taps = np.arange(-width, width + a) / a
    phases = np.arange(b)[:, None] / b
    t = np.clip((taps - phases) * base, -_ZEROS, _ZEROS)
    window = np.cos(np.pi * t / (2 * _ZEROS)) ** 2
    return np.asarray(np.sinc(t) * window * (base / a), dtype=np.float32)
