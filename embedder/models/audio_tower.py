"""The audio tower of kindred-mini: log-mel patches to vectors.

Each patch runs through a depthwise-separable CNN of MobileNetV1's shape (Howard et al. 2017,
arXiv:1704.04861), the one that YAMNet has; mean and maximum over the patches go through a linear
head.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

EPSILON = 1e-8
"""Batch normalisation's: some of the maps before a rectifier have a variance near 1e-5."""

ROOT_OFFSET = 1e-4
"""Added before a square root, so that its gradient stays finite at zero."""


@dataclass(frozen=True, slots=True)
class AudioShape:
    """Sizes of the tower; the stages' defaults are YAMNet's.

    Attributes:
        dim: Length of a vector.
        widths: Channels that each stage puts out, the stem first.
        strides: Stride of each stage.
    """

    dim: int = 384
    widths: Sequence[int] = (32, 64, 128, 128, 256, 256, *[512] * 6, 1024, 1024)
    strides: Sequence[int] = (2, 1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)


class AudioTower(nn.Module):
    """Log-mel patches to vectors. Load a state in eval mode: batch normalisation is folded away."""

    def __init__(self, shape: AudioShape) -> None:
        super().__init__()
        self.shape = shape
        self.stages = make_stages(shape)
        self.head = nn.Linear(2 * shape.widths[-1], shape.dim)

    def forward(self, patches: Tensor) -> Tensor:
        """Returns one vector of any norm per sound.

        Args:
            patches: float32, (sounds, patches, 96, 64), of at most ten seconds each.

        Returns:
            float32, (sounds, dim).
        """
        maps = patches.flatten(0, 1)[:, None]
        for stage in self.stages:
            maps = stage(maps)
        embeddings = pooled(maps).reshape(*patches.shape[:2], -1)
        return self.head(clip_features(embeddings))  # type: ignore[no-any-return]


class ConvUnit(nn.Module):
    """Convolution, normalisation and rectifier, padded as TensorFlow's SAME is.

    Without batch normalisation it is the folded form: one convolution with bias.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.Module) -> None:
        super().__init__()
        self.conv, self.norm = conv, norm
        # SAME at stride 2 pads an even side at its end only, which `Conv2d(padding=)` can't say.
        self.pad = (0, 1, 0, 1) if conv.stride[0] == 2 else None

    def forward(self, maps: Tensor) -> Tensor:
        """Returns the rectified maps."""
        return functional.relu(self.linear(maps))

    def linear(self, maps: Tensor) -> Tensor:
        """Returns the maps before the rectifier."""
        normalised: Tensor = self.norm(self.convolved(maps))
        return normalised

    def convolved(self, maps: Tensor) -> Tensor:
        """Returns the maps before normalisation."""
        if self.pad is None:
            return self.conv(maps)  # type: ignore[no-any-return]
        # On CPUs, bfloat16's backward pass of a strided depthwise kernel is seven times slower.
        with torch.autocast(maps.device.type, enabled=False):
            return self.conv(functional.pad(maps.float(), self.pad))  # type: ignore[no-any-return]


def make_stages(shape: AudioShape, *, norm: bool = False) -> nn.ModuleList:
    """Returns the stem and the blocks with random weights.

    Args:
        shape: Widths and strides.
        norm: Whether batch normalisation follows each convolution, as it does in training.
    """
    stem = nn.Sequential(_unit(1, shape.widths[0], 3, shape.strides[0], norm=norm))
    sizes = zip(pairwise(shape.widths), shape.strides[1:], strict=True)
    blocks = [
        nn.Sequential(
            _unit(inputs, inputs, 3, stride, norm=norm),
            _unit(inputs, outputs, 1, 1, norm=norm),
        )
        for (inputs, outputs), stride in sizes
    ]
    return nn.ModuleList([stem, *blocks])


def conv_units(stages: nn.Module) -> list[ConvUnit]:
    """Returns the layers in order."""
    return [module for module in stages.modules() if isinstance(module, ConvUnit)]


def pooled(maps: Tensor) -> Tensor:
    """Returns a patch's embedding: the mean of the last map, (n, channels)."""
    return maps.mean(dim=(2, 3))


def clip_features(embeddings: Tensor) -> Tensor:
    """Returns square roots of mean and maximum over patches, (n, patches, c) to (n, 2 c).

    The embeddings are rectified, sparse and skewed; their square roots make better features.
    """
    features = torch.cat([embeddings.mean(dim=1), embeddings.amax(dim=1)], dim=1)
    return (features + ROOT_OFFSET).sqrt()


def _unit(inputs: int, outputs: int, kernel: int, stride: int, *, norm: bool) -> ConvUnit:
    """Returns a 1x1 unit over all channels, or a 3x3 unit that keeps them apart."""
    groups = inputs if kernel == 3 else 1
    padding = kernel // 2 if stride == 1 else 0
    conv = nn.Conv2d(inputs, outputs, kernel, stride, padding, groups=groups, bias=not norm)
    return ConvUnit(conv, nn.BatchNorm2d(outputs, eps=EPSILON) if norm else nn.Identity())
