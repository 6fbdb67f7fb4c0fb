"""Sounds made of noise and sines: seeded, so that they are the same everywhere, and nobody's recordings.

Each function returns five seconds, float32 in [-1, 1] of shape (1, samples). No model of ours is ever
trained on one.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 32_000
SECONDS = 5.0
_LENGTH = int(SAMPLE_RATE * SECONDS)
_TIME = np.arange(_LENGTH) / SAMPLE_RATE

Wave = NDArray[np.float64]


def rain() -> NDArray[np.float32]:
    """Thousands of drops over a hiss."""
    rng = np.random.default_rng(1)
    hiss = _noise(rng, 800, 14_000, tilt=-1.0)
    drops = _scattered(rng, 4_000, lambda: _burst(rng, 0.004, rng.uniform(1_500, 9_000)))
    return _finished(hiss + 0.8 * drops / drops.std(), 0.35)


def sea_waves() -> NDArray[np.float32]:
    """Two breakers that swell, topple and run out."""
    rng = np.random.default_rng(2)
    swell = sum(_bump(peak, 1.0, 1.4) for peak in (1.2, 3.9))
    surf = _noise(rng, 60, 9_000, tilt=-3.0) * (0.08 + swell)
    foam = _noise(rng, 2_500, 12_000, tilt=-1.0) * (
        0.05 + sum(_bump(p, 0.4, 1.6) for p in (1.5, 4.2))
    )
    return _finished(surf + 0.35 * foam, 0.4)


def siren() -> NDArray[np.float32]:
    """A wail that rises and falls between 600 and 1,400 Hz."""
    pitch = 1_000 - 400 * np.cos(2 * np.pi * 0.45 * _TIME)
    return _finished(_harmonics(pitch, [1.0, 0.5, 0.6, 0.25, 0.2, 0.1]), 0.5)


def clock_ticking() -> NDArray[np.float32]:
    """A tick and a tock, four a second, in a wooden case."""
    rng = np.random.default_rng(4)
    tick = _together(
        _struck([2_300, 3_900, 5_600], [0.012, 0.008, 0.006], [1, 0.8, 0.5]),
        0.6 * _burst(rng, 0.002, 5_000),
    )
    tock = _together(
        _struck([1_700, 3_100, 4_700], [0.014, 0.009, 0.006], [1, 0.7, 0.4]),
        0.6 * _burst(rng, 0.002, 4_000),
    )
    wave = _placed([(0.1 + 0.5 * i, tick if i % 2 == 0 else 0.8 * tock) for i in range(10)])
    return _finished(wave + 0.0005 * _noise(rng, 100, 8_000), 0.6)


def engine_idling() -> NDArray[np.float32]:
    """Four cylinders firing unevenly, 26 times a second."""
    rng = np.random.default_rng(5)
    times = np.cumsum(1 / 26 * (1 + 0.03 * rng.standard_normal(140)))
    strokes = [1.0, 0.8, 0.9, 0.75]
    fires = _placed(
        [
            (
                t,
                strokes[i % 4]
                * rng.uniform(0.9, 1.1)
                * _struck([55, 82, 130, 210], [0.03, 0.025, 0.02, 0.012], [1, 0.9, 0.6, 0.4]),
            )
            for i, t in enumerate(times)
        ]
    )
    rattle = _noise(rng, 300, 4_000, tilt=-4.0) * (0.3 + np.abs(fires) / np.abs(fires).max())
    return _finished(fires / fires.std() + 0.35 * rattle, 0.5)


def church_bells() -> NDArray[np.float32]:
    """Three bells, each with hum, prime, tierce, quint and nominal."""
    ratios = [0.5, 1.0, 1.2, 1.5, 2.0, 2.5, 2.67, 3.0, 4.2]
    decays = [2.5, 1.8, 1.3, 1.0, 0.9, 0.5, 0.4, 0.35, 0.2]
    levels = [0.5, 0.7, 0.7, 0.35, 1.0, 0.4, 0.4, 0.4, 0.3]

    def bell(strike: float) -> Wave:
        return _struck([strike * r for r in ratios], decays, levels, seconds=4.0)

    notes = [392.0, 440.0, 523.0]
    return _finished(_placed([(0.05 + 0.8 * i, bell(notes[(2 * i) % 3])) for i in range(6)]), 0.5)


def crickets() -> NDArray[np.float32]:
    """Three insects, each with its own pitch and rhythm."""
    rng = np.random.default_rng(7)
    wave = 0.01 * _noise(rng, 200, 10_000, tilt=-3.0)
    for pitch, rate, offset, level in (
        (4_600, 2.1, 0.0, 1.0),
        (4_250, 1.7, 0.23, 0.6),
        (5_100, 2.6, 0.4, 0.35),
    ):
        pulse = _hump(0.018) * np.sin(
            2 * np.pi * pitch * np.arange(int(0.018 * SAMPLE_RATE)) / SAMPLE_RATE
        )
        chirps = np.arange(offset, SECONDS - 0.2, 1 / rate)
        wave += level * _placed(
            [(t + 0.032 * k, pulse * (0.6 + 0.1 * k)) for t in chirps for k in range(4)]
        )
    return _finished(wave, 0.4)


def thunderstorm() -> NDArray[np.float32]:
    """A crack, a long rumble and rain."""
    rng = np.random.default_rng(8)
    rumble = _noise(rng, 25, 400, tilt=-5.0)
    claps = sum(
        a * _bump(t, 0.15, 1.2) for t, a in ((0.6, 1.0), (1.3, 0.7), (2.2, 0.8), (3.3, 0.4))
    )
    crack = _noise(rng, 200, 5_000, tilt=-4.0) * (
        _bump(0.5, 0.02, 0.25) + 0.6 * _bump(0.75, 0.02, 0.3)
    )
    shake = 1 + 0.5 * _slow(rng, 8.0)
    return _finished(rumble * claps * shake + 0.5 * crack + 0.03 * _noise(rng, 800, 12_000), 0.7)


def helicopter() -> NDArray[np.float32]:
    """Rotor blades beating the air twelve times a second over a turbine."""
    rng = np.random.default_rng(9)
    phase = (_TIME * 12.0) % 1.0
    beat = np.exp(-phase * 7.0)
    blades = _noise(rng, 30, 900, tilt=-4.0) * beat
    turbine = 0.12 * _noise(rng, 500, 6_000, tilt=-3.0) * (0.5 + beat)
    return _finished(blades + turbine, 0.5)


def crackling_fire() -> NDArray[np.float32]:
    """Snaps of wood over a soft roar."""
    rng = np.random.default_rng(10)
    roar = 0.05 * _noise(rng, 40, 1_200, tilt=-4.0)
    snaps = _scattered(
        rng,
        130,
        lambda: rng.pareto(1.6) * _burst(rng, rng.uniform(0.001, 0.006), rng.uniform(1_500, 6_000)),
    )
    return _finished(roar + 0.5 * np.tanh(snaps), 0.6)


def wind() -> NDArray[np.float32]:
    """Gusts that whistle higher as they grow."""
    rng = np.random.default_rng(11)
    gust = np.clip(0.5 + 0.4 * _slow(rng, 0.5), 0.05, 1.2)
    low = _noise(rng, 40, 500, tilt=-4.0)
    high = _noise(rng, 400, 1_600, tilt=-3.0)
    return _finished(low * gust + 0.5 * high * gust**2, 0.4)


def keyboard_typing() -> NDArray[np.float32]:
    """Keys going down and up in an uneven rhythm."""
    rng = np.random.default_rng(12)
    parts = []
    at = 0.1
    while at < SECONDS - 0.2:
        tone = rng.uniform(0.9, 1.15)
        down = _together(
            _burst(rng, 0.006, 3_200 * tone),
            0.7 * _struck([420 * tone, 1_150 * tone], [0.012, 0.008], [1, 0.5]),
        )
        parts += [
            (at, rng.uniform(0.6, 1.0) * down),
            (at + rng.uniform(0.05, 0.09), 0.4 * _burst(rng, 0.004, 4_500 * tone)),
        ]
        at += rng.choice([0.09, 0.12, 0.15, 0.3], p=[0.3, 0.35, 0.25, 0.1]) * rng.uniform(0.85, 1.2)
    return _finished(_placed(parts) + 0.002 * _noise(rng, 100, 6_000), 0.5)


def door_knock() -> NDArray[np.float32]:
    """Four knocks on wood, twice."""
    rng = np.random.default_rng(13)
    knock = _struck(
        [140, 235, 390, 620, 910], [0.06, 0.05, 0.04, 0.03, 0.02], [1, 0.9, 0.6, 0.4, 0.25]
    )
    knock = _together(knock, 0.8 * _burst(rng, 0.003, 1_800))
    times = [0.4, 0.63, 0.86, 1.09, 2.9, 3.13, 3.36, 3.59]
    wave = _placed([(t, rng.uniform(0.8, 1.0) * knock) for t in times])
    return _finished(_echoed(wave, 0.03, 0.25), 0.7)


def birds_chirping() -> NDArray[np.float32]:
    """Whistles that sweep up and down, in phrases."""
    rng = np.random.default_rng(14)
    parts = []
    for start, base, count in ((0.2, 3_200, 5), (1.4, 4_400, 8), (2.5, 3_400, 5), (3.6, 4_700, 9)):
        for i in range(count):
            span = rng.uniform(0.07, 0.13)
            bend = rng.uniform(-900, 1_500)
            parts.append(
                (start + i * 0.13, rng.uniform(0.5, 1.0) * _sweep(base, base + bend, span))
            )
    return _finished(_echoed(_placed(parts), 0.05, 0.15) + 0.003 * _noise(rng, 300, 9_000), 0.5)


def footsteps() -> NDArray[np.float32]:
    """Heel and sole on gravel-free ground, two steps a second."""
    rng = np.random.default_rng(15)
    parts = []
    for i in range(9):
        heel = _struck([90, 180, 330], [0.03, 0.02, 0.015], [1, 0.7, 0.4])
        sole = _together(_burst(rng, 0.025, 900), 0.5 * _burst(rng, 0.05, 2_500))
        parts += [
            (0.2 + 0.53 * i, heel),
            (0.21 + 0.53 * i, 0.5 * sole),
            (0.31 + 0.53 * i, 0.25 * sole),
        ]
    return _finished(_placed(parts) + 0.002 * _noise(rng, 100, 4_000), 0.6)


def vacuum_cleaner() -> NDArray[np.float32]:
    """A motor's whine inside broad noise."""
    rng = np.random.default_rng(16)
    air = _noise(rng, 150, 9_000, tilt=-1.5)
    motor = _harmonics(
        np.full(_LENGTH, 230.0) + 1.5 * _slow(rng, 3.0), [1, 0.6, 0.9, 0.4, 0.5, 0.3, 0.3, 0.2]
    )
    return _finished(air + 0.5 * motor, 0.4)


def alarm_clock() -> NDArray[np.float32]:
    """Four beeps, a pause, four beeps."""
    on = ((_TIME % 1.0) < 0.5) & ((_TIME % 0.125) < 0.07)
    gate = np.convolve(on, np.ones(64) / 64, mode="same")
    return _finished(gate * _harmonics(np.full(_LENGTH, 2_050.0), [1, 0.1, 0.4, 0.05, 0.2]), 0.5)


def car_horn() -> NDArray[np.float32]:
    """Two blasts of two horns a third apart."""
    gate = ((_TIME > 0.3) & (_TIME < 1.4)) | ((_TIME > 1.9) & (_TIME < 4.3))
    smooth = np.convolve(gate, np.ones(640) / 640, mode="same")
    partials = [0.6, 0.9, 1.0, 0.9, 0.7, 0.6, 0.4, 0.3, 0.2, 0.15]
    tone = sum(_harmonics(np.full(_LENGTH, f), partials) for f in (415.0, 494.0))
    return _finished(smooth * tone, 0.5)


def clapping() -> NDArray[np.float32]:
    """A room of people applauding."""
    rng = np.random.default_rng(19)
    parts = []
    for _ in range(24):
        rate, tone = rng.uniform(3.2, 4.8), rng.uniform(900, 2_400)
        times = np.arange(rng.uniform(0, 0.3), SECONDS - 0.1, 1 / rate)
        level = rng.uniform(0.2, 1.0)
        parts += [
            (t + rng.normal(0, 0.012) + 0.02, level * _burst(rng, 0.007, tone)) for t in times
        ]
    return _finished(_echoed(_placed(parts), 0.021, 0.3), 0.5)


def water_drops() -> NDArray[np.float32]:
    """Drops into a basin: bubbles that ring higher as they close."""
    rng = np.random.default_rng(20)
    parts = [
        (
            t,
            _sweep(f, f * 1.35, 0.09)
            * np.exp(-np.arange(int(0.09 * SAMPLE_RATE)) / (0.02 * SAMPLE_RATE)),
        )
        for t, f in zip(
            np.arange(0.3, 4.7, 0.62) + rng.uniform(-0.08, 0.08, 8),
            rng.uniform(900, 1_700, 8),
            strict=True,
        )
    ]
    return _finished(_echoed(_placed(parts), 0.06, 0.35), 0.5)


SOUNDS: Mapping[str, Callable[[], NDArray[np.float32]]] = {
    "rain": rain,
    "sea waves": sea_waves,
    "siren": siren,
    "clock ticking": clock_ticking,
    "engine idling": engine_idling,
    "church bells": church_bells,
    "crickets": crickets,
    "thunderstorm": thunderstorm,
    "helicopter": helicopter,
    "crackling fire": crackling_fire,
    "wind": wind,
    "keyboard typing": keyboard_typing,
    "door knock": door_knock,
    "birds chirping": birds_chirping,
    "footsteps": footsteps,
    "vacuum cleaner": vacuum_cleaner,
    "alarm clock": alarm_clock,
    "car horn": car_horn,
    "clapping": clapping,
    "water drops": water_drops,
}
"""The sounds, by what they are the sound of."""


def _noise(rng: np.random.Generator, low: float, high: float, tilt: float = 0.0) -> Wave:
    """Returns noise of unit power between two frequencies; `tilt` is in dB an octave."""
    spectrum = np.fft.rfft(rng.standard_normal(_LENGTH))
    hertz = np.fft.rfftfreq(_LENGTH, 1 / SAMPLE_RATE)
    safe = np.maximum(hertz, 1.0)
    gain = (safe / low) ** (tilt / 6.02) / (1 + (low / safe) ** 4) / (1 + (hertz / high) ** 4)
    wave = np.fft.irfft(spectrum * gain, _LENGTH)
    return np.asarray(wave / wave.std())


def _slow(rng: np.random.Generator, hertz: float) -> Wave:
    """Returns a slow random curve of unit power."""
    return _noise(rng, hertz / 4, hertz)


def _bump(peak: float, rise: float, fall: float) -> Wave:
    """Returns an envelope that grows for `rise` seconds up to its peak and dies away after it."""
    side = np.where(peak > _TIME, rise, fall)
    return np.asarray(np.exp(-np.abs(_TIME - peak) / side * 2.0))


def _hump(seconds: float) -> Wave:
    return np.hanning(int(seconds * SAMPLE_RATE))


def _burst(rng: np.random.Generator, decay: float, centre: float) -> Wave:
    """Returns a decaying burst of noise around a frequency."""
    length = int(decay * 6 * SAMPLE_RATE)
    time = np.arange(length) / SAMPLE_RATE
    spectrum = np.fft.rfft(rng.standard_normal(length) * np.exp(-time / decay))
    octaves = np.log2(np.maximum(np.fft.rfftfreq(length, 1 / SAMPLE_RATE), 20.0) / centre)
    wave = np.fft.irfft(spectrum * np.exp(-0.7 * octaves**2), length)
    return np.asarray(wave / np.abs(wave).max())


def _struck(
    hertz: Sequence[float], decays: Sequence[float], levels: Sequence[float], seconds: float = 0.5
) -> Wave:
    """Returns the ringing of something that was struck: sines that die away."""
    time = np.arange(int(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    modes = zip(hertz, decays, levels, strict=True)
    return np.asarray(
        sum(a * np.exp(-time / d) * np.sin(2 * np.pi * f * time) for f, d, a in modes)
    )


def _sweep(first: float, last: float, seconds: float) -> Wave:
    """Returns a whistle that glides from one pitch to another."""
    pitch = np.linspace(first, last, int(seconds * SAMPLE_RATE))
    return np.asarray(_hump(seconds) * np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE))


def _harmonics(pitch: Wave, levels: Sequence[float]) -> Wave:
    """Returns a tone of a moving pitch with these levels of its harmonics."""
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    return np.asarray(sum(a * np.sin((i + 1) * phase) for i, a in enumerate(levels)))


def _together(*waves: Wave) -> Wave:
    """Adds waves of any lengths that begin together."""
    out = np.zeros(max(wave.size for wave in waves))
    for wave in waves:
        out[: wave.size] += wave
    return out


def _placed(parts: Iterable[tuple[float, Wave]]) -> Wave:
    """Adds waves at their times, in seconds; what sticks out at the end is cut."""
    out = np.zeros(_LENGTH)
    for at, wave in parts:
        start = max(0, int(at * SAMPLE_RATE))
        piece = wave[: max(0, _LENGTH - start)]
        out[start : start + piece.size] += piece
    return out


def _scattered(rng: np.random.Generator, count: int, make: Callable[[], Wave]) -> Wave:
    """Adds `count` waves at random times and levels."""
    return _placed((rng.uniform(0, SECONDS), rng.uniform(0.1, 1.0) * make()) for _ in range(count))


def _echoed(wave: Wave, delay: float, level: float) -> Wave:
    """Adds fading echoes."""
    out = wave.copy()
    for i in range(1, 6):
        shift = int(delay * i * (1 + 0.13 * i) * SAMPLE_RATE)
        out[shift:] += level**i * wave[: _LENGTH - shift]
    return out


def _finished(wave: Wave, peak: float) -> NDArray[np.float32]:
    """Scales to a peak and returns one channel."""
    return np.asarray(peak * wave / np.abs(wave).max(), dtype=np.float32)[None]
