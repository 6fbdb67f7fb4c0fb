"""Every number of the recipe, one frozen dataclass a stage."""

from dataclasses import dataclass


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
        learning_rate: Peak rate of AdamW.
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
    steps: int = 3_500
    final_steps: int = 1_000
    learning_rate: float = 2e-3
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
        chain_mix: Windows of the second part.
        chain_steps: Its optimiser steps.
        chain_rate: Its peak learning rate.
        chain_thawed: Share of its steps in which batch normalisation still follows the batch.
        map_weight: Weight of the maps' errors, the mean over all stages.
        embedding_weight: Weight of 1 - cosine of the embeddings' square roots.
        score_weight: Weight of the class scores' divergence.
    """

    layer_mix: MixRecipe = MixRecipe(seed=31, batch=128)
    layer_steps: int = 300
    layer_rate: float = 4e-3
    chain_mix: MixRecipe = MixRecipe(seed=32, batch=64)
    chain_steps: int = 1_000
    chain_rate: float = 3e-4
    chain_thawed: float = 0.5
    map_weight: float = 1.0
    embedding_weight: float = 3.0
    score_weight: float = 10.0
