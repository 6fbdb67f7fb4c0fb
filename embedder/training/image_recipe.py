"""Every number of the image tower's recipe."""

from dataclasses import dataclass

from embedder.training.loop import LoopRecipe
from embedder.training.views import ViewRecipe


@dataclass(frozen=True, slots=True)
class ImageMapsRecipe:
    """One stage in which the image trunk learns its teacher's maps.

    Attributes:
        loop: Steps, rates and seed.
        view: How a training picture is cut and coloured; teacher and student see the same view.
        part: Views a thread and step.
        parts: Threads.
        hidden_weight: Weight of the maps inside a block, beside 1 for the maps at block ends.
        pooled_weight: Weight of the pooled feature's error; it counts in the chain only.
        logit_weight: Weight of the divergence from the teacher's class probabilities, likewise.
        sample: Pictures that the spread of the teacher's maps is measured on.
    """

    loop: LoopRecipe
    view: ViewRecipe
    part: int = 32
    parts: int = 2
    hidden_weight: float = 0.5
    pooled_weight: float = 0.0
    logit_weight: float = 0.0
    sample: int = 96


@dataclass(frozen=True, slots=True)
class ImageVectorsRecipe:
    """One stage in which the image tower learns its vectors.

    Attributes:
        loop: Steps, rates and seed.
        batch: Pictures a step.
        texts: Descriptions that compete for each picture.
        own_share: Share of the picture's own description in what the descriptions' ranks are
            taught; the rest is how the teachers rank them.
        cosine_weight: Weight of the distance from the teachers' vector, beside 1 for the
            descriptions.
        name_weight: Weight of the class names.
        dropout: Of the head's input.
        seen: Pictures whose features are the trunk's own; those of the others are the teacher's.
    """

    loop: LoopRecipe
    batch: int = 512
    texts: int = 512
    own_share: float = 0.5
    cosine_weight: float = 5.0
    name_weight: float = 0.3
    dropout: float = 0.0
    seen: int = 0


@dataclass(frozen=True, slots=True)
class ImageTuningRecipe:
    """The stage in which the trunk's later blocks and the head learn together.

    Attributes:
        vectors: Steps, rates, and what the vectors are taught.
        frozen: Blocks that stay as they are, from the first one on.
        window: Least side of the square part of those maps that a step sees.
        parts: Threads.
        sample: Pictures that the later blocks' coordinates are measured on.
    """

    vectors: ImageVectorsRecipe
    frozen: int = 7
    window: int = 12
    parts: int = 2
    sample: int = 128


IMAGE_LAYERS = ImageMapsRecipe(
    loop=LoopRecipe(steps=400, learning_rate=3e-3, warmup=20, ema=0.97, save_every=50, seed=1),
    view=ViewRecipe(size=128, area=(0.15, 0.7), jitter=0.3),
    part=16,
    hidden_weight=1.0,
    sample=48,
)
IMAGE_CHAIN = ImageMapsRecipe(
    loop=LoopRecipe(steps=200, learning_rate=1e-4, warmup=20, ema=0.98, save_every=50, seed=2),
    view=ViewRecipe(size=128, area=(0.15, 1.0), jitter=0.3),
    part=16,
    hidden_weight=0.2,
    pooled_weight=0.5,
    logit_weight=0.2,
)
IMAGE_HEAD = ImageVectorsRecipe(
    loop=LoopRecipe(steps=1000, learning_rate=1e-3, weight_decay=0.1, ema=0.99, seed=3),
    dropout=0.3,
)
IMAGE_ADAPTED = ImageVectorsRecipe(
    loop=LoopRecipe(steps=300, learning_rate=3e-4, weight_decay=0.1, warmup=20, ema=0.98, seed=4),
    dropout=0.3,
    seen=9_000,
)

IMAGE_TUNED = ImageTuningRecipe(
    vectors=ImageVectorsRecipe(
        loop=LoopRecipe(steps=450, learning_rate=1.2e-4, warmup=30, ema=0.99, seed=5),
        batch=64,
        dropout=0.1,
    )
)


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """All stages of the image tower, in order; see `embedder.training.image`."""

    layers: ImageMapsRecipe = IMAGE_LAYERS
    chain: ImageMapsRecipe = IMAGE_CHAIN
    head: ImageVectorsRecipe = IMAGE_HEAD
    adapted: ImageVectorsRecipe = IMAGE_ADAPTED
    tuned: ImageTuningRecipe = IMAGE_TUNED
