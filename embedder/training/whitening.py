"""Coordinates in which a spatial filter learns quickly: its nine neighbouring pixels made white.

Neighbouring pixels are nearly equal, so an edge filter, which lives on their small differences, crawls when it
learns from plain pixels by gradient. Here its nine weights are kept as W = g V C^(-1/2), where C is the covariance
of the pixels that it reads in the teacher's maps and g the teacher's spread of answers: learning V is well
conditioned. 1x1 filters are left alone: their inputs are too many to whiten from a sample.
"""

import torch
from torch import Tensor
from torch.nn import functional

from embedder.training.teachers.image import FoldedConv

DAMPING = 0.01
"""Share of the mean variance added to every direction: the quietest ones hold bfloat16's rounding."""

SIZE = 0.03
"""Size of the coordinates V: Adam's steps are of one size for all weights, and these should turn quickly."""


@torch.no_grad()
def whiten(convolution: FoldedConv, x: Tensor, answer: Tensor) -> None:
    """Puts a spatial convolution into white coordinates without changing what it does.

    Args:
        convolution: Changed in place; left alone if 1x1.
        x: A sample of what it reads, (n, channels, h, w).
        answer: What the teacher's convolution answers, (n, out, h, w).
    """
    if convolution.weight.shape[-1] == 1:
        return
    rows = _patches(convolution, x)
    rows -= rows.mean(1, keepdim=True)
    covariance = rows.mT @ rows / rows.shape[1]
    inputs = covariance.shape[-1]
    least = DAMPING * covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None] + 1e-6
    values, vectors = torch.linalg.eigh(covariance + least * torch.eye(inputs))
    values = values.clamp_min(1e-6)
    scale = SIZE * inputs**0.5
    gain = answer.std((0, 2, 3)).clamp_min(1e-3)  # a channel may be dead
    plain = convolution.weight / gain[:, None, None, None]
    plain = plain.reshape(rows.shape[0], -1, inputs)
    coordinates = plain @ (vectors * values.sqrt()[:, None]) @ vectors.mT * scale
    convolution.basis = (vectors * values.rsqrt()[:, None]) @ vectors.mT / scale
    convolution.gain = gain
    convolution.weight.copy_(coordinates.reshape(convolution.weight.shape))


def _patches(convolution: FoldedConv, x: Tensor) -> Tensor:
    """Returns what the filters see: (channels, places, 9) if depthwise, else (1, places, channels * 9)."""
    channels, size = x.shape[1], convolution.weight.shape[-1]
    seen = functional.unfold(x, size, padding=1, stride=convolution.stride)
    if convolution.groups == 1:
        return seen.movedim(1, -1).reshape(1, -1, channels * size**2)
    seen = seen.reshape(len(x), channels, size**2, -1)
    return seen.permute(1, 0, 3, 2).reshape(channels, -1, size**2)
