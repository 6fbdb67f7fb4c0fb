"""The numbers of the audio tower's recipe."""

from dataclasses import dataclass


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
class ChainRecipe:
    """A run in which the layers follow the teacher as one chain.

    Attributes:
        mix: Its windows.
        steps: Optimiser steps.
        rate: Peak learning rate.
        kept: First stages that it leaves as they are: large maps, and small errors.
        map_weight: Weight of the maps' errors, the mean over the other stages.
        embedding_weight: Weight of 1 - cosine of the embeddings' square roots.
        score_weight: Weight of the class scores' divergence.
    """

    mix: MixRecipe
    steps: int
    rate: float
    kept: int
    map_weight: float = 1.0
    embedding_weight: float = 3.0
    score_weight: float = 10.0


@dataclass(frozen=True, slots=True)
class AudioRecipe:
    """The audio tower's body: first every layer alone, then all of them as one chain.

    Attributes:
        layer_mix: Windows of the first part.
        layer_steps: Its optimiser steps.
        layer_rate: Its peak learning rate.
        fit_steps: Batches that the layers' scales and offsets are fitted on.
        chains: The runs of the second part: nearly all stages, then the last three, which err most.
    """

    layer_mix: MixRecipe = MixRecipe(seed=31, batch=128)
    layer_steps: int = 300
    layer_rate: float = 4e-3
    fit_steps: int = 20
    chains: tuple[ChainRecipe, ...] = (
        ChainRecipe(MixRecipe(seed=32, batch=64), steps=1_000, rate=2e-4, kept=5),
        ChainRecipe(MixRecipe(seed=35, batch=128), steps=700, rate=5e-4, kept=11),
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
        dropout: Share of features that are dropped.
        least_deviation: Features that vary less are not blown up.
        scale: What cosines are multiplied by in every loss; it is not learnt.
        weights: Weight of each loss; one that is missing is left out.
        kin: Labels whose texts have at least this cosine are not each other's negatives.
        everyday: Share of ESC-50 in a batch.
        rarity: A clip is drawn with its label's count to the power of minus this.
    """

    seed: int = 33
    batch: int = 512
    steps: int = 1_000
    learning_rate: float = 2e-3
    weight_decay: float = 0.1
    dropout: float = 0.3
    least_deviation: float = 0.1
    scale: float = 20.0
    weights: tuple[tuple[str, float], ...] = (
        ("labels", 0.25),
        ("rivals", 0.5),
        ("found", 0.25),
        ("names", 0.5),
        ("pictures", 0.8),
    )
    kin: float = 0.75
    everyday: float = 0.75
    rarity: float = 0.5
