"""Sizes of the generator's network, without torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneratorShape:
    """Sizes of the network.

    Attributes:
        dim: Length of the vectors it listens to.
        size: Side of its pictures in pixels, a multiple of 8.
        fine: Channels at half the side.
        middle: Channels at a quarter of the side.
        width: Channels at an eighth of the side, and of the transformer.
        layers: Layers of the transformer.
        heads: Attention heads.
        tokens: Tokens that a vector becomes.
    """

    dim: int = 384
    size: int = 64
    fine: int = 32
    middle: int = 80
    width: int = 256
    layers: int = 7
    heads: int = 4
    tokens: int = 4
