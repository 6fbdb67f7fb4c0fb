"""ImageBind's forward pass once more, in NumPy and float64, written from its formulas alone.

Each rule that is easily broken is a switch, so that a test can show that breaking it would show.
"""

import math
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from embedder.models.imagebind.shape import PatchStem, SenseShape, SignalStem, TextStem

Array = NDArray[np.float64]
Spot = tuple[int, ...]


@dataclass(frozen=True)
class Rules:
    """What the original does; every other value is a trap."""

    extra_key: bool = True
    exact_gelu: bool = True
    stem_eps: float = 1e-5
    norm_eps: float = 1e-6
    most_scale: float = 100.0
    unit_before_mean: bool = True
    mean_made_unit: bool = False
    patches_row_major: bool = True


class Oracle:
    """One sense of a state dict."""

    def __init__(
        self,
        state: dict[str, NDArray[np.float32]],
        name: str,
        shape: SenseShape,
        rules: Rules | None = None,
    ) -> None:
        self.state = {key: value.astype(np.float64) for key, value in state.items()}
        self.name, self.shape, self.rules = name, shape, rules or Rules()

    def raw(self, x: Array) -> Array:
        """Returns (n, dim) for inputs (n, ...) or (n, clips, ...)."""
        if x.ndim < 5:
            return self._scaled(self._head(self._trunk(*self._tokens(x))))
        each = self._head(
            self._trunk(*self._tokens(x.reshape(-1, *x.shape[2:])))
        )  # (n * clips, dim)
        if self.rules.unit_before_mean:
            each = self._scaled(each)
            mean = each.reshape(*x.shape[:2], -1).mean(1)
        else:
            mean = self._scaled(each.reshape(*x.shape[:2], -1).mean(1))
        if self.rules.mean_made_unit:
            mean = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return np.asarray(mean, np.float64)

    def _get(self, part: str, key: str) -> Array:
        return self.state[f"modality_{part}.{self.name}.{key}"]

    def _tokens(self, x: Array) -> tuple[Array, Array, bool]:
        """Returns tokens, the one that is read of each row, and whether they look back only."""
        match self.shape.stem:
            case TextStem():
                ids = x.astype(int)
                table = self._get("preprocessors", "token_embedding.weight")
                tokens = table[ids] + self._get("preprocessors", "pos_embed")[:, : ids.shape[1]]
                return tokens, ids.argmax(1), True
            case SignalStem() as stem:
                n = len(x)
                rows = x.reshape(n, stem.channels, -1, stem.window).transpose(0, 2, 1, 3)
                tokens = rows.reshape(n, -1, stem.channels * stem.window)
                tokens = tokens @ self._get("preprocessors", "imu_stem.proj.weight").T
                tokens = self._norm(tokens, "preprocessors", "imu_stem.norm_layer", stem=True)
                positions = self._get("preprocessors", "pos_embed")
            case PatchStem() as stem:
                tokens = self._patches(x, stem)
                if stem.norm:
                    key = f"{stem.name}.norm_layer"
                    tokens = self._norm(tokens, "preprocessors", key, stem=True)
                positions = self._get("preprocessors", "pos_embedding_helper.pos_embed")
        first = np.broadcast_to(
            self._get("preprocessors", "cls_token"), (len(tokens), 1, tokens.shape[2])
        )
        tokens = np.concatenate([first, tokens], 1) + positions
        return tokens, np.zeros(len(tokens), int), False

    def _patches(self, x: Array, stem: PatchStem) -> Array:
        if len(stem.size) == 3:
            kernel = self._get("preprocessors", f"{stem.name}.proj.1.weight")
            x = x if x.ndim == 5 else np.repeat(x[:, :, None], stem.kernel[0], axis=2)
        else:
            kernel = self._get("preprocessors", f"{stem.name}.proj.weight")
        grid = stem.grid
        spots: list[Spot] = list(product(*map(range, grid)))
        if not self.rules.patches_row_major:
            spots = sorted(spots, key=lambda spot: spot[::-1])
        patches = []
        for spot in spots:
            part = x[:, :, *self._window(spot, stem)]
            patches.append(part.reshape(len(x), -1) @ kernel.reshape(len(kernel), -1).T)
        return np.stack(patches, 1)

    @staticmethod
    def _window(spot: Spot, stem: PatchStem) -> list[slice]:
        return [
            slice(i * step, i * step + size)
            for i, step, size in zip(spot, stem.stride, stem.kernel, strict=True)
        ]

    def _trunk(self, tokens: Array, read: Array, look_back: bool) -> Array:
        if self.shape.trunk.first_norm:
            tokens = self._norm(tokens, "trunks", "pre_transformer_layer.0")
        for number in range(self.shape.trunk.blocks):
            block = f"blocks.{number}"
            normed = self._norm(tokens, "trunks", f"{block}.norm_1")
            tokens = tokens + self._attention(normed, block, look_back)
            hidden = self._norm(tokens, "trunks", f"{block}.norm_2")
            hidden = self._gelu(self._linear(hidden, f"{block}.mlp.fc1"))
            tokens = tokens + self._linear(hidden, f"{block}.mlp.fc2")
        return np.asarray(tokens[np.arange(len(tokens)), read], np.float64)

    def _attention(self, x: Array, block: str, look_back: bool) -> Array:
        n, count, width = x.shape
        packed = x @ self._get("trunks", f"{block}.attn.in_proj_weight").T
        packed = packed + self._get("trunks", f"{block}.attn.in_proj_bias")
        q, k, v = np.split(packed, 3, axis=2)
        if self.shape.trunk.extra_key and self.rules.extra_key:
            extra = [self._get("trunks", f"{block}.attn.bias_{which}") for which in "kv"]
            k, v = (
                np.concatenate([rows, np.broadcast_to(one, (n, 1, width))], 1)
                for rows, one in zip((k, v), extra, strict=True)
            )
        heads = self.shape.trunk.heads
        q, k, v = (r.reshape(n, -1, heads, width // heads).transpose(0, 2, 1, 3) for r in (q, k, v))
        logits = q @ k.transpose(0, 1, 3, 2) / math.sqrt(width // heads)
        if look_back:
            logits = np.where(np.tri(count, dtype=bool), logits, -np.inf)
        weights = np.exp(logits - logits.max(-1, keepdims=True))
        weights /= weights.sum(-1, keepdims=True)
        mixed = (weights @ v).transpose(0, 2, 1, 3).reshape(n, count, width)
        return self._linear(mixed, f"{block}.attn.out_proj")

    def _head(self, read: Array) -> Array:
        norm, projection = {TextStem: ("proj.0", "proj.1"), SignalStem: ("0", "3")}.get(
            type(self.shape.stem), ("0", "2")
        )
        return self._norm(read, "heads", norm) @ self._get("heads", f"{projection}.weight").T

    def _scaled(self, vectors: Array) -> Array:
        vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        if self.shape.scale is None:
            return vectors
        scale = np.exp(self._get("postprocessors", "1.log_logit_scale"))
        return np.asarray(vectors * min(float(scale), self.rules.most_scale))

    def _linear(self, x: Array, key: str) -> Array:
        return x @ self._get("trunks", f"{key}.weight").T + self._get("trunks", f"{key}.bias")

    def _norm(self, x: Array, part: str, key: str, *, stem: bool = False) -> Array:
        eps = self.rules.stem_eps if stem else self.rules.norm_eps
        centred = x - x.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + eps)
        return np.asarray(
            scaled * self._get(part, f"{key}.weight") + self._get(part, f"{key}.bias"), np.float64
        )

    def _gelu(self, x: Array) -> Array:
        if self.rules.exact_gelu:
            return np.asarray(x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2))), np.float64)
        return np.asarray(
            0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))), np.float64
        )
