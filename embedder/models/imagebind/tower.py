"""ImageBind's networks. Modules are named so that parameters have the published names.

A sense is a chain of its own: stem, position embeddings, trunk, head, scale. Nothing is shared.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.imagebind.shape import (
    ImageBindShape,
    PatchStem,
    SenseShape,
    SignalStem,
    TextStem,
    TrunkShape,
)

NORM_EPS = 1e-6
"""Of every layer normalisation but those in the stems, which have torch's own 1e-5."""

MOST_SCALE = 100.0
"""A scale counts up to this, as in CLIP (arXiv:2103.00020)."""


class Towers(nn.Module):
    """All senses of a model; `forward` gives the model's own, scaled output."""

    def __init__(self, shape: ImageBindShape) -> None:
        super().__init__()
        self.shape = shape
        senses = shape.senses.items()
        self.modality_preprocessors = nn.ModuleDict({m: _stem(sense) for m, sense in senses})
        self.modality_trunks = nn.ModuleDict({m: Trunk(sense.trunk) for m, sense in senses})
        self.modality_heads = nn.ModuleDict({m: _head(sense, shape.dim) for m, sense in senses})
        self.modality_postprocessors = nn.ModuleDict(
            {
                m: nn.ModuleDict({"1": Scale(sense.scale, learnt=sense.learnt_scale)})
                for m, sense in senses
                if sense.scale is not None
            }
        )

    def forward(self, sense: str, x: Tensor) -> Tensor:
        """Returns vectors (n, dim) as the original gives them: scaled, means not made unit again.

        Args:
            sense: One of the shape's.
            x: (n, ...) or, from five axes on, (n, clips, ...): the mean over clips is returned.

        Raises:
            ValueError: If the input has not the shape that the sense takes.
        """
        if x.ndim < 5:
            return self._one_each(sense, x)
        vectors = self._one_each(sense, x.flatten(0, 1))
        return vectors.reshape(*x.shape[:2], -1).mean(1)

    def _one_each(self, sense: str, x: Tensor) -> Tensor:
        tokens, read, mask = self.modality_preprocessors[sense](x)
        tokens = self.modality_trunks[sense](tokens, mask)
        chosen = tokens[torch.arange(len(tokens), device=tokens.device), read]
        for layer in _layers(self.modality_heads[sense]):
            chosen = layer(chosen)
        vectors = functional.normalize(chosen, dim=-1)
        if sense in self.modality_postprocessors:
            vectors = _layers(self.modality_postprocessors[sense])[0](vectors)
        return vectors


Tokens = tuple[Tensor, Tensor | int, Tensor | None]
"""Tokens (n, tokens, width), which of them is read at the end, and what attention may not see."""


class Patches(nn.Module):
    """Patches of a picture, a film or a spectrogram, a class token before them, with positions."""

    def __init__(self, stem: PatchStem, width: int) -> None:
        super().__init__()
        self.stem = stem
        layers = nn.ModuleDict({"proj": _convolution(stem, width)})
        if stem.norm:
            layers["norm_layer"] = nn.LayerNorm(width)
        self.add_module(stem.name, layers)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embedding_helper = Positions(1 + math.prod(stem.grid), width)

    def forward(self, x: Tensor) -> Tokens:
        """Returns the tokens of inputs (n, channels, ...); the class token is read."""
        layers = self.get_submodule(self.stem.name)
        if not isinstance(layers, nn.ModuleDict):
            raise TypeError(f"{self.stem.name} must be layers")
        if len(self.stem.size) == 3:
            patches = self._of_film(x, layers.get_submodule("proj.1"))
        else:
            _require(x, (self.stem.channels, *self.stem.size))
            patches = layers["proj"](x)
        grid = patches.shape[2:]
        tokens = patches.flatten(2).transpose(1, 2)
        if "norm_layer" in layers:
            tokens = layers["norm_layer"](tokens)
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        return tokens + self.pos_embedding_helper(grid, self.stem.grid), 0, None

    def _of_film(self, x: Tensor, convolution: nn.Module) -> Tensor:
        """A picture is a film that stands still: its frame counts as often as the kernel is long.

        So the kernel's frames may be summed once, instead of reading equal frames one by one.
        """
        frames, side = self.stem.size[0], x.shape[-1]
        if x.ndim == 4:
            _require(x, (self.stem.channels, side, side))
            kernel = convolution.get_parameter("weight").sum(2)
            return functional.conv2d(x, kernel, stride=self.stem.stride[1:]).unsqueeze(2)
        _require(x, (self.stem.channels, frames, side, side))
        films: Tensor = convolution(x)
        return films


class Positions(nn.Module):
    """Learnt positions of a class token and a grid of patches."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.zeros(1, tokens, width))

    def forward(self, grid: torch.Size, learnt: tuple[int, ...]) -> Tensor:
        """Returns the positions, those of the grid resized where it is not the learnt one."""
        if tuple(grid) == learnt:
            return self.pos_embed
        first, rest = self.pos_embed[:, :1], self.pos_embed[:, 1:]
        rows = rest.transpose(1, 2).reshape(1, -1, *learnt[-2:])
        resized = functional.interpolate(
            rows.float(), size=tuple(grid[-2:]), mode="bicubic", align_corners=False
        )
        return torch.cat([first, resized.to(rest.dtype).flatten(2).transpose(1, 2)], 1)


class Words(nn.Module):
    """Token embeddings with positions, and the mask that lets a token see only what was before."""

    mask: Tensor

    def __init__(self, stem: TextStem, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(stem.vocabulary, width)
        self.pos_embed = nn.Parameter(torch.zeros(1, stem.context, width))
        above = torch.full((stem.context, stem.context), -math.inf).triu(1)
        self.register_buffer("mask", above)

    def forward(self, ids: Tensor) -> Tokens:
        """Returns the tokens of ids (n, tokens); the end mark, the largest id, is read."""
        tokens, context = ids.shape[1], self.pos_embed.shape[1]
        if tokens > context:
            raise ValueError(f"a text has at most {context} ids, got {tokens}")
        embedded = self.token_embedding(ids) + self.pos_embed[:, :tokens]
        return embedded, ids.argmax(1), self.mask[:tokens, :tokens]


class Signals(nn.Module):
    """Windows of a motion sensor's signals, a class token before them, with positions."""

    def __init__(self, stem: SignalStem, width: int) -> None:
        super().__init__()
        self.stem = stem
        inputs = stem.channels * stem.window
        self.imu_stem = nn.ModuleDict(
            {"proj": nn.Linear(inputs, width, bias=False), "norm_layer": nn.LayerNorm(width)}
        )
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + stem.samples // stem.window, width))

    def forward(self, x: Tensor) -> Tokens:
        """Returns the tokens of signals (n, channels, samples); the class token is read."""
        _require(x, (self.stem.channels, self.stem.samples))
        windows = x.reshape(len(x), self.stem.channels, -1, self.stem.window)
        windows = windows.transpose(1, 2).flatten(2)
        tokens = self.imu_stem["norm_layer"](self.imu_stem["proj"](windows))
        tokens = torch.cat([self.cls_token.expand(len(tokens), -1, -1), tokens], 1)
        return tokens + self.pos_embed, 0, None


class Trunk(nn.Module):
    """A pre-norm transformer; its last norm is the head's."""

    def __init__(self, shape: TrunkShape) -> None:
        super().__init__()
        if shape.first_norm:
            self.pre_transformer_layer = nn.ModuleDict({"0": nn.LayerNorm(shape.width, NORM_EPS)})
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.blocks))

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Returns tokens of the same shape, (n, tokens, width)."""
        if hasattr(self, "pre_transformer_layer"):
            tokens = self.pre_transformer_layer["0"](tokens)
        for block in self.blocks:
            tokens = block(tokens, mask)
        return tokens


class Block(nn.Module):
    """Attention, then an MLP with the exact GELU, each added to what it read."""

    def __init__(self, shape: TrunkShape) -> None:
        super().__init__()
        width = shape.width
        self.norm_1 = nn.LayerNorm(width, NORM_EPS)
        self.attn = nn.MultiheadAttention(
            width, shape.heads, add_bias_kv=shape.extra_key, batch_first=True
        )
        self.norm_2 = nn.LayerNorm(width, NORM_EPS)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )

    def forward(self, tokens: Tensor, mask: Tensor | None) -> Tensor:
        """Returns tokens of the same shape, (n, tokens, width)."""
        read = self.norm_1(tokens)
        tokens = tokens + self.attn(read, read, read, need_weights=False, attn_mask=mask)[0]
        hidden = functional.gelu(self.mlp["fc1"](self.norm_2(tokens)))
        written: Tensor = self.mlp["fc2"](hidden)
        return tokens + written


class Scale(nn.Module):
    """Multiplies by exp of a stored logarithm, up to `MOST_SCALE`."""

    log_logit_scale: Tensor

    def __init__(self, scale: float, *, learnt: bool) -> None:
        super().__init__()
        logarithm = torch.tensor(math.log(scale))
        if learnt:
            self.log_logit_scale = nn.Parameter(logarithm)
        else:
            self.register_buffer("log_logit_scale", logarithm)

    def forward(self, vectors: Tensor) -> Tensor:
        """Returns the vectors, scaled."""
        return vectors * self.log_logit_scale.exp().clamp(max=MOST_SCALE)


def _stem(sense: SenseShape) -> nn.Module:
    match sense.stem:
        case PatchStem():
            return Patches(sense.stem, sense.trunk.width)
        case TextStem():
            return Words(sense.stem, sense.trunk.width)
        case SignalStem():
            return Signals(sense.stem, sense.trunk.width)


def _convolution(stem: PatchStem, width: int) -> nn.Module:
    """Returns what reads patches, under the name that it has in the checkpoint."""
    match (*stem.kernel, *stem.stride):
        case (rows, columns, down, right):
            return nn.Conv2d(stem.channels, width, (rows, columns), (down, right), bias=False)
        case (frames, rows, columns, on, down, right):
            kernel, stride = (frames, rows, columns), (on, down, right)
            film = nn.Conv3d(stem.channels, width, kernel, stride, bias=False)
            return nn.ModuleDict({"1": film})
        case _:
            raise ValueError(f"a stem has two or three axes, got a kernel of {stem.kernel}")


def _head(sense: SenseShape, dim: int) -> nn.ModuleDict:
    """Returns norm and projection under the numbers they have in the checkpoint.

    The numbers between are layers without parameters: the choice of a token, and dropout.
    """
    norm = nn.LayerNorm(sense.trunk.width, NORM_EPS)
    projection = nn.Linear(sense.trunk.width, dim, bias=False)
    match sense.stem:
        case TextStem():
            return nn.ModuleDict({"proj": nn.ModuleDict({"0": norm, "1": projection})})
        case SignalStem():
            return nn.ModuleDict({"0": norm, "3": projection})
        case PatchStem():
            return nn.ModuleDict({"0": norm, "2": projection})


def _layers(named: nn.Module) -> list[nn.Module]:
    """Returns the layers with parameters, in order."""
    return [layer for layer in named.modules() if not isinstance(layer, nn.ModuleDict)]


def _require(x: Tensor, shape: tuple[int, ...]) -> None:
    """Refuses inputs (n, ...) of another shape: some would pass with positions that mean nothing.

    Raises:
        ValueError: If the shape differs.
    """
    if tuple(x.shape[1:]) != shape:
        expected = ", ".join(map(str, shape))
        raise ValueError(f"the input must be of shape (n, {expected}), got {tuple(x.shape)}")
