"""Flow matching: a straight path from noise to pictures, its velocity, and the way along it.

At time t in [0, 1] the path is at z = t x + (1 - t) e, for a picture x and Gaussian noise e, and
moves with velocity x - e (arXiv:2210.02747). A network learns the velocity's mean given z. Were a
picture's waves independent and Gaussian, of deviations s, that mean would be known in closed form,

    v(z, t) = (t s^2 - (1 - t)) / (t^2 s^2 + (1 - t)^2) z    for each wave,

so the network adds to it only what real pictures have beyond that, in units of what is left
unknown, s / (t^2 s^2 + (1 - t)^2)^(1/2): arXiv:2206.00364, wave by wave. A network that says
nothing leaves no noise. Waves stronger than `STRONGEST` are left to the network: they are what a
picture shows, and a closed form that knew all but their first moments would keep it from listening.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from embedder.conditioning.generator.network import Heard
from embedder.conditioning.generator.waves import into_waves, out_of_waves

STRONGEST = 0.5
"""Deviation up to which a wave is settled in closed form; about that of a picture's values."""

Velocity = Callable[[Tensor, Tensor], Tensor]
"""At points (n, 3, side, side) and times (n,)."""


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The field that leads from noise to pictures.

    Attributes:
        network: Maps points of about unit variance, times and what was heard to what is beyond the
            closed form.
        spectrum: Deviations of the pictures' waves, (3, side, side).
    """

    network: Callable[[Tensor, Tensor, Heard], Tensor]
    spectrum: Tensor

    def velocity(self, points: Tensor, times: Tensor, heard: Heard) -> Tensor:
        """Returns the velocity (n, 3, side, side) at points of that shape and times in [0, 1]."""
        t, strength = times.view(-1, 1, 1, 1), self.spectrum.square().mean()
        size = (t.square() * strength + (1.0 - t).square()).sqrt()
        beyond = self.network(points / size, times, heard).float()
        power = self.spectrum.clamp(max=STRONGEST).square()
        variance = t.square() * power + (1.0 - t).square()
        known = (t * power - (1.0 - t)) / variance * into_waves(points)
        return out_of_waves(known + (power / variance).sqrt() * into_waves(beyond))

    def guided(self, heard: Heard, scale: float) -> Velocity:
        """Returns the velocity that leads to pictures of what was heard.

        Args:
            heard: What the pictures are to show.
            scale: 1 follows the vectors as trained; more moves further away from pictures of
                nothing in particular (classifier-free guidance, arXiv:2207.12598).
        """
        if scale == 1.0:
            return lambda points, times: self.velocity(points, times, heard)
        both = heard.and_nothing()

        def velocity(points: Tensor, times: Tensor) -> Tensor:
            twice = self.velocity(points.repeat(2, 1, 1, 1), times.repeat(2), both)
            told, untold = twice.chunk(2)
            return untold + scale * (told - untold)

        return velocity


def integrated(velocity: Velocity, points: Tensor, steps: int) -> Tensor:
    """Carries points from time 0 to 1, by Heun's method, the last step by Euler's.

    The first steps are the shortest: the longest waves are so strong that they are settled soon.
    """
    times = torch.linspace(0.0, 1.0, steps + 1, device=points.device).square()
    for now, then in pairwise(times):
        here = velocity(points, now.expand(len(points)))
        ahead = points + (then - now) * here
        if then < 1.0:
            there = velocity(ahead, then.expand(len(points)))
            ahead = points + (then - now) * (here + there) / 2.0
        points = ahead
    return points
