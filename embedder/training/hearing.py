"""What a trained body hears in every clip."""

import torch
from torch import Tensor, nn

from embedder.features.audio import patches
from embedder.models.audio_tower import clip_features, pooled
from embedder.training.sound_targets import Spectrograms


@torch.no_grad()
def hear(stages: nn.ModuleList, clips: Spectrograms) -> Tensor:
    """Returns `clip_features` of every clip, (clips, 2 c)."""
    stages.eval()
    heard = []
    for i in range(len(clips.keys)):
        maps = torch.from_numpy(patches(clips.clip(i)))[:, None]
        maps = maps.contiguous(memory_format=torch.channels_last)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            for stage in stages:
                maps = stage(maps)
        heard.append(clip_features(pooled(maps.float())[None]))
    return torch.cat(heard)
