"""What is served: the same embedder, behind a server and alone."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.base import Embedder, EmbeddingSpace, Prepared
from embedder.catalog import load
from embedder.media import Modality, Single
from embedder.runtime.base import Placement

VIT = "vit-b-32"
NOTHING = "nothing"
MODELS = ("kindred-mini", VIT, NOTHING)
CACHE = Path("~/.cache/kindred").expanduser()


class Nothing(Embedder):
    """Does nothing, so that all that its server does is the service's own work."""

    name = NOTHING
    space = EmbeddingSpace(NOTHING, 384)  # as many numbers as kindred-mini's vectors have
    modalities = frozenset(Modality)

    def _prepare(self, item: Single) -> Prepared:
        return Prepared(item.modality, np.ones(self.space.dim, dtype=np.float32))

    def _encode(
        self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
    ) -> NDArray[np.float32]:
        return np.ones((len(arrays), self.space.dim), dtype=np.float32)


def made(name: str, threads: int, passes: int = 1) -> Embedder:
    """Returns a model; of ViT-B/32 the weights are random, since speed does not depend on them.

    They are the same ones every time, so that graphs are derived once.

    Args:
        name: One of `MODELS`.
        threads: Of all forward passes together.
        passes: How many forward passes share them.
    """
    if name == NOTHING:
        return Nothing()
    how = Placement(threads=threads, passes=passes, cache=CACHE)
    if name != VIT:
        return load(name, how)
    import torch

    from embedder.models.clip import ClipModel, Parts
    from embedder.models.open_clip_import import import_open_clip

    open_clip = import_open_clip()
    torch.manual_seed(0)
    network, _, transform = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    return ClipModel(VIT, Parts(network, transform, open_clip.get_tokenizer("ViT-B-32")), how)
