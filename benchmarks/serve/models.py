"""What is served: the same embedder, behind a server and alone."""

from pathlib import Path

from embedder.base import Embedder
from embedder.catalog import load
from embedder.runtime.base import Placement

VIT = "vit-b-32"
MODELS = ("kindred-mini", VIT)
CACHE = Path("~/.cache/kindred").expanduser()


def made(name: str, threads: int) -> Embedder:
    """Returns a model; of ViT-B/32 the weights are random, since speed does not depend on them."""
    how = Placement(threads=threads, cache=CACHE)
    if name != VIT:
        return load(name, how)
    from embedder.models.clip import ClipModel, Parts
    from embedder.models.open_clip_import import import_open_clip

    open_clip = import_open_clip()
    network, _, transform = open_clip.create_model_and_transforms("ViT-B-32", pretrained=None)
    return ClipModel(VIT, Parts(network, transform, open_clip.get_tokenizer("ViT-B-32")), how)
