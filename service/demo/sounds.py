"""Sounds made of noise and sines: seeded, the same everywhere, and nobody's recordings.

Each function returns five seconds, float32 in [-1, 1] of shape (1, samples). No model of ours is
ever trained on one. Where a number looks odd, it was found by trying: it is the one with which
YAMNet, a public sound classifier that has taught our model, most clearly hears what is meant.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from service.demo.waves import (
    SAMPLE_RATE,
    SECONDS,
    TIME,
    Wave,
    burst,
    echoed,
    finished,
    gate,
    harmonics,
    hump,
    in_a_room,
    noise,
    placed,
    scattered,
    slow,
    steady,
    struck,
    sweep,
    swell,
    together,
    voiced,
)

__all__ = ["SAMPLE_RATE", "SOUNDS"]

Samples = NDArray[np.float32]


def rain() -> Samples:
    """Thousands of drops over a hiss."""
    rng = np.random.default_rng(7)
    hiss = noise(rng, 800, 14_000, tilt=-1.0)
    drops = scattered(rng, 4_000, lambda: burst(rng, 0.004, rng.uniform(1_500, 9_000)))
    return finished(hiss + 0.8 * drops / drops.std(), 0.35)


def sea_waves() -> Samples:
    """Two breakers that swell, topple and run out."""
    rng = np.random.default_rng(7)
    swells = sum(swell(peak, 0.91, 1.89) for peak in (1.2, 3.9))
    surf = noise(rng, 138, 9_000, tilt=-5.0) * (0.027 + swells)
    foam = noise(rng, 2_500, 12_000, tilt=-1.0)
    return finished(surf + 0.38 * foam * (0.05 + sum(swell(peak, 0.4, 0.8) for peak in (1.5, 4.2))))


def siren() -> Samples:
    """A wail that climbs from 700 to 1,430 Hz and sinks again, in a street."""
    pitch = 1_070 - 362 * np.cos(2 * np.pi * 0.15 * TIME)
    wail = echoed(harmonics(pitch, [1.0, 0.1, 0.2, 0.45, 0.315]), 0.06, 0.37)
    return finished(wail + 0.3 * noise(np.random.default_rng(7), 80, 3_000, tilt=-3.0))


def clock_ticking() -> Samples:
    """A tick and a tock, in a wooden case."""
    rng = np.random.default_rng(7)

    def beat(pitch: float) -> Wave:
        ring = struck([0.7 * pitch, 1.3 * pitch], [0.0044, 0.0031], [1, 0.6])
        click = together(burst(rng, 0.0028, pitch), 0.49 * burst(rng, 0.0057, pitch / 2.5))
        return together(click, 0.59 * ring)

    tick, tock = beat(4_270), 0.8 * beat(2_562)
    beats = [(0.1 + 0.434 * i, tock if i % 2 else tick) for i in range(11)]
    return finished(in_a_room(rng, echoed(placed(beats), 0.012, 0.32), 0.007))


def engine_idling() -> Samples:
    """A small motor: 45 strokes a second in its noise, and its hum."""
    rng = np.random.default_rng(7)
    stroke = np.cumsum(45.1 * (1 + 0.02 * slow(rng, 3.0))) / SAMPLE_RATE % 1.0
    beat = 0.07 + np.exp(-1.49 * stroke)
    hum = harmonics(22.55 + 0.1 * slow(rng, 3.0), [(i + 1) ** 0.3 for i in range(16)])
    low, high = noise(rng, 150, 2_700, tilt=-1.0), noise(rng, 1_500, 7_000, tilt=-2.0)
    return finished(low * beat + 0.9 * hum / hum.std() + 0.4 * high * beat)


def church_bells() -> Samples:
    """Two bells, each with hum, prime, tierce, quint, nominal and what lies above them."""
    rng = np.random.default_rng(7)
    ratios = np.array([0.5, 1.0, 1.19, 1.5, 2.0, 2.51, 2.66, 3.01, 4.17, 5.43, 6.8])
    seconds = np.array([10, 6, 4.4, 3.2, 2.8, 1.8, 1.4, 1.2, 0.7, 0.5, 0.3])
    levels = np.array([0.54, 0.6, 0.7, 0.3, 1.0, 0.4, 0.4, 0.45, 0.4, 0.3, 0.2]) * ratios**0.333
    # Each partial is two, a little apart, as no bell is quite round: they beat.
    pairs = np.repeat(ratios, 2) * np.tile([1.0, 1.0014], len(ratios))

    def bell(prime: float) -> Wave:
        ring = struck(prime * pairs, np.repeat(seconds, 2), np.repeat(levels, 2), seconds=5.0)
        return rng.uniform(0.7, 1.0) * together(ring, 1.6 * burst(rng, 0.01, 2_500))

    strokes = [(0.05, bell(511)), (1.39, bell(429)), (2.73, bell(511))]
    return finished(in_a_room(rng, echoed(placed(strokes), 0.07, 0.19), 0.019))


def crickets() -> Samples:
    """An insect that chirps three times a second, seven pulses a chirp."""
    rng = np.random.default_rng(7)
    length = 0.0235
    pulse = hump(length) * np.sin(2 * np.pi * 6_240 * TIME[: int(length * SAMPLE_RATE)])
    chirps = np.arange(rng.uniform(0, 0.4), 4.8, 1 / 2.99)
    song = placed((t + 0.0461 * k, (0.6 + 0.1 * k) * pulse) for t in chirps for k in range(7))
    return finished(song / np.abs(song).max() + 0.0055 * noise(rng, 200, 10_000, tilt=-3.0))


def thunderstorm() -> Samples:
    """Four claps that roll on, in rain."""
    rng = np.random.default_rng(7)
    shake = np.clip(1 + 0.27 * slow(rng, 5.0), 0.05, None)
    claps = ((0.6, 1.0), (1.5, 0.6), (2.4, 0.8), (3.6, 0.5))
    roll = 0.165 + sum(level * swell(peak, 0.5, 1.57) for peak, level in claps)
    rumble = noise(rng, 68, 1_500, tilt=-5.04) * shake * roll
    hiss = noise(rng, 800, 14_000, tilt=-1.0)
    crack = noise(rng, 100, 3_000, tilt=-4.0) * swell(0.5, 0.02, 0.4)
    return finished(rumble + 0.28 * crack + 0.032 * hiss)


def helicopter() -> Samples:
    """Blades that beat the air sixteen times a second, and a turbine."""
    rng = np.random.default_rng(7)
    beat = 0.094 + np.exp(-4.85 * (15.6 * TIME % 1.0))
    blades = noise(rng, 38.7, 1_570, tilt=-1.6) * beat
    turbine = noise(rng, 500, 6_930, tilt=-3.0) * (0.82 + beat)
    return finished(blades + 0.07 * turbine + 0.1 * harmonics(steady(928), [1, 0.4, 0.2]))


def crackling_fire() -> Samples:
    """Snaps of wood, few of them loud, over a soft roar."""
    rng = np.random.default_rng(7)
    roar = noise(rng, 40, 600, tilt=-3.0) * (1 + 0.3 * slow(rng, 6.0))
    hiss = noise(rng, 1_500, 9_000) * (1 + 0.3 * slow(rng, 10.0))

    def snap() -> Wave:
        loudness = min(rng.pareto(1.1), 12)
        return loudness * burst(rng, rng.uniform(0.0006, 0.0053), rng.uniform(1_090, 3_270))

    return finished(0.144 * roar + 0.056 * hiss + 0.5 * scattered(rng, 520, snap))


def wind() -> Samples:
    """Gusts in five octaves of air, and a howl."""
    rng = np.random.default_rng(7)
    gust = np.exp(0.144 * slow(rng, 1.2))
    octaves = ((100, 1.0), (200, 0.3), (400, 0.1), (800, 0.122), (1_600, 0.04))
    air = sum(
        np.exp(0.228 * slow(rng, 2.4)) * level * noise(rng, low, 2 * low) for low, level in octaves
    )
    howl = noise(rng, 274, 301) * np.clip(slow(rng, 0.7), 0, None)
    return finished(gust * (air + 0.258 * howl))


def keyboard_typing() -> Samples:
    """Keys going down and up in an uneven rhythm."""
    rng = np.random.default_rng(7)
    parts: list[tuple[float, Wave]] = []
    at = 0.1
    while at < SECONDS - 0.2:
        key = rng.uniform(0.85, 1.2)
        click, body = burst(rng, 0.0046, 6_440 * key), burst(rng, 0.0092, 1_580 * key)
        down = together(click, 0.91 * body, 0.053 * burst(rng, 0.008, 300))
        up = 0.8 * rng.uniform(0.5, 1.0) * burst(rng, 0.0046, 7_728 * key)
        parts += [(at, rng.uniform(0.4, 1.0) * down), (at + rng.uniform(0.05, 0.1), up)]
        pause = rng.choice([0.09, 0.12, 0.16, 0.32], p=[0.35, 0.35, 0.2, 0.1])
        at += 0.9 * pause * rng.uniform(0.8, 1.25)
    return finished(in_a_room(rng, echoed(placed(parts), 0.009, 0.37), 0.011))


def door_knock() -> Samples:
    """Four knocks on wood, twice."""
    rng = np.random.default_rng(7)

    def knock() -> Wave:
        wood = together(burst(rng, 0.0155, 417), 0.134 * burst(rng, 0.0109, 1_042))
        return rng.uniform(0.75, 1.0) * together(wood, 0.353 * burst(rng, 0.003, 2_500))

    times = [0.3 + again + 0.244 * i for again in (0.0, 2.6) for i in range(4)]
    return finished(echoed(placed((t, knock()) for t in times), 0.017, 0.495))


def birds_chirping() -> Samples:
    """Whistles that sweep up and down, in phrases."""
    rng = np.random.default_rng(7)
    parts: list[tuple[float, Wave]] = []
    for start, base, count in ((0.2, 3_200, 5), (1.4, 4_400, 8), (2.5, 3_400, 5), (3.6, 4_700, 9)):
        for i in range(count):
            whistle = sweep(base, base + rng.uniform(-900, 1_500), rng.uniform(0.07, 0.13))
            parts.append((start + i * 0.13, rng.uniform(0.5, 1.0) * whistle))
    return finished(echoed(placed(parts), 0.05, 0.15) + 0.003 * noise(rng, 300, 9_000))


def footsteps() -> Samples:
    """Heel and sole on a floor, five steps in two seconds."""
    rng = np.random.default_rng(7)
    parts: list[tuple[float, Wave]] = []
    for i in range(11):
        heel = together(burst(rng, 0.0191, 583), 0.192 * burst(rng, 0.012, 160))
        sole = 0.318 * burst(rng, 0.0163, 1_450)
        at = 0.2 + 0.4 * i
        parts += [(at, rng.uniform(0.7, 1.0) * heel), (at + 0.047, rng.uniform(0.6, 1.0) * sole)]
    return finished(in_a_room(rng, echoed(placed(parts), 0.02, 0.275), 0.0029))


def vacuum_cleaner() -> Samples:
    """A motor's whine inside broad noise."""
    rng = np.random.default_rng(7)
    air = noise(rng, 287, 7_110, tilt=-1.57)
    levels = [1, 0.6, 0.9, 0.4, 0.5, 0.3, 0.3, 0.2]
    return finished(air + 0.42 * harmonics(567 + 1.5 * slow(rng, 3.0), levels))


def alarm_clock() -> Samples:
    """Four beeps, a pause, four beeps."""
    on = (TIME % 1.0 < 0.5) & (TIME % 0.125 < 0.07)
    return finished(gate(on, 64) * harmonics(steady(2_050), [1, 0.1, 0.4, 0.05, 0.2]))


def car_horn() -> Samples:
    """Two blasts of two horns a third apart."""
    on = ((TIME > 0.3) & (TIME < 1.4)) | ((TIME > 1.9) & (TIME < 4.3))
    levels = [(i + 1) ** 0.15 * np.exp(-0.318 * i) for i in range(14)]
    horns = sum(harmonics(steady(pitch), levels) for pitch in (416.0, 495.0))
    return finished(
        gate(on, 640) * horns / 5 + 0.039 * noise(np.random.default_rng(7), 100, 4_000, tilt=-3.0)
    )


def clapping() -> Samples:
    """A hall of people applauding."""
    rng = np.random.default_rng(7)
    parts: list[tuple[float, Wave]] = []
    for _ in range(49):
        rate, tone, level = rng.uniform(3, 5), rng.uniform(905, 2_262), rng.uniform(0.2, 1.0)
        for at in np.arange(rng.uniform(0, 0.3), 4.9, 1 / rate):
            parts.append((at + rng.normal(0.02, 0.015), level * burst(rng, 0.0024, tone)))
    hall = echoed(placed(parts), 0.0121, 0.27)
    return finished(hall / hall.std() + 0.37 * noise(rng, 300, 6_000, tilt=-2.0))


def water_drops() -> Samples:
    """Drops into a basin: bubbles that ring higher as they close."""
    rng = np.random.default_rng(7)

    def drop() -> Wave:
        time = TIME[: int(0.0918 * SAMPLE_RATE)]
        pitch = 579 * 2 ** rng.uniform(0, 0.2) * (1 + 12.7 * time)
        bubble = np.sin(2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE) * np.exp(-time / 0.0153)
        late = np.concatenate([np.zeros(int(0.0194 * SAMPLE_RATE)), bubble])
        return rng.uniform(0.3, 1.0) * together(0.328 * burst(rng, 0.002, 5_000), late)

    times = np.sort(rng.uniform(0.1, 4.8, 13))
    return finished(echoed(placed((t, drop()) for t in times), 0.0333, 0.22))


def cat_meowing() -> Samples:
    """Three meows: a voice whose two formants open and close with the mouth."""
    rng = np.random.default_rng(7)
    course = np.linspace(0, 1, int(1.1 * SAMPLE_RATE))
    mouth = np.sin(np.pi * course**0.646)
    pitch = 679 * (1 + 0.2 * mouth) * (1 + 0.01 * np.sin(2 * np.pi * 4.48 * course))
    formants = ((751 + 839 * mouth, 100.0, 1.0), (2_200 + 1_300 * mouth, 150.0, 0.755))
    meow = voiced(pitch, formants) * np.minimum(1, np.minimum(course / 0.12, (1 - course) / 0.25))
    cries = placed((at, rng.uniform(0.8, 1.0) * meow) for at in (0.2, 1.9, 3.6))
    return finished(in_a_room(rng, echoed(cries, 0.02, 0.052), 0.018))


_MADE: tuple[Callable[[], Samples], ...] = (
    rain, sea_waves, siren, clock_ticking, engine_idling, church_bells, crickets, thunderstorm,
    helicopter, crackling_fire, wind, keyboard_typing, door_knock, birds_chirping, footsteps,
    vacuum_cleaner, alarm_clock, car_horn, clapping, water_drops, cat_meowing,
)  # fmt: skip

SOUNDS: Mapping[str, Callable[[], Samples]] = {
    sound.__name__.replace("_", " "): sound for sound in _MADE
}
"""The sounds, by what they are the sound of."""
