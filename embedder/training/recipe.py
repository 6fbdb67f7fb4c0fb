"""Every number of the recipe, one frozen dataclass a stage."""

from dataclasses import dataclass

from embedder.training.loop import LoopRecipe
from embedder.training.views import ViewRecipe


@dataclass(frozen=True, slots=True)
class TextRecipe:
    """The text tower: its texts, its tokenizer and its distillation.

    Attributes:
        seed: Seed of phrases, order and augmentation.
        runs: Phrases cut from captions.
        exchanges: Phrases with one word exchanged for a dictionary word.
        vocabulary: Entries of the byte-pair vocabulary, special tokens included.
        context: Tokens a text is cut to, both marks included.
        width: Width of the transformer.
        heads: Attention heads.
        layers: Transformer layers.
        batch: Texts a step.
        pool: Batches drawn together and sorted by length.
        full_stops: Share of texts that get a full stop.
        steps: Optimiser steps with some words held back, and then with every word.
        final_steps: Optimiser steps at the end, with every word.
        learning_rate: Peak rate of AdamW in the first run.
        final_rate: The same at the end.
        weight_decay: Decay of AdamW.
        ema: Decay of the weights' moving average.
        relation_weight: Weight of the contrastive term beside the cosine term.
        temperature: Softmax temperature of the contrastive term.
    """

    seed: int = 20
    runs: int = 40_000
    exchanges: int = 70_000
    vocabulary: int = 12_000
    context: int = 64
    width: int = 256
    heads: int = 4
    layers: int = 4
    batch: int = 512
    pool: int = 8
    full_stops: float = 0.15
    steps: int = 2_000
    final_steps: int = 700
    learning_rate: float = 2e-3
    final_rate: float = 7e-4
    weight_decay: float = 0.02
    ema: float = 0.998
    relation_weight: float = 0.5
    temperature: float = 0.05


@dataclass(frozen=True, slots=True)
class MixRecipe:
    """How windows of sound are drawn and changed; levels are in dB.

    Attributes:
        seed: Seed of the draws, together with the step.
        batch: Windows a step.
        mixed: Share of windows to which a second sound is added.
        second: Lowest and highest level of the second sound.
        level: Mean gain.
        level_spread: Standard deviation of the gain.
        coloured: Share of windows that pass a random equaliser.
        colour_spread: Standard deviation of the equaliser's three curves.
        shifted: Share of windows moved up or down in pitch.
        bands: By at most so many mel bands.
        reversed: Share of windows played backwards.
    """

    seed: int
    batch: int
    mixed: float = 0.5
    second: tuple[float, float] = (-15.0, 5.0)
    level: float = -2.0
    level_spread: float = 6.0
    coloured: float = 0.3
    colour_spread: float = 2.7
    shifted: float = 0.2
    bands: int = 3
    reversed: float = 0.1


@dataclass(frozen=True, slots=True)
class AudioRecipe:
    """The audio tower's body: first every layer alone, then all of them as one chain.

    Attributes:
        layer_mix: Windows of the first part.
        layer_steps: Its optimiser steps.
        layer_rate: Its peak learning rate.
        fit_steps: Batches that the layers' scales and offsets are fitted on.
        chain_mix: Windows of the second part.
        chain_steps: Its optimiser steps.
        chain_rate: Its peak learning rate.
        chain_kept: First stages that it leaves as they are: large maps, and small errors.
        chain_thawed: Share of its steps in which batch normalisation still follows the batch.
        map_weight: Weight of the maps' errors, the mean over all stages.
        embedding_weight: Weight of 1 - cosine of the embeddings' square roots.
        score_weight: Weight of the class scores' divergence.
    """

    layer_mix: MixRecipe = MixRecipe(seed=31, batch=128)
    layer_steps: int = 300
    layer_rate: float = 4e-3
    fit_steps: int = 20
    chain_mix: MixRecipe = MixRecipe(seed=32, batch=64)
    chain_steps: int = 1_000
    chain_rate: float = 2e-4
    chain_kept: int = 5
    chain_thawed: float = 0.0
    map_weight: float = 1.0
    embedding_weight: float = 3.0
    score_weight: float = 10.0


@dataclass(frozen=True, slots=True)
class SpaceRecipe:
    """The teachers' joint space: image and text first, then sound bound to both.

    Attributes:
        seed: Seed of sampling and dropout.
        batch: Pictures or clips a step.
        steps: Optimiser steps of image and text.
        sound_steps: Optimiser steps of sound.
        learning_rate: Peak rate of AdamW; falls to zero along a cosine.
        map_rate: The same for the text map, which should stay near the identity.
        weight_decay: Decay of AdamW.
        dropout: Of the image head's inputs and its hidden layer.
        sound_dropout: Of the audio head's inputs and its hidden layer.
        shares: Share of a batch that each set gets, in order of precedence; others share `rest`.
        rest: Share of all sets that `shares` does not name.
        sound_shares: As `shares`, of clips.
        sound_rest: As `rest`, of clips.
        mixed: Share of pictures taught with the mean of two of their captions.
        kin: Pairs whose texts' cosine in the teacher is at least this are not negatives.
        sound_kin: The same for sounds.
        name_weight: Weight of class-name distillation.
        sound_name_weight: The same for the sound teacher's names.
        label_weight: Weight of naming a picture's label among the labels of its set.
        sound_label_weight: Weight of naming a clip's label among all labels.
        picture_weight: Weight of binding clips to pictures beside binding them to texts.
    """

    seed: int = 20
    batch: int = 512
    steps: int = 600
    sound_steps: int = 500
    learning_rate: float = 1e-3
    map_rate: float = 1e-4
    weight_decay: float = 0.1
    dropout: tuple[float, float] = (0.3, 0.5)
    sound_dropout: tuple[float, float] = (0.3, 0.3)
    shares: tuple[tuple[str, float], ...] = (
        ("flickr8k", 0.5),
        ("tiny_imagenet", 0.15),
        ("caltech101", 0.08),
        ("emoji_noto", 0.03),
        ("daquar_indoor", 0.08),
    )
    rest: float = 0.16
    sound_shares: tuple[tuple[str, float], ...] = (("esc50", 0.5),)
    sound_rest: float = 0.3
    mixed: float = 0.5
    kin: float = 0.9
    sound_kin: float = 0.75
    name_weight: float = 0.3
    sound_name_weight: float = 0.3
    label_weight: float = 0.3
    sound_label_weight: float = 1.0
    picture_weight: float = 0.3


@dataclass(frozen=True, slots=True)
class ImageMapsRecipe:
    """One stage in which the image trunk learns its teacher's maps.

    Attributes:
        loop: Steps, rates and seed.
        view: How a training picture is cut and coloured; teacher and student see the same view.
        part: Views a thread and step.
        parts: Threads.
        inside: Whether convolutions inside a block read the teacher's maps, as blocks do.
        hidden_weight: Weight of the maps inside a block, beside 1 for the maps at block ends.
        pooled_weight: Weight of the pooled feature's error; it counts in the chain only.
        logit_weight: Weight of the divergence from the teacher's class probabilities, likewise.
        sample: Pictures that the spread of the teacher's maps is measured on.
    """

    loop: LoopRecipe
    view: ViewRecipe
    part: int = 32
    parts: int = 2
    inside: bool = False
    hidden_weight: float = 0.5
    pooled_weight: float = 0.0
    logit_weight: float = 0.0
    sample: int = 96


IMAGE_BLOCKS = ImageMapsRecipe(
    loop=LoopRecipe(steps=800, learning_rate=3e-3, warmup=30, ema=0.99, save_every=100),
    view=ViewRecipe(size=128, area=(0.15, 0.7), jitter=0.3),
    part=16,
)
IMAGE_FILTERS = ImageMapsRecipe(
    loop=LoopRecipe(steps=450, learning_rate=3e-3, warmup=30, ema=0.97, save_every=50, seed=1),
    view=ViewRecipe(size=128, area=(0.15, 0.7), jitter=0.3),
    part=16,
    inside=True,
    sample=32,
)
IMAGE_CHAIN = ImageMapsRecipe(
    loop=LoopRecipe(steps=1500, learning_rate=3e-4, ema=0.995, save_every=100, seed=2),
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


IMAGE_HEAD = ImageVectorsRecipe(
    loop=LoopRecipe(steps=800, learning_rate=1e-3, weight_decay=0.1, ema=0.99, seed=3),
    part=512,
    parts=1,
    dropout=0.2,
)
IMAGE_VECTORS = ImageVectorsRecipe(
    loop=LoopRecipe(steps=800, learning_rate=1e-4, ema=0.99, save_every=50, seed=4),
)
