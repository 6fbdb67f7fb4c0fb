"""What sounds are made of: noise, bursts, ringing, whistles and echoes, five seconds long."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 32_000
SECONDS = 5.0
LENGTH = int(SAMPLE_RATE * SECONDS)
TIME = np.arange(LENGTH) / SAMPLE_RATE
"""Seconds since the beginning, shape (LENGTH,)."""

Wave = NDArray[np.float64]
Random = np.random.Generator


def noise(rng: Random, low: float, high: float, tilt: float = 0.0) -> Wave:
    """Returns noise of unit power between two frequencies; `tilt` is in dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(LENGTH))
    hertz = np.fft.rfftfreq(LENGTH, 1 / SAMPLE_RATE)
    safe = np.maximum(hertz, 1.0)
    gain = (safe / low) ** (tilt / 6.02) / (1 + (low / safe) ** 4) / (1 + (hertz / high) ** 4)
    wave = np.fft.irfft(spectrum * gain, LENGTH)
    return np.asarray(wave / wave.std())


def slow(rng: Random, hertz: float) -> Wave:
    """Returns a slow random curve of unit power."""
    return noise(rng, hertz / 4, hertz)


def steady(value: float) -> Wave:
    """Returns a curve that does not change."""
    return np.full(LENGTH, value)


def swell(peak: float, rise: float, fall: float) -> Wave:
    """Returns an envelope that grows for `rise` seconds up to its peak and dies away after it."""
    side = np.where(peak > TIME, rise, fall)
    return np.asarray(np.exp(-np.abs(TIME - peak) / side * 2.0))


def gate(on: NDArray[np.bool_], ramp: int) -> Wave:
    """Returns an envelope that is 1 where `on` is true, with ramps of so many samples."""
    return np.convolve(on, np.ones(ramp) / ramp, mode="same")


def hump(seconds: float) -> Wave:
    """Returns a bell-shaped envelope of this length."""
    return np.hanning(int(seconds * SAMPLE_RATE))


def burst(rng: Random, decay: float, centre: float) -> Wave:
    """Returns a decaying burst of noise around a frequency."""
    length = int(decay * 6 * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    spectrum = np.fft.rfft(rng.standard_normal(length) * np.exp(-time / decay))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 20.0) / centre)
    wave = np.fft.irfft(spectrum * np.exp(-0.7 * octaves**2), length)
    return np.asarray(wave / np.abs(wave).max())


def struck(
    hertz: Sequence[float] | Wave,
    decays: Sequence[float] | Wave,
    levels: Sequence[float] | Wave,
    seconds: float = 0.5,
) -> Wave:
    """Returns the ringing of something that was struck: sines that die away."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    wave = np.zeros(time.size)
    for pitch, decay, level in zip(hertz, decays, levels, strict=True):
        wave += level * np.exp(-time / decay) * np.sin(2 * np.pi * pitch * time)
    return wave


def sweep(first: float, last: float, seconds: float) -> Wave:
    """Returns a whistle that glides from one pitch to another."""
    pitch = np.linspace(first, last, int(seconds * SAMPLE_RATE))
    return np.asarray(hump(seconds) * np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE))


def harmonics(pitch: Wave, levels: Sequence[float]) -> Wave:
    """Returns a tone of a moving pitch with these levels of its harmonics."""
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    wave = np.zeros(phase.size)
    for number, level in enumerate(levels, start=1):
        wave += level * np.sin(number * phase)
    return wave


def voiced(pitch: Wave, formants: Iterable[tuple[Wave, float, float]]) -> Wave:
    """Returns a voice: harmonics of a moving pitch, let through by formants.

    Args:
        pitch: In Hz, shape (n,).
        formants: Of each its moving centre and its width in Hz, and its level.
    """
    phase, resonances = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE, tuple(formants)
    wave = np.zeros(phase.size)
    for number in range(1, 22):
        level = np.full(phase.size, 0.02)
        for centre, width, strength in resonances:
            level += strength / (1 + ((number * pitch - centre) / width) ** 2)
        heard = number * pitch < SAMPLE_RATE * 0.44
        wave += heard * level / np.sqrt(number) * np.sin(number * phase)
    return wave


def together(*waves: Wave) -> Wave:
    """Adds waves of any lengths that begin together."""
    out = np.zeros(max(wave.size for wave in waves))
    for wave in waves:
        out[: wave.size] += wave
    return out


def placed(parts: Iterable[tuple[float, Wave]]) -> Wave:
    """Adds waves at their times, in seconds; what sticks out at the end is cut."""
    out = np.zeros(LENGTH)
    for at, wave in parts:
        start = max(0, int(at * SAMPLE_RATE))
        piece = wave[: max(0, LENGTH - start)]
        out[start : start + piece.size] += piece
    return out


def scattered(rng: Random, count: int, make: Callable[[], Wave]) -> Wave:
    """Adds `count` waves at random times and levels."""
    return placed((rng.uniform(0, SECONDS), rng.uniform(0.1, 1.0) * make()) for _ in range(count))


def echoed(wave: Wave, delay: float, level: float) -> Wave:
    """Adds five fading echoes."""
    out = wave.copy()
    for number in range(1, 6):
        shift = int(delay * number * (1 + 0.13 * number) * SAMPLE_RATE)
        out[shift:] += level**number * wave[: LENGTH - shift]
    return out


def in_a_room(rng: Random, wave: Wave, level: float) -> Wave:
    """Adds the murmur of a room, at this level against the wave's peak."""
    return np.asarray(wave / np.abs(wave).max() + level * noise(rng, 80, 6_000, tilt=-3.0))


def finished(wave: Wave, peak: float = 0.5) -> NDArray[np.float32]:
    """Scales to a peak and returns one channel, float32 of shape (1, LENGTH)."""
    return np.asarray(peak * wave / np.abs(wave).max(), dtype=np.float32)[None]
