"""Builds the towers of kindred-mini with torch; only a runtime that needs one imports this."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from safetensors import safe_open

from embedder.errors import WeightsError
from embedder.media import Modality
from embedder.models.audio_tower import AudioShape, AudioTower
from embedder.models.image_tower import ImageShape, ImageTower
from embedder.models.mini_weights import MiniWeights
from embedder.models.text_tower import TextShape, TextTower

_TOWERS: dict[Modality, Callable[[Mapping[str, Any]], torch.nn.Module]] = {
    Modality.TEXT: lambda shape: TextTower(TextShape(**shape)),
    Modality.IMAGE: lambda shape: ImageTower(ImageShape(**shape)),
    Modality.AUDIO: lambda shape: AudioTower(AudioShape(**shape)),
}


def build_tower(modality: Modality, weights: MiniWeights) -> torch.nn.Module:
    """Builds a tower and fills it with its weights, in float32.

    Raises:
        WeightsError: If the weights are not those of such a tower, or are not finite.
    """
    try:
        # A library that loads a model must not move its caller's random numbers.
        with torch.random.fork_rng(devices=[]):
            tower = _TOWERS[modality](weights.shapes[modality])
        tower.load_state_dict(_state(modality, weights), strict=True)
    except (RuntimeError, TypeError) as exc:
        raise WeightsError(f"the {modality} weights must fit their tower, got {exc}") from exc
    return tower


def _state(modality: Modality, weights: MiniWeights) -> dict[str, torch.Tensor]:
    """Returns one tower's tensors under its own names, floats as float32."""
    prefix = f"{modality}."
    with safe_open(weights.path, framework="pt") as archive:
        tensors = {
            name.removeprefix(prefix): archive.get_tensor(name)
            for name in archive.keys()  # noqa: SIM118 - an archive can't be iterated over
            if name.startswith(prefix)
        }
    damaged = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if damaged:
        raise WeightsError(f"weights must be finite, not so: {prefix}{damaged[0]}")
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
