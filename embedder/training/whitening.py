"""Coordinates in which a convolution learns quickly: what it reads made white.

Neighbouring pixels are nearly equal, channels differ in size by orders of magnitude, and what tells
an edge lives in the small differences: a filter that learns by gradient from its plain inputs
crawls. Here its weights are kept as W = g V C^(-1/2), where C is the covariance of what it reads in
the teacher's maps and g the teacher's spread of answers; learning V is well conditioned. The filter
stays what it was: only the steps differ.
"""

import torch
from torch import Tensor
from torch.nn import functional

from embedder.training.teachers.image import FoldedConv

DAMPING = 0.003
"""Share of the mean variance added to all directions: the quietest hold bfloat16's rounding."""

SIZE = 0.03
"""Size of the coordinates V: small, since Adam's steps have one size and V should turn quickly."""

MOST_INPUTS = 256
"""With more inputs a sample says too little of their covariance; only sizes are evened out."""


@torch.no_grad()
def center(convolution: FoldedConv, x: Tensor) -> None:
    """Lets a convolution look from the mean of what it reads, without changing what it does.

    Args:
        convolution: Changed in place.
        x: A sample of what it reads, (n, channels, h, w).
    """
    _, before = convolution.plain()
    convolution.center.copy_(x.mean((0, 2, 3)))
    _, after = convolution.plain()
    convolution.bias.add_(before - after)


@torch.no_grad()
def whiten(convolution: FoldedConv, x: Tensor, answer: Tensor) -> None:
    """Puts a convolution into white coordinates without changing what it does.

    Args:
        convolution: Changed in place; in plain coordinates before.
        x: A sample of what it reads, (n, channels, h, w).
        answer: What the teacher's convolution answers, (n, out, h, w).
    """
    rows = _patches(convolution, x)
    rows = rows - rows.mean(1, keepdim=True)
    inputs = rows.shape[-1]
    scale = SIZE * inputs**0.5
    gain = answer.std((0, 2, 3)).clamp_min(1e-3)  # a channel may be dead
    plain = (convolution.weight / gain[:, None, None, None]).reshape(rows.shape[0], -1, inputs)
    if inputs > MOST_INPUTS:
        deviation = (rows.square().mean(1) * (1.0 + DAMPING) + 1e-4).sqrt()
        coordinates, basis = plain * deviation[:, None] * scale, 1.0 / (deviation * scale)
    else:
        covariance = rows.mT @ rows / rows.shape[1]
        least = DAMPING * covariance.diagonal(dim1=-2, dim2=-1).mean(-1)[:, None, None] + 1e-5
        values, vectors = torch.linalg.eigh(covariance + least * torch.eye(inputs))
        deviation = values.clamp_min(1e-6).sqrt()[:, None]
        coordinates = plain @ (vectors * deviation) @ vectors.mT * scale
        basis = (vectors / deviation) @ vectors.mT / scale
    convolution.basis, convolution.gain = basis, gain
    convolution.weight.copy_(coordinates.reshape(convolution.weight.shape))


def _patches(convolution: FoldedConv, x: Tensor) -> Tensor:
    """Returns what filters see: (channels, places, 9) if depthwise, else (1, places, inputs)."""
    channels, size = x.shape[1], convolution.weight.shape[-1]
    if size == 1:
        return x.movedim(1, -1).reshape(1, -1, channels)
    seen = functional.unfold(x, size, padding=1, stride=convolution.stride)
    if convolution.groups == 1:
        return seen.movedim(1, -1).reshape(1, -1, channels * size**2)
    seen = seen.reshape(len(x), channels, size**2, -1)
    return seen.permute(1, 0, 3, 2).reshape(channels, -1, size**2)
