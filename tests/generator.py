"""A generator with random weights, small enough for tests."""

from pathlib import Path

import torch

from embedder.base import EmbeddingSpace
from embedder.conditioning.generator.network import Network
from embedder.conditioning.generator.shape import GeneratorShape
from embedder.conditioning.generator.weights import GeneratorFile


def saved_generator(path: Path, space: EmbeddingSpace) -> Path:
    """Writes a generator of 16 pixels a side that listens to vectors of a space."""
    shape = GeneratorShape(
        space.dim, size=16, fine=8, middle=8, width=16, layers=1, heads=2, tokens=2
    )
    torch.manual_seed(0)
    tensors = {name: part.numpy() for name, part in Network(shape).state_dict().items()}
    return GeneratorFile(shape, space.id, "recipe", 0, tensors).save(path)
