"""The network of kindred-demo: convolutions where pictures are fine, a transformer where coarse.

Shaped as U-ViT of simple diffusion (arXiv:2301.11093): an hourglass whose narrow middle, 64 tokens
of 8 x 8 pixels each, does most of the work, so that a step is cheap on a CPU. One modulation is
shared by all layers, each of which adds an offset of its own (adaLN-single, arXiv:2310.00426).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.conditioning.generator.shape import GeneratorShape
from embedder.conditioning.generator.waves import pooled
from embedder.conditioning.generator.weights import GeneratorFile
from embedder.errors import WeightsError
from embedder.runtime.torch import placed


class Network(nn.Module):
    """Maps noisy pictures, times, vectors and their noise levels to what a step needs.

    Whether a vector counts is told by `known`: where it is 0, a learnt vector takes its place.

    Attributes:
        spectrum: Deviations of the waves of the pictures that it was taught, (3, size, size).
    """

    spectrum: Tensor

    def __init__(self, shape: GeneratorShape) -> None:
        super().__init__()
        fine, middle, width = shape.fine, shape.middle, shape.width
        self.shape = shape
        self.register_buffer("spectrum", torch.full((3, shape.size, shape.size), 0.5))
        self.condition = Condition(shape)
        self.into_fine = nn.Conv2d(12, fine, 3, padding=1)
        self.fine_down = Residual(fine, fine, width)
        self.into_middle = nn.Conv2d(4 * fine, middle, 1)
        self.middle_down = Residual(middle, middle, width)
        self.into_tokens = nn.Linear(4 * middle, width)
        self.places = nn.Parameter(0.02 * torch.randn(1, width, shape.size // 8, shape.size // 8))
        self.layers = nn.ModuleList(Layer(width, shape.heads) for _ in range(shape.layers))
        self.out_of_tokens = nn.Linear(width, 4 * middle)
        self.middle_up = Residual(2 * middle, middle, width)
        self.out_of_middle = nn.Conv2d(middle, 4 * fine, 1)
        self.fine_up = Residual(2 * fine, fine, width)
        self.last = nn.Conv2d(fine, 12, 3, padding=1)
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(self.last.bias)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor, times: Tensor, vectors: "Heard") -> Tensor:
        """Returns what is left of the velocity, for pictures (n, 3, side, side) and times (n,)."""
        signal, extra, modulation = self.condition(times, vectors)
        fine = self.into_fine(functional.pixel_unshuffle(pictures, 2))
        fine = self.fine_down(fine, signal)  # (n, fine, size/2, size/2)
        middle = self.into_middle(functional.pixel_unshuffle(fine, 2))
        middle = self.middle_down(middle, signal)  # (n, middle, size/4, size/4)
        coarse = functional.pixel_unshuffle(middle, 2)
        side = coarse.shape[-1]
        tokens = self.into_tokens(coarse.flatten(2).transpose(1, 2)) + self._places(side)
        tokens = torch.cat([extra, tokens], 1)
        for layer in self.layers:
            tokens = layer(tokens, modulation)
        coarse = self.out_of_tokens(tokens[:, extra.shape[1] :]).transpose(1, 2)
        coarse = functional.pixel_shuffle(coarse.unflatten(2, (side, side)), 2)
        middle = self.middle_up(torch.cat([middle, coarse], 1), signal)
        wide = functional.pixel_shuffle(self.out_of_middle(middle), 2)
        fine = self.fine_up(torch.cat([fine, wide], 1), signal)
        return functional.pixel_shuffle(self.last(functional.silu(fine)), 2)

    @torch.no_grad()
    def resized(self, size: int) -> "Network":
        """Returns a network for smaller pictures that does with them what this one does."""
        smaller = Network(replace(self.shape, size=size))
        places = functional.adaptive_avg_pool2d(self.places, size // 8)
        scaled = {"places": places, "spectrum": pooled(self.spectrum, size)}
        smaller.load_state_dict({**self.state_dict(), **scaled})
        return smaller

    def _places(self, side: int) -> Tensor:
        """Returns what tells tokens where they are, for pictures of 8 `side` pixels too."""
        return functional.adaptive_avg_pool2d(self.places, side).flatten(2).transpose(1, 2)


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """What n pictures are to show.

    Attributes:
        vectors: Unit vectors, (n, dim).
        levels: How much noise each vector bears: the L2 norm to expect, (n,).
        known: 1 where the vector counts and 0 where it does not, (n,).
    """

    vectors: Tensor
    levels: Tensor
    known: Tensor

    def and_nothing(self) -> "Heard":
        """Returns it for 2n pictures, the latter half of nothing in particular."""
        known = torch.cat([self.known, torch.zeros_like(self.known)])
        return Heard(self.vectors.repeat(2, 1), self.levels.repeat(2), known)

    def to(self, device: str | torch.device) -> "Heard":
        """Returns it on a device."""
        return Heard(self.vectors.to(device), self.levels.to(device), self.known.to(device))


class Condition(nn.Module):
    """Turns time, vector and level into one signal, some tokens and the layers' modulation."""

    mean: Tensor
    scale: Tensor

    def __init__(self, shape: GeneratorShape) -> None:
        super().__init__()
        width = shape.width
        self.register_buffer("mean", torch.zeros(shape.dim))
        self.register_buffer("scale", torch.full((shape.dim,), math.sqrt(shape.dim)))
        self.vector = nn.Sequential(
            nn.Linear(shape.dim, width), nn.SiLU(), nn.Linear(width, (1 + shape.tokens) * width)
        )
        self.nothing = nn.Parameter(0.02 * torch.randn(1 + shape.tokens, width))
        self.time = nn.Sequential(nn.Linear(2 * 64, width), nn.SiLU(), nn.Linear(width, width))
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def listen_to(self, vectors: Tensor) -> None:
        """Takes mean and spread of vectors (n, dim) as what to expect."""
        self.mean.copy_(vectors.mean(0))
        least = 0.5 / math.sqrt(vectors.shape[1])  # of a unit vector's: some spaces have flat axes
        self.scale.copy_(1.0 / vectors.std(0).clamp(min=least))

    def forward(self, times: Tensor, heard: Heard) -> tuple[Tensor, Tensor, Tensor]:
        """Returns the signal (n, width), tokens (n, tokens, width), modulation (n, 1, 6 width)."""
        told = self.vector((heard.vectors - self.mean) * self.scale)
        told = told.unflatten(1, self.nothing.shape)
        known = heard.known[:, None, None]
        told = known * told + (1.0 - known) * self.nothing
        level = heard.levels * heard.known
        waves = torch.cat([_waves(times), _waves(level)], 1)
        signal = functional.silu(told[:, 0] + self.time(waves))
        return signal, told[:, 1:], self.modulation(signal)[:, None]


class Residual(nn.Module):
    """Two convolutions beside a shortcut, with a gain and offset told by the signal."""

    def __init__(self, inputs: int, outputs: int, signal: int) -> None:
        super().__init__()
        self.shortcut = nn.Conv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()
        self.before = nn.GroupNorm(1, inputs)
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.between = nn.GroupNorm(1, outputs, affine=False)
        self.told = nn.Linear(signal, 2 * outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        for part in (self.told, self.second):
            nn.init.zeros_(part.weight)
            nn.init.zeros_(part.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor, signal: Tensor) -> Tensor:
        """Maps (n, inputs, h, w) to (n, outputs, h, w)."""
        gain, offset = self.told(signal)[:, :, None, None].chunk(2, 1)
        inner = self.first(functional.silu(self.before(x)))
        inner = self.between(inner) * (1.0 + gain) + offset
        inner = self.second(functional.silu(inner))
        shortcut: Tensor = self.shortcut(x)
        return torch.add(shortcut, inner)


class Layer(nn.Module):
    """A transformer layer whose norms' gains, offsets and gates are told by the modulation."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.own = nn.Parameter(torch.zeros(6 * width))
        self.inputs = nn.Linear(width, 3 * width)
        self.outputs = nn.Linear(width, width)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(approximate="tanh"), nn.Linear(4 * width, width)
        )

    def forward(self, tokens: Tensor, modulation: Tensor) -> Tensor:
        """Maps tokens (n, length, width), told by a modulation (n, 1, 6 width)."""
        gain, offset, gate, gain2, offset2, gate2 = (modulation + self.own).chunk(6, -1)
        tokens = tokens + gate * self._attended(_normed(tokens) * (1.0 + gain) + offset)
        thought: Tensor = self.mlp(_normed(tokens) * (1.0 + gain2) + offset2)
        return tokens + gate2 * thought

    def _attended(self, tokens: Tensor) -> Tensor:
        split = self.inputs(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        query, key, value = split.unbind(0)  # (n, heads, length, width / heads) each
        # Written out: for so few tokens torch's fused attention takes three times as long to train.
        weights = (query * query.shape[-1] ** -0.5) @ key.transpose(-2, -1)
        seen = weights.softmax(-1).to(value.dtype) @ value
        mixed: Tensor = self.outputs(seen.transpose(1, 2).flatten(2))
        return mixed


def _normed(tokens: Tensor) -> Tensor:
    return functional.layer_norm(tokens, tokens.shape[-1:])


def _waves(values: Tensor, count: int = 32, fastest: float = 1000.0) -> Tensor:
    """Returns sines and cosines of values in [0, 1], (n, 2 count)."""
    speeds = torch.exp(torch.linspace(0.0, math.log(fastest), count, device=values.device))
    angles = values[:, None] * speeds
    return torch.cat([angles.sin(), angles.cos()], 1)


def built(file: GeneratorFile, device: str) -> Network:
    """Returns the network of a file in float32, in eval mode, on a device.

    Raises:
        WeightsError: If the tensors are not those of the file's shape.
        MissingDependency: If the installed torch can't use the device.
    """
    network = Network(file.shape)
    tensors = {
        name: torch.from_numpy(tensor.astype(np.float32)) for name, tensor in file.tensors.items()
    }
    try:
        network.load_state_dict(tensors)
    except RuntimeError as exc:
        raise WeightsError(f"the weights must be those of a generator: {exc}") from exc
    placed(network, device)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
