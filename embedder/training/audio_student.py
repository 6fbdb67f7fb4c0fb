"""The audio tower as it is kept between training and packing: folded, with its shape beside it."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from embedder.models.audio_tower import AudioShape, AudioTower, conv_units


def assemble(stages: nn.ModuleList, head: nn.Module, shape: AudioShape) -> AudioTower:
    """Returns the tower of trained stages and a trained head, batch normalisation folded away."""
    tower = AudioTower(shape)
    for unit, trained in zip(conv_units(tower.stages), conv_units(stages.eval()), strict=True):
        assert isinstance(trained.norm, nn.BatchNorm2d)
        folded = fuse_conv_bn_eval(trained.conv, trained.norm)
        unit.conv.load_state_dict(folded.state_dict())
    tower.head.load_state_dict(head.state_dict())
    return tower.eval()


def save_audio_student(tower: AudioTower, path: Path) -> None:
    """Writes shape and weights under a temporary name, then renames it."""
    part = path.with_suffix(".part")
    torch.save({"shape": asdict(tower.shape), "state": tower.state_dict()}, part)
    part.replace(path)


def load_audio_student(path: Path) -> AudioTower:
    """Returns the tower in eval mode."""
    kept: dict[str, Any] = torch.load(path, weights_only=True)
    tower = AudioTower(AudioShape(**kept["shape"]))
    tower.load_state_dict(kept["state"])
    return tower.eval()
