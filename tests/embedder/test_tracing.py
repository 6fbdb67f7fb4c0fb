"""What is traced in place of torch's own: the same values, in fewer operations."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import MultiheadAttention

from embedder.runtime.tracing import lean_attention

WIDTH, HEADS, LENGTH = 12, 3, 5
CAUSAL = torch.full((LENGTH, LENGTH), -torch.inf).triu(1)

Asked = Callable[[MultiheadAttention, Tensor], Any]


def layer(**how: Any) -> MultiheadAttention:  # noqa: ANN401 - any option of torch's layer
    torch.manual_seed(3)
    made = MultiheadAttention(WIDTH, HEADS, **{"batch_first": True, **how}).eval()
    for weights in made.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return made.requires_grad_(False)


def tokens() -> Tensor:
    return torch.randn(2, LENGTH, WIDTH, generator=torch.Generator().manual_seed(4))


def lean(attention: MultiheadAttention, x: Tensor, **how: Any) -> Any:  # noqa: ANN401
    with lean_attention():
        return attention(x, x, x, **how)


@pytest.mark.parametrize("mask", [None, CAUSAL])
@pytest.mark.parametrize("bias", [True, False])
def test_self_attention_is_what_it_was(mask: Tensor | None, bias: bool) -> None:
    attention, x = layer(bias=bias), tokens()
    found, weights = lean(attention, x, need_weights=False, attn_mask=mask)
    expected, _ = attention(x, x, x, need_weights=False, attn_mask=mask)
    torch.testing.assert_close(found, expected)
    assert weights is None


@pytest.mark.filterwarnings("ignore")  # of what a trace takes for constants, and its own end
def test_it_takes_half_the_operations() -> None:
    class Block(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = layer()

        def forward(self, x: Tensor) -> Tensor:
            found: Tensor = self.attention(x, x, x, need_weights=False)[0]
            return found

    def operations() -> int:
        with torch.inference_mode():
            traced = torch.jit.trace(Block(), tokens(), check_trace=False)  # type: ignore[no-untyped-call]
        return sum(node.kind() != "prim::Constant" for node in traced.inlined_graph.nodes())

    torch.backends.mha.set_fastpath_enabled(False)
    try:
        own = operations()
        with lean_attention():
            assert operations() <= own / 2
        assert operations() == own  # torch has its own back
    finally:
        torch.backends.mha.set_fastpath_enabled(True)


UNCOMMON: dict[str, tuple[dict[str, Any], Asked]] = {
    "weights are asked for": ({}, lambda it, x: it(x, x, x)),
    "a mask of truth values": (
        {},
        lambda it, x: it(x, x, x, need_weights=False, attn_mask=CAUSAL.bool()),
    ),
    "a mask for each head": (
        {},
        lambda it, x: it(
            x, x, x, need_weights=False, attn_mask=CAUSAL.repeat(len(x) * HEADS, 1, 1)
        ),
    ),
    "padding": (
        {},
        lambda it, x: it(
            x, x, x, need_weights=False, key_padding_mask=torch.arange(LENGTH).repeat(2, 1) > 2
        ),
    ),
    "arguments by place": ({}, lambda it, x: it(x, x, x, None, False)),
    "two inputs": ({}, lambda it, x: it(x, x.flip(1), x.flip(1), need_weights=False)),
    "batch in the middle": (
        {"batch_first": False},
        lambda it, x: it(x, x, x, need_weights=False),
    ),
    "a key that all see": ({"add_bias_kv": True}, lambda it, x: it(x, x, x, need_weights=False)),
    "a key of nothing": ({"add_zero_attn": True}, lambda it, x: it(x, x, x, need_weights=False)),
}


@pytest.mark.parametrize("name", UNCOMMON)
def test_what_is_less_common_stays_as_it_is(name: str) -> None:
    options, ask = UNCOMMON[name]
    attention, x = layer(**options), tokens()
    expected = ask(attention, x)
    with lean_attention():
        found = ask(attention, x)
    torch.testing.assert_close(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])
