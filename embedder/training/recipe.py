"""Every number of the recipe, one frozen dataclass a stage; `Recipe` is all of them together."""

from dataclasses import dataclass, field

from embedder.training.audio_recipe import AudioRecipe, BindRecipe
from embedder.training.image_recipe import ImageRecipe
from embedder.training.loop import LoopRecipe


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
        emphasis: How often a text of each kind is drawn, relative to the others.
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
    emphasis: tuple[tuple[str, float], ...] = (
        ("caption", 1.0),
        ("label", 1.5),
        ("name", 2.5),
        ("word", 1.5),
        ("phrase", 0.6),
    )
    steps: int = 2_000
    final_steps: int = 2_200
    learning_rate: float = 2e-3
    final_rate: float = 7e-4
    weight_decay: float = 0.02
    ema: float = 0.998
    relation_weight: float = 0.5
    temperature: float = 0.05


@dataclass(frozen=True, slots=True)
class TextTuningRecipe:
    """The text tower's last stage: described pictures beside texts.

    Attributes:
        loop: Steps, rates and seed.
        batch: Texts a step, and as many described pictures.
        pair_weight: Weight of telling pictures apart by their descriptions.
    """

    loop: LoopRecipe = field(
        default_factory=lambda: LoopRecipe(
            steps=450, learning_rate=4e-4, weight_decay=0.02, warmup=20, ema=0.98, seed=41
        )
    )
    batch: int = 256
    pair_weight: float = 0.5


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
        sound_text_weight: Weight of binding clips to their texts.
        sound_name_weight: As `name_weight`, for the sound teacher's names.
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
    sound_text_weight: float = 1.0
    sound_name_weight: float = 0.3
    label_weight: float = 0.3
    sound_label_weight: float = 1.0
    picture_weight: float = 0.3


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that makes kindred-mini what it is, besides data and teachers.

    Attributes:
        views: Caches of the pictures' views: the whole picture, then random crops, if any.
        space: The teachers' joint space.
        text: The text tower.
        tuning: The text tower's last stage.
        image: The image tower.
        audio: The audio tower's body.
        bind: The audio tower's head.
        samples: Items of each modality that the geometry of the space is measured on.
        seed: Draws those items.
    """

    views: tuple[str, ...] = ("image.npz",)
    space: SpaceRecipe = field(default_factory=SpaceRecipe)
    text: TextRecipe = field(default_factory=TextRecipe)
    tuning: TextTuningRecipe = field(default_factory=TextTuningRecipe)
    image: ImageRecipe = field(default_factory=ImageRecipe)
    audio: AudioRecipe = field(default_factory=AudioRecipe)
    bind: BindRecipe = field(default_factory=BindRecipe)
    samples: int = 1500
    seed: int = 40
