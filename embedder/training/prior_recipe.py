"""The numbers of the bridges and of the prior."""

from dataclasses import dataclass, field

from embedder.training.loop import LoopRecipe


@dataclass(frozen=True, slots=True)
class PriorRecipe:
    """The bridges of a space, ridge regression and the prior.

    Attributes:
        seed: Draws pairs, noise and times.
        pairs: Pairs that a condition's modality is fitted to, drawn by `shares`.
        shares: Share of the text pairs that each set of pictures gets; the others share `rest`.
        rest: Share of all sets that `shares` does not name.
        penalty: Of ridge regression, a share of the sources' mean variance.
        coordinates: White coordinates of the pictures.
        width: Of the network's layers.
        blocks: Of the network.
        sounds: Share of a batch that has sounds for conditions.
        dropped: Share of the conditions that are dropped.
        batch: Pairs a step.
        loop: Steps, rates and seed.
    """

    seed: int = 60
    pairs: int = 60_000
    shares: tuple[tuple[str, float], ...] = (
        ("flickr8k", 0.5),
        ("daquar_indoor", 0.08),
        ("tiny_imagenet", 0.15),
        ("caltech101", 0.08),
        ("emoji_noto", 0.03),
    )
    rest: float = 0.16
    penalty: float = 0.03
    coordinates: int = 256
    width: int = 256
    blocks: int = 2
    sounds: float = 0.2
    dropped: float = 0.1
    batch: int = 512
    loop: LoopRecipe = field(
        default_factory=lambda: LoopRecipe(
            steps=2_500, learning_rate=3e-3, weight_decay=0.02, warmup=50, ema=0.995, seed=61
        )
    )
