"""The text tower of kindred-mini: open_clip's causal transformer, read at the end mark."""

from dataclasses import dataclass

import torch
from torch import Tensor

from embedder.models.open_clip_import import import_open_clip

import_open_clip()

from open_clip.transformer import TextTransformer  # noqa: E402


@dataclass(frozen=True, slots=True)
class TextShape:
    """Sizes of the tower; the end mark's id is the vocabulary's last.

    Attributes:
        vocabulary: Entries of the tokenizer's vocabulary, special tokens included.
        context: Most tokens of a text, both marks included.
        width: Width of the transformer.
        heads: Attention heads.
        layers: Transformer layers.
        dim: Length of a vector.
    """

    vocabulary: int = 12_000
    context: int = 64
    width: int = 256
    heads: int = 4
    layers: int = 4
    dim: int = 384


class TextTower(TextTransformer):  # type: ignore[misc]
    """Token ids (n, tokens) to vectors (n, dim) of any norm; 0 pads a text after its end mark.

    What follows the end mark changes nothing, since attention looks backwards only: a batch may be
    as short as its longest text.
    """

    def __init__(self, shape: TextShape) -> None:
        super().__init__(
            context_length=shape.context,
            vocab_size=shape.vocabulary,
            width=shape.width,
            heads=shape.heads,
            layers=shape.layers,
            output_dim=shape.dim,
            pool_type="eos",
            eos_id=shape.vocabulary - 1,
        )

    def _embeds(self, text: Tensor) -> tuple[Tensor, Tensor]:
        """Cuts the causal mask to the batch's length; open_clip's own is for the whole context."""
        x, mask = super()._embeds(text)
        tokens = text.shape[1]
        return x, mask[:tokens, :tokens]


def pad(rows: list[Tensor]) -> Tensor:
    """Returns id rows of unequal lengths as one (n, tokens) tensor, padded with 0 at the end."""
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)
