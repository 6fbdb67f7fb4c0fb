"""Flow matching: a straight path from noise to pictures, its velocity, and the way along it.

At time t in [0, 1] the path is at z = t x + (1 - t) e, for a picture x and Gaussian noise e, and
moves with velocity x - e (arXiv:2210.02747). A network learns the velocity's mean given z. Were
pictures Gaussian with mean 0 and standard deviation s, that mean would be known in closed form,

    v(z, t) = (t s^2 - (1 - t)) / (t^2 s^2 + (1 - t)^2) z,

so the network adds to it only what real pictures have beyond that, with inputs and outputs of
unit variance, as in arXiv:2206.00364.
"""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor

from embedder.conditioning.generator.network import Heard

SPREAD = 0.5
"""Standard deviation of a picture's values, which lie in [-1, 1]."""

Field = Callable[[Tensor, Tensor], Tensor]
"""Velocity at points (n, ...) and times (n,)."""


def velocity(
    network: Callable[[Tensor, Tensor, Heard], Tensor], points: Tensor, times: Tensor, heard: Heard
) -> Tensor:
    """Returns the velocity (n, 3, side, side) at points of that shape and times (n,) in [0, 1]."""
    t = times.view(-1, 1, 1, 1)
    size = (t.square() * SPREAD**2 + (1.0 - t).square()).sqrt()
    gaussian = (t * SPREAD**2 - (1.0 - t)) / size.square() * points
    return gaussian + SPREAD / size * network(points / size, times, heard).float()


def guided(network: Callable[[Tensor, Tensor, Heard], Tensor], heard: Heard, scale: float) -> Field:
    """Returns the field that leads to pictures of what was heard.

    Args:
        network: What was trained.
        heard: What the pictures are to show.
        scale: 1 follows the vectors as trained; more moves further away from pictures of nothing in
            particular (classifier-free guidance, arXiv:2207.12598).
    """
    if scale == 1.0:
        return lambda points, times: velocity(network, points, times, heard)
    nothing = torch.zeros_like(heard.known)
    both = Heard(*(torch.cat(pair) for pair in (
        (heard.vectors, heard.vectors), (heard.levels, heard.levels), (heard.known, nothing)
    )))  # fmt: skip

    def field(points: Tensor, times: Tensor) -> Tensor:
        twice = velocity(network, points.repeat(2, 1, 1, 1), times.repeat(2), both)
        told, untold = twice.chunk(2)
        return untold + scale * (told - untold)

    return field


def integrated(field: Field, points: Tensor, steps: int) -> Tensor:
    """Carries points along a field from time 0 to 1, by Heun's method, the last step by Euler's."""
    times = torch.linspace(0.0, 1.0, steps + 1, device=points.device)
    for now, then in pairwise(times):
        here = field(points, now.expand(len(points)))
        ahead = points + (then - now) * here
        if then < 1.0:
            there = field(ahead, then.expand(len(points)))
            ahead = points + (then - now) * (here + there) / 2.0
        points = ahead
    return points
