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
        view: How a picture is cut and coloured, where pixels are read.
        part: Pictures a thread and step.
        parts: Threads.
        texts: Descriptions that compete for each picture.
        own_share: Share of the picture's own description in what the descriptions' ranks are taught; the rest is
            how the teachers rank them.
        cosine_weight: Weight of the distance from the teachers' vector, beside 1 for the descriptions.
        name_weight: Weight of the class names.
        dropout: Of the head's input.
    """

    loop: LoopRecipe
    view: ViewRecipe = ViewRecipe(area=(0.7, 1.0), jitter=0.15)
    part: int = 16
    parts: int = 2
    texts: int = 512
    own_share: float = 0.5
    cosine_weight: float = 5.0
    name_weight: float = 0.3
    dropout: float = 0.0


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


@dataclass(frozen=True, slots=True)
class BindRecipe:
    """The audio tower's head, bound to frozen texts and pictures.

    Attributes:
        seed: Seed of the start and of the draws.
        batch: Clips a step.
        steps: Optimiser steps.
        learning_rate: Peak rate of AdamW.
        weight_decay: Decay of AdamW.
        dropout: Share of features, and of hidden units, that are dropped.
        least_deviation: Features that vary less are not blown up.
        scale: What cosines are multiplied by at first, in every loss.
        weights: Weight of each loss; one that is missing is left out.
        kin: Labels whose texts have at least this cosine are not each other's negatives.
        everyday: Share of ESC-50 in a batch.
        rarity: A clip is drawn with its label's count to the power of minus this.
    """

    seed: int = 33
    batch: int = 512
    steps: int = 800
    learning_rate: float = 1e-3
    weight_decay: float = 0.1
    dropout: tuple[float, float] = (0.3, 0.3)
    least_deviation: float = 0.02
    scale: float = 20.0
    weights: tuple[tuple[str, float], ...] = (("texts", 1.0), ("names", 0.3), ("pictures", 0.5))
    kin: float = 0.75
    everyday: float = 0.5
    rarity: float = 0.5


@dataclass(frozen=True, slots=True)
class HearRecipe:
    """How clips are changed before the head is bound to what the body hears in them; levels are in dB.

    Attributes:
        seed: Seed of the changes, together with view and clip.
        views: Views of each clip, the unchanged one included.
        least_part: Shortest part that is cut out, as a share of the clip.
        level: Mean gain.
        level_spread: Standard deviation of the gain.
        colour_spread: Standard deviation of the equaliser's three curves.
        mixed: Share of views with another clip in the background.
        background: Lowest and highest level of the background, relative to the clip.
        bands: By at most so many mel bands the pitch is moved.
    """

    seed: int = 34
    views: int = 6
    least_part: float = 0.4
    level: float = -3.0
    level_spread: float = 6.0
    colour_spread: float = 2.5
    mixed: float = 0.5
    background: tuple[float, float] = (-20.0, -5.0)
    bands: int = 1


IMAGE_HEAD = ImageVectorsRecipe(
    loop=LoopRecipe(steps=1000, learning_rate=1e-3, weight_decay=0.1, ema=0.99, seed=3),
    part=512,
    parts=1,
    dropout=0.3,
)
IMAGE_VECTORS = ImageVectorsRecipe(
    loop=LoopRecipe(steps=500, learning_rate=2e-4, warmup=30, ema=0.98, save_every=25, seed=4),
)


@dataclass(frozen=True, slots=True)
class ImageRecipe:
    """All stages of the image tower, in order; see `embedder.training.image`."""

    layers: ImageMapsRecipe = IMAGE_LAYERS
    chain: ImageMapsRecipe = IMAGE_CHAIN
    head: ImageVectorsRecipe = IMAGE_HEAD
    vectors: ImageVectorsRecipe = IMAGE_VECTORS
