"""A weights file of kindred-mini with random numbers in it: everything but the meaning."""

from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import torch

from embedder.base import Background
from embedder.media import Modality
from embedder.models.audio_tower import AudioShape, AudioTower
from embedder.models.image_tower import ImageShape, ImageTower
from embedder.models.text_tower import TextShape, TextTower
from embedder.training.export import Geometry, Tower, export
from embedder.training.tokenizer import train_tokenizer

DIM = 384
VOCABULARY = 300


@dataclass(frozen=True, slots=True)
class NoRecipe:
    """Random numbers need none."""


def random_towers() -> dict[Modality, Tower]:
    image, audio = ImageShape(DIM), AudioShape(dim=DIM)
    text = TextShape(vocabulary=VOCABULARY, context=32, width=64, heads=2, layers=2, dim=DIM)
    towers = {
        Modality.IMAGE: Tower(image, ImageTower(image)),
        Modality.TEXT: Tower(text, TextTower(text)),
        Modality.AUDIO: Tower(audio, AudioTower(audio)),
    }
    generator = torch.Generator().manual_seed(0)
    for tower in towers.values():
        for weight in tower.module.parameters():
            # Each layer keeps its input's size (He et al. 2015), or inputs would stop mattering.
            if weight.dim() > 1:
                std = (2 / weight[0].numel()) ** 0.5
                torch.nn.init.normal_(weight, std=std, generator=generator)
    return towers


def write_random_weights(folder: Path) -> Path:
    """Writes weights and tokenizer as training does, and returns the path of the weights."""
    texts = ["a dog barks at the sea in the rain at night", "the sound of loud waves on a beach"]
    geometry = Geometry(
        logit_scale=20.0,
        means={modality: np.zeros(DIM, np.float32) for modality in Modality},
        backgrounds={pair: Background(0.1, 0.05) for pair in product(Modality, Modality)},
    )
    tokenizer = train_tokenizer(texts, VOCABULARY)
    return export(folder, random_towers(), tokenizer, geometry, NoRecipe())
