"""How torch is kept while a graph is derived from it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeGuard

import torch
from torch import Tensor
from torch.nn.functional import linear, scaled_dot_product_attention


@contextmanager
def one_thread() -> Iterator[None]:
    """Keeps torch to one thread.

    Single items gain little from more, and on a busy machine threads wait for each other at every
    operation, which was seen to take sixty times as long.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def plain_attention() -> Iterator[None]:
    """Keeps torch from fusing attention into one operation that no other runtime knows."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


@contextmanager
def lean_attention() -> Iterator[None]:
    """Has self-attention traced as the two products and the one operation that it is.

    By itself torch moves axes about so much that half of a tower's operations come to nothing else.
    What is less common than self-attention without weights in its answer stays as it is.
    """
    layer, before = torch.nn.MultiheadAttention, torch.nn.MultiheadAttention.forward

    def forward(
        self: torch.nn.MultiheadAttention,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        *more: object,
        **how: object,
    ) -> tuple[Tensor, Tensor | None]:
        mask = how.get("attn_mask")
        if query is key is value and not more and _is_plain(self, how) and _is_added(mask):
            return _self_attention(self, query, mask), None
        return before(self, query, key, value, *more, **how)  # type: ignore[arg-type]

    layer.forward = forward  # type: ignore[method-assign]
    try:
        yield
    finally:
        layer.forward = before  # type: ignore[method-assign]


def _is_plain(layer: torch.nn.MultiheadAttention, how: Mapping[str, object]) -> bool:
    """Tells whether a mask is all that is asked for beside what `_self_attention` does."""
    asks_more = how.get("need_weights", True) or how.get("key_padding_mask") is not None
    has_more = layer.bias_k is not None or layer.add_zero_attn
    return layer.batch_first and not (asks_more or has_more)


def _is_added(mask: object) -> TypeGuard[Tensor | None]:
    """Tells whether a mask is of numbers: by truth values, layer and operation mean opposites."""
    if isinstance(mask, Tensor):
        return mask.ndim == 2 and mask.is_floating_point()
    return mask is None


def _self_attention(layer: torch.nn.MultiheadAttention, x: Tensor, mask: Tensor | None) -> Tensor:
    """Returns what a layer makes of (n, length, width); a mask, (length, length), is added."""
    n, length, width = x.shape
    heads = (n, length, layer.num_heads, width // layer.num_heads)
    parts = linear(x, layer.in_proj_weight, layer.in_proj_bias).chunk(3, dim=-1)
    query, key, value = (part.reshape(heads).transpose(1, 2) for part in parts)
    found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    joined = found.transpose(1, 2).reshape(n, length, width)
    return linear(joined, layer.out_proj.weight, layer.out_proj.bias)
