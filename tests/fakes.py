"""A tiny honest embedder: no weights, no torch, and yet a space in which kin find each other.

Named axes mean the same in every modality: the word "red" and a red picture point the same way, and
so do "loud" and a loud sound. So a test can predict who is found: a red picture by the text "red".
"""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from embedder.base import Embedder, EmbeddingSpace, Prepared, Treatment
from embedder.media import Audio, Image, Modality, Single, Text

AXES = ("red", "green", "blue", "bright", "dark", "busy", "loud", "quiet", "high", "low")
"""What the first axes mean, and the words that point along them."""

DIM = 32
_MODALITY_AXIS = {m: len(AXES) + i for i, m in enumerate(Modality)}
_FIRST_WORD_AXIS = len(AXES) + len(Modality)

MAX_WORDS = 64
SAMPLE_RATE = 16_000
SHORTEST_SECONDS, WINDOW_SECONDS = 0.1, 10.0
HIGH_HZ = 1_000.0
"""Energy above this frequency counts as "high", below as "low"."""


class FakeEmbedder(Embedder):
    """Embeds text by its words, pictures by their colour, sounds by loudness and pitch.

    Args:
        gap: How far each modality is pushed along an axis of its own, as real models do. With 0 a
            red picture and the text "red" have cosine 1; with 3 every text is nearer to "red" than
            any picture is.
        name: The model's name; part of the space id, so that two names are two spaces.
        modalities: What it can embed.
    """

    def __init__(
        self,
        gap: float = 0.0,
        name: str = "fake",
        modalities: frozenset[Modality] = frozenset(Modality),
    ) -> None:
        self.name = name
        self.space = EmbeddingSpace(id=f"{name}-gap-{gap:g}", dim=DIM)
        self.modalities = modalities
        self._gap = gap

    def _prepare(self, item: Single) -> Prepared:
        match item:
            case Text():
                words = item.text.lower().split()
                treatment = Treatment(truncated=len(words) > MAX_WORDS)
                meaning, cost = _text_meaning(words[:MAX_WORDS]), min(len(words), MAX_WORDS)
            case Image():
                meaning, treatment, cost = _image_meaning(item.pixels), Treatment(), 1
            case Audio():
                windows = max(1, int(np.ceil(item.seconds / WINDOW_SECONDS)))
                treatment = Treatment(
                    resampled=item.sample_rate != SAMPLE_RATE,
                    padded=item.seconds < SHORTEST_SECONDS,
                    windows=windows,
                )
                meaning, cost = _audio_meaning(item), windows
        return Prepared(item.modality, meaning, treatment, cost)

    def _encode(
        self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
    ) -> NDArray[np.float32]:
        vectors = np.stack(arrays).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        vectors[:, _MODALITY_AXIS[modality]] = self._gap
        return vectors


def _text_meaning(words: Sequence[str]) -> NDArray[np.float32]:
    """Sums the words: a named axis for a known word, a stable random direction for any other."""
    meaning = np.zeros(DIM, dtype=np.float32)
    for word in words:
        if word in AXES:
            meaning[AXES.index(word)] += 1
        else:
            seed = np.random.default_rng(zlib.crc32(word.encode()))
            direction = seed.standard_normal(DIM - _FIRST_WORD_AXIS)
            meaning[_FIRST_WORD_AXIS:] += direction / np.linalg.norm(direction)
    return meaning


def _image_meaning(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Colour (what exceeds grey), brightness, darkness and variation, each in [0, 1]."""
    scaled = pixels.reshape(-1, 3) / 255
    mean = scaled.mean(axis=0)
    meaning = np.zeros(DIM, dtype=np.float32)
    meaning[:3] = mean - mean.min()
    meaning[3], meaning[4], meaning[5] = mean.min(), 1 - mean.max(), 2 * scaled.std(axis=0).mean()
    return meaning


def _audio_meaning(audio: Audio) -> NDArray[np.float32]:
    """Loud against quiet, and a tenth as strongly the share of energy on each side of `HIGH_HZ`."""
    mono = audio.samples.mean(axis=0, dtype=np.float64)
    loud = min(1.0, 2 * float(np.sqrt(np.mean(mono**2))))
    energy = np.abs(np.fft.rfft(mono)) ** 2
    is_high = np.fft.rfftfreq(mono.size, 1 / audio.sample_rate) > HIGH_HZ
    high = float(energy[is_high].sum() / energy.sum()) if energy.any() else 0.0
    meaning = np.zeros(DIM, dtype=np.float32)
    meaning[6:10] = loud, 1 - loud, 0.1 * high, 0.1 * (1 - high)
    return meaning
