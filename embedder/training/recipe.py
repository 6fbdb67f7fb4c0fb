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
