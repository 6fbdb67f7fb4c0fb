"""What a trained body hears in every clip, as it was recorded and under changes that keep its meaning."""


import numpy as np
import torch
from torch import Tensor, nn

from embedder.features.audio import PATCH_FRAMES, patches
from embedder.models.audio_tower import clip_features, pooled
from embedder.training.recipe import HearRecipe
from embedder.training.sound_targets import Spectrograms
from embedder.training.windows import Array, decibels, equaliser, logarithms, magnitudes, shifted


@torch.inference_mode()
def hear(stages: nn.ModuleList, clips: Spectrograms, recipe: HearRecipe) -> Tensor:
    """Returns `clip_features` of every clip, view 0 unchanged, (views, clips, 2 c).

    What is heard in the background of one clip is another of these clips.
    """
    stages.eval()
    views = [
        torch.cat(
            [_features(stages, _changed(clips, i, view, recipe)) for i in range(len(clips.keys))]
        )
        for view in range(recipe.views)
    ]
    return torch.stack(views)


def _features(stages: nn.ModuleList, spectrogram: Array) -> Tensor:
    maps = torch.from_numpy(patches(spectrogram))[:, None]
    maps = maps.contiguous(memory_format=torch.channels_last)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for stage in stages:
            maps = stage(maps)
    return clip_features(pooled(maps.float())[None])


def _changed(clips: Spectrograms, index: int, view: int, recipe: HearRecipe) -> Array:
    """Returns a part of a clip, with another level and colour and something in the background."""
    clip = clips.clip(index)
    if view == 0:
        return clip
    rng = np.random.default_rng((recipe.seed, view, index))
    kept = max(PATCH_FRAMES, int(len(clip) * rng.uniform(recipe.least_part, 1.0)))
    start = rng.integers(len(clip) - kept + 1)
    level = rng.normal(recipe.level, recipe.level_spread)
    mel = magnitudes(clip[start : start + kept])
    mel = mel * decibels(level + equaliser(rng, recipe.colour_spread, 1))
    if rng.random() < recipe.mixed:
        other = clips.clip(int(rng.integers(len(clips.keys))))
        mel = _before(mel, magnitudes(other), rng.uniform(*recipe.background))
    return logarithms(shifted(mel, int(rng.integers(-recipe.bands, recipe.bands + 1))))


def _before(mel: Array, other: Array, level: float) -> Array:
    """Adds another sound's power behind one, at a level in dB relative to it."""
    behind = np.resize(other, mel.shape)
    ratio = np.sqrt(np.square(mel).mean() / (np.square(behind).mean() + 1e-9))
    return np.hypot(mel, behind * (ratio * decibels(np.array(level))))
