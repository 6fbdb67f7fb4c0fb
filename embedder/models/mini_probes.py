"""Small made-up media of every modality, on which runtimes of kindred-mini are compared."""

from collections.abc import Mapping, Sequence

import numpy as np

from embedder.features.audio import SAMPLE_RATE
from embedder.media import Audio, Image, Modality, Single, Text

TEXTS = (
    "dog",
    "a brown dog runs along the beach with a ball in its mouth",
    "the sound of rain on a tin roof at night",
    "two children in red coats build a snowman beside an old wooden house while it is snowing",
    "chainsaw",
    "1234 !? Gr\u00fc\u00dfe \u6771\u4eac",
)


def probes() -> Mapping[Modality, Sequence[Single]]:
    """Returns the same few items of each modality every time."""
    rng = np.random.default_rng(0)
    return {
        Modality.TEXT: [Text(text) for text in TEXTS],
        Modality.IMAGE: [_picture(rng, cells) for cells in (1, 3, 7, 20, 60, 160)],
        Modality.AUDIO: [_sound(rng, seconds) for seconds in (0.5, 1, 2, 3, 5, 9)],
    }


def _picture(rng: np.random.Generator, cells: int) -> Image:
    """Returns patches of colour of one size on a slope from dark to light."""
    colours = rng.integers(0, 160, (cells, cells, 3))
    patches = np.kron(colours, np.ones((320 // cells, 320 // cells, 1), dtype=np.int64))
    slope = np.linspace(0, 95, len(patches), dtype=np.int64)[:, None, None]
    return Image((patches + slope).astype(np.uint8))


def _sound(rng: np.random.Generator, seconds: float) -> Audio:
    """Returns a gliding tone with overtones that is struck twice a second, in some noise."""
    time = np.arange(round(seconds * SAMPLE_RATE)) / SAMPLE_RATE
    phase = 2 * np.pi * rng.uniform(100, 900) * time * (1 + time / 10)
    overtones = np.arange(1, 5)[:, None]
    tone = (np.sin(overtones * phase) / overtones).sum(axis=0)
    struck = tone * np.exp(-8 * (time % 0.5)) / 4
    noise = rng.normal(0, 0.03, time.size)
    return Audio((struck + noise).astype(np.float32)[None], SAMPLE_RATE)
