"""Random windows of sound, mixed as they are drawn: a fixed bank of mixes is soon memorised."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from embedder.features.audio import LOG_OFFSET, MEL_BANDS, PATCH_FRAMES
from embedder.training.audio_recipe import MixRecipe
from embedder.training.sound_targets import Spectrograms

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class WindowSampler:
    """Draws log-mel patches from anywhere in the clips.

    Attributes:
        frames: Log-mels of all clips, (frames, 64).
        starts: Where each clip begins in `frames`, (clips,).
        lengths: How many frames each clip has, at least 96, (clips,).
        recipe: How the windows are mixed and changed.
    """

    frames: NDArray[np.float16]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    recipe: MixRecipe

    @classmethod
    def over(cls, clips: Spectrograms, keep: NDArray[np.bool_], recipe: MixRecipe) -> Self:
        """Draws from the clips that are to be kept."""
        return cls(clips.frames, clips.starts[:-1][keep], np.diff(clips.starts)[keep], recipe)

    def __call__(self, step: int) -> Tensor:
        """Returns the batch of a step: log-mel patches, float32, (batch, 96, 64)."""
        recipe = self.recipe
        rng = np.random.default_rng((recipe.seed, step))
        mel = self._mixed(rng) * self._gain(rng)
        for i in np.flatnonzero(rng.random(len(mel)) < recipe.shifted):
            mel[i] = shifted(mel[i], int(rng.integers(-recipe.bands, recipe.bands + 1)))
        back = rng.random(len(mel)) < recipe.reversed
        mel[back] = mel[back, ::-1]
        return torch.from_numpy(logarithms(mel))

    def _mixed(self, rng: np.random.Generator) -> Array:
        """Returns mel magnitudes; in some windows a second sound adds its power to the first."""
        mel = self._drawn(rng, self.recipe.batch)
        both = np.flatnonzero(rng.random(len(mel)) < self.recipe.mixed)
        other = self._drawn(rng, len(both)) * decibels(
            rng.uniform(*self.recipe.second, (len(both), 1, 1))
        )
        mel[both] = np.hypot(mel[both], other)
        return mel

    def _drawn(self, rng: np.random.Generator, count: int) -> Array:
        """Draws windows, a clip's chance growing with the square root of its length."""
        share = np.cumsum(np.sqrt(self.lengths))
        clips = np.searchsorted(share, rng.random(count) * share[-1], side="right")
        offsets = rng.integers(0, self.lengths[clips] - PATCH_FRAMES + 1)
        rows = (self.starts[clips] + offsets)[:, None] + np.arange(PATCH_FRAMES)
        return magnitudes(self.frames[rows].astype(np.float32))

    def _gain(self, rng: np.random.Generator) -> Array:
        """Returns a gain for every window and, in some windows, every band: a smooth equaliser."""
        recipe = self.recipe
        level = rng.normal(recipe.level, recipe.level_spread, (recipe.batch, 1))
        colour = equaliser(rng, recipe.colour_spread, recipe.batch)
        coloured = rng.random((recipe.batch, 1)) < recipe.coloured
        return decibels(level + coloured * colour)[:, None, :]


def magnitudes(log_mel: Array) -> Array:
    """Undoes the logarithm of a log-mel."""
    mel: Array = np.exp(log_mel) - np.float32(LOG_OFFSET)
    return mel.clip(min=0.0)


def logarithms(mel: Array) -> Array:
    """Returns the log-mel of mel magnitudes."""
    return np.asarray(np.log(mel + np.float32(LOG_OFFSET)))


def equaliser(rng: np.random.Generator, spread: float, count: int) -> NDArray[np.float64]:
    """Draws smooth gains over the bands, in dB, (count, 64): a slope, a bow and a wave."""
    pitch = np.linspace(-1.0, 1.0, MEL_BANDS)
    curves = np.stack([pitch, pitch**2 - 1 / 3, np.sin(np.pi * pitch)])
    return np.asarray(rng.normal(0.0, spread, (count, 3)) @ curves)


def decibels(level: NDArray[np.float64]) -> Array:
    """Returns the factor on magnitudes of a level in dB."""
    return np.asarray(10.0 ** (level / 20.0), dtype=np.float32)


def shifted(mel: Array, bands: int) -> Array:
    """Moves a spectrogram up (or down) by some bands; the band at the edge is repeated."""
    source = np.clip(np.arange(MEL_BANDS) - bands, 0, MEL_BANDS - 1)
    return mel[:, source]
