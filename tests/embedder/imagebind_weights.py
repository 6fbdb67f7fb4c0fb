"""A reduced ImageBind with seeded weights, under the published names.

The rule: each tensor comes from a generator of its own, seeded with the CRC-32 of its name. Weights
of norms are 1 + 0.1 n, matrices 0.9 n / sqrt(fan-in), those of stems a thirtieth of that (so that a
norm's epsilon counts), everything else 0.1 n; n is standard normal. Logit scales and the mask are
the model's own, but the text's scale lies above its cap, as trained ones do.
"""

import math
import zlib
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from embedder.models.imagebind.shape import HUGE, ImageBindShape, SenseShape
from embedder.models.imagebind.tower import Towers

TEXT_SCALE = 5.0
"""Logarithm; exp(5) is 148, above the cap of 100."""


def reduced() -> ImageBindShape:
    """Returns ImageBind with the published inputs and tokens, but two narrow blocks a sense."""
    senses = {name: _narrow(sense) for name, sense in HUGE.senses.items()}
    return ImageBindShape(dim=24, senses=senses)


def _narrow(sense: SenseShape) -> SenseShape:
    trunk = replace(sense.trunk, width=32, blocks=2, heads=4)
    return replace(sense, trunk=trunk)


def seeded_state(shape: ImageBindShape) -> dict[str, Tensor]:
    """Returns a state dict by the rule above."""
    with torch.random.fork_rng(devices=[]):
        state = Towers(shape).state_dict()
    seeded = {name: _seeded(name, tensor) for name, tensor in sorted(state.items())}
    if "text" in shape.senses:
        seeded["modality_postprocessors.text.1.log_logit_scale"] = torch.tensor(TEXT_SCALE)
    return seeded


def _seeded(name: str, tensor: Tensor) -> Tensor:
    if name.endswith(("mask", "log_logit_scale")):
        return tensor
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    normal = torch.randn(tensor.shape, generator=generator)
    if name.endswith("weight") and tensor.ndim == 1:
        return 1 + 0.1 * normal
    if tensor.ndim < 2 or "token" in name or "pos_embed" in name or "bias_" in name:
        return 0.1 * normal
    gain = 0.03 if "_stem" in name else 0.9
    return gain * normal / math.sqrt(tensor[0].numel())


def write_checkpoint(path: Path, state: dict[str, Tensor]) -> Path:
    """Writes a state dict as the published one is written."""
    torch.save(state, path)
    return path
