"""A weights file of kindred-mini with random numbers in it: everything but the meaning."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from embedder.media import Modality
from embedder.models.audio_tower import AudioShape, AudioTower
from embedder.models.image_tower import image_tower
from embedder.models.mini_weights import FORMAT, PREPROCESSING
from embedder.models.text_tower import TextShape, TextTower
from embedder.training.tokenizer import train_tokenizer

DIM = 384
TEXT = {"vocabulary": 300, "context": 32, "width": 64, "heads": 2, "layers": 2, "dim": DIM}


def config(tokenizer: Path) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": "kindred-mini",
        "dim": DIM,
        "preprocessing": PREPROCESSING,
        "image": {"dim": DIM},
        "text": TEXT,
        "audio": {"dim": DIM, "hidden": 64},
        "logit_scale": 20.0,
        "means": {modality: [0.0] * DIM for modality in Modality},
        "background": {
            f"{query}>{item}": {"mean": 0.1, "std": 0.05} for query in Modality for item in Modality
        },
        "tokenizer": hashlib.sha256(tokenizer.read_bytes()).hexdigest(),
        "recipe": "none",
    }


def random_tensors() -> dict[str, torch.Tensor]:
    towers: dict[Modality, torch.nn.Module] = {
        Modality.IMAGE: image_tower(DIM),
        Modality.TEXT: TextTower(TextShape(**TEXT)),
        Modality.AUDIO: AudioTower(AudioShape(dim=DIM, hidden=64)),
    }
    generator = torch.Generator().manual_seed(0)
    for tower in towers.values():
        for weight in tower.parameters():
            # Each layer keeps its input's size (He et al. 2015), or inputs would stop mattering.
            if weight.dim() > 1:
                std = (2 / weight[0].numel()) ** 0.5
                torch.nn.init.normal_(weight, std=std, generator=generator)
    return {
        f"{modality}.{name}": tensor.half() if tensor.is_floating_point() else tensor
        for modality, tower in towers.items()
        for name, tensor in tower.state_dict().items()
    }


def write_random_weights(folder: Path) -> Path:
    """Writes weights and tokenizer, and returns the path of the weights."""
    tokenizer = folder / "random.tokenizer.json"
    texts = ["a dog barks at the sea in the rain at night", "the sound of loud waves on a beach"]
    train_tokenizer(texts, TEXT["vocabulary"]).save(str(tokenizer))
    path = folder / "random.safetensors"
    save_file(random_tensors(), path, {"config": json.dumps(config(tokenizer))})
    return path
