"""open_clip's networks, taken apart into a tower of words and a tower of pictures.

Texts are padded to one length, 77 for most models. Where a text's vector is read at its end mark
and every token looks back only, what follows the mark changes nothing and need not be computed;
where tokens look ahead, or the vector is read elsewhere, all of it is computed, as open_clip does.
"""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.media import Modality
from embedder.models.open_clip_import import import_open_clip

import_open_clip()

from open_clip.model import CLIP, CustomTextCLIP  # noqa: E402
from open_clip.transformer import (  # noqa: E402
    CustomResidualAttentionBlock,
    ResidualAttentionBlock,
    TextTransformer,
    Transformer,
)

Ids = NDArray[np.int64]
LastRead = Callable[[Ids], int]
"""From a text's ids, (context,), to the place of the last one that its vector depends on."""

PADDING = 0
"""What follows the last id that is read; which id it is changes nothing."""

_BLOCKS = (ResidualAttentionBlock, CustomResidualAttentionBlock)


def last_read(network: Any) -> LastRead | None:  # noqa: ANN401 - open_clip has no types
    """Returns what finds a text's last id that counts; None where all of them do, or might."""
    text = _causal_text(network)
    if text is None:
        return None
    pool, end = _pool(text)
    if pool == "argmax":  # the end mark is the last of the vocabulary
        return lambda ids: int(ids.argmax())
    if pool == "eos" and end != PADDING:
        return lambda ids: int((ids == end).argmax())
    return None


def tower(network: Any, modality: Modality) -> torch.nn.Module:  # noqa: ANN401 - see above
    """Returns the tower of a modality; it shares its weights with the network.

    Texts go in as far as `last_read` says, (n, any length) and padded with `PADDING`, or else at
    the network's full length.
    """
    if modality is Modality.IMAGE:
        return _Part(network, "encode_image", {"visual"})
    if last_read(network) is None:
        return _Part(network, "encode_text", {*network._modules} - {"visual"})
    return _CausalText(_causal_text(network))


class _Part(torch.nn.Module):
    """One of a network's methods, without the modules that only the other one needs."""

    def __init__(self, network: Any, method: str, modules: set[str]) -> None:  # noqa: ANN401
        super().__init__()
        self.part = copy.copy(network)
        self.part._modules = {name: network._modules[name] for name in modules}
        self._method = method

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = getattr(self.part, self._method)(batch)
        return found


class _CausalText(torch.nn.Module):
    """A tower of words that looks back only, read at the last id that is not padding."""

    mask: torch.Tensor

    def __init__(self, text: Any) -> None:  # noqa: ANN401
        super().__init__()
        self.tokens = text.token_embedding
        self.positions = text.positional_embedding  # (context, width)
        self.blocks = text.transformer
        self.norm = text.ln_final
        self.projection = text.text_projection
        self.register_buffer("mask", text.attn_mask, persistent=False)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows, length = ids.shape
        x = self.tokens(ids) + self.positions[:length]  # (rows, length, width)
        x = self.blocks(x, attn_mask=self.mask[:length, :length])
        places = torch.arange(length, device=ids.device)
        last = ((ids != PADDING) * places).amax(dim=1)
        read: torch.Tensor = self.norm(x[torch.arange(rows, device=ids.device), last])
        if self.projection is None:
            return read
        linear = isinstance(self.projection, torch.nn.Linear)
        found: torch.Tensor = self.projection(read) if linear else read @ self.projection
        return found


def _causal_text(network: Any) -> Any:  # noqa: ANN401
    """Returns what holds a tower of words that is known to look back only; None if none does."""
    text: Any = network.text if type(network) is CustomTextCLIP else network
    # CoCa's class token follows the words, and looks back at all of them.
    known = type(text) is CLIP or (type(text) is TextTransformer and text.cls_emb is None)
    if not known or type(text.transformer) is not Transformer:
        return None
    plain = all(type(block) in _BLOCKS for block in text.transformer.resblocks)
    return text if plain and _is_causal(text.attn_mask) else None


def _is_causal(mask: torch.Tensor | None) -> bool:
    return mask is not None and torch.equal(mask, torch.full_like(mask, -torch.inf).triu(1))


def _pool(text: Any) -> tuple[str, int | None]:  # noqa: ANN401
    """Returns where a text's vector is read, and the id of the end mark."""
    if type(text) is CLIP:
        return text.text_pool_type, text.text_eos_id
    return text.pool_type, text.eos_id
