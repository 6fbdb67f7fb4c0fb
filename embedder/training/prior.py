"""Teaches the prior: conditional flow matching from ridge regression and a Gaussian around it.

A batch holds pairs of a condition and an image vector in white coordinates, y. With noise x0 and a
time t, the point x = (1 - t) x0 + t y moves at y - x0, and the network learns what the Gaussian's
own velocity misses of that (Lipman et al. 2023, arXiv:2210.02747, with straight paths). Some
conditions are dropped, so that the same network knows pictures without one, for guidance.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.base import Vectors
from embedder.conditioning.line import Line
from embedder.conditioning.pca import Whitening
from embedder.conditioning.prior import Prior
from embedder.conditioning.velocity import EPSILON, FREQUENCIES, Network, VelocityShape
from embedder.media import Modality
from embedder.training.loop import Losses, train
from embedder.training.prior_recipe import PriorRecipe

Array = NDArray[np.float32]

KINDS = {Modality.TEXT: 0, Modality.AUDIO: 1}
"""What each modality is called in the network."""


class Block(nn.Module):
    """A residual block whose layer is scaled, shifted and gated by time and condition."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.modulate = nn.Linear(width, 3 * width)
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)

    def forward(self, hidden: Tensor, known: Tensor) -> Tensor:
        """Returns the next hidden layer, (n, width)."""
        shift, scale, gate = self.modulate(known).chunk(3, dim=1)
        inner = _normal(hidden) * (1 + scale) + shift
        answer: Tensor = hidden + gate * self.outer(functional.silu(self.inner(inner)))
        return answer


class VelocityNetwork(nn.Module):
    """`embedder.conditioning.velocity.Network`, to be trained."""

    frequencies: Tensor

    def __init__(self, shape: VelocityShape) -> None:
        super().__init__()
        width = shape.width
        self.read = nn.Linear(shape.coordinates, width)
        self.condition = nn.Linear(shape.dim, width)
        self.kind = nn.Embedding(shape.kinds + 1, width)
        self.time = nn.Linear(2 * len(FREQUENCIES), width)
        self.blocks = nn.ModuleList(Block(width) for _ in range(shape.blocks))
        self.know = nn.Linear(width, width)
        self.modulate = nn.Linear(width, 2 * width)
        self.write = nn.Linear(width, shape.coordinates)
        self.affine = nn.Linear(width, 2 * shape.coordinates)
        self.none = shape.kinds
        self.register_buffer("frequencies", torch.from_numpy(FREQUENCIES), persistent=False)
        for silent in (self.write, self.affine):
            nn.init.zeros_(silent.weight)
            nn.init.zeros_(silent.bias)

    def forward(self, standard: Tensor, time: Tensor, condition: Tensor, kind: Tensor) -> Tensor:
        """Returns the network's answer, (n, coordinates).

        Args:
            standard: Where the points are, in standard deviations, (n, coordinates).
            time: In [0, 1], (n, 1).
            condition: (n, dim); what it holds does not matter where there is none.
            kind: Of the condition, int64 (n,); `none` where there is none.
        """
        angles = time * self.frequencies
        clock = self.time(torch.cat([angles.sin(), angles.cos()], dim=1))
        there = (kind != self.none).unsqueeze(1)
        context = torch.where(there, self.condition(condition), 0.0) + self.kind(kind)
        known = functional.silu(self.know(functional.silu(context + clock)))
        hidden = self.read(standard)
        for block in self.blocks:
            hidden = block(hidden, known)
        shift, scale = self.modulate(known).chunk(2, dim=1)
        offset, gain = self.affine(known).chunk(2, dim=1)
        answer: Tensor = (
            self.write(_normal(hidden) * (1 + scale) + shift) + offset + gain * standard
        )
        return answer


def _normal(rows: Tensor) -> Tensor:
    return functional.layer_norm(rows, rows.shape[1:], eps=EPSILON)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What goes with which picture, one row a pair.

    Attributes:
        conditions: Unit vectors of texts or sounds, (n, dim).
        images: Unit vectors of their pictures, (n, dim).
    """

    conditions: Vectors
    images: Vectors


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """A batch; n rows each.

    Attributes:
        condition: (n, dim).
        kind: Of the condition, or none, (n,).
        mean: Of the Gaussian that the condition, or its lack, says, (n, coordinates).
        variance: Of the same.
        noise: Points at time 0, (n, coordinates).
        target: Points at time 1, white image vectors, (n, coordinates).
        time: (n, 1).
    """

    condition: Tensor
    kind: Tensor
    mean: Tensor
    variance: Tensor
    noise: Tensor
    target: Tensor
    time: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Draws batches of pairs, with noise and times.

    Attributes:
        pairs: By modality.
        prior: What is known of them without the network.
        recipe: The numbers.
    """

    pairs: Mapping[Modality, Pairs]
    prior: Prior
    recipe: PriorRecipe

    def __call__(self, step: int) -> Lesson:
        """Returns the batch of a step, the same whenever it is asked for."""
        recipe, random = self.recipe, np.random.default_rng((self.recipe.seed, step))
        heard = round(recipe.sounds * recipe.batch) if Modality.AUDIO in self.pairs else 0
        counts = {Modality.AUDIO: heard, Modality.TEXT: recipe.batch - heard}
        parts = [self._part(kind, count, random) for kind, count in counts.items() if count]
        columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
        condition, kind, mean, variance, target = columns
        dropped = random.random(recipe.batch) < recipe.dropped
        kind[dropped], mean[dropped], variance[dropped] = len(KINDS), 0.0, 1.0
        noise = random.standard_normal(target.shape, np.float32)
        time = random.random((recipe.batch, 1), np.float32)
        return Lesson(
            *map(torch.from_numpy, (condition, kind, mean, variance, noise, target, time))
        )

    def _part(
        self, modality: Modality, count: int, random: np.random.Generator
    ) -> tuple[Array, NDArray[np.int64], Array, Array, Array]:
        """Returns conditions, kinds, means, variances and targets of some pairs."""
        prior, pairs = self.prior, self.pairs[modality]
        rows = random.integers(len(pairs.conditions), size=count)
        conditions = pairs.conditions[rows]
        mean = prior.whitening.white(prior.lines[modality](conditions))
        variance = np.tile(prior.variances[modality], (count, 1))
        target = prior.whitening.white(pairs.images[rows])
        return conditions, np.full(count, prior.kinds[modality]), mean, variance, target


def matching_loss(model: nn.Module, lesson: Lesson, _step: int) -> Losses:
    """Returns how far the network is from what the Gaussian's velocity misses, a mean of squares.

    In the standard deviations of that, which are known: 1 is a network that says nothing, if the
    Gaussian is right.
    """
    time, mean, variance = lesson.time, lesson.mean, lesson.variance
    spread = ((1 - time).square() + time.square() * variance).sqrt()
    standard = ((1 - time) * lesson.noise + time * (lesson.target - mean)) / spread
    known = mean + (time * variance - (1 - time)) / spread * standard
    missed = (lesson.target - lesson.noise - known) * spread / variance.sqrt()
    said = model(standard, time, lesson.condition, lesson.kind)
    return {"loss": (said - missed).square().mean()}


def begin_prior(pairs: Mapping[Modality, Pairs], images: Vectors, recipe: PriorRecipe) -> Prior:
    """Returns ridge regression with a Gaussian around it, as a prior whose network says nothing.

    White coordinates are turned so that text predicts each of them apart from the others, the best
    predicted one first: what it leaves open is then independent, coordinate by coordinate.
    """
    lines = {m: Line.fit(p.conditions, p.images, recipe.penalty) for m, p in pairs.items()}
    whitening = Whitening.fit(images, recipe.coordinates)
    text = pairs[Modality.TEXT]
    left = whitening.white(text.images) - whitening.white(lines[Modality.TEXT](text.conditions))
    _, turn = np.linalg.eigh(np.cov(left, rowvar=False))
    whitening = whitening.turned(turn.T)
    variances = {
        m: np.var(whitening.white(p.images) - whitening.white(lines[m](p.conditions)), axis=0)
        for m, p in pairs.items()
    }
    shape = VelocityShape(
        whitening.components, images.shape[1], len(KINDS), recipe.width, recipe.blocks
    )
    return Prior(whitening, lines, variances, KINDS, network_of(VelocityNetwork(shape), shape))


def teach_prior(
    pairs: Mapping[Modality, Pairs], prior: Prior, recipe: PriorRecipe, folder: Path
) -> Prior:
    """Returns the prior with a trained network; the checkpoint and the log are in `folder`."""
    torch.manual_seed(recipe.seed)
    model = VelocityNetwork(prior.network.shape)
    taught = train(model, Lessons(pairs, prior, recipe), matching_loss, recipe.loop, folder)
    return replace(prior, network=network_of(taught, prior.network.shape))


def network_of(model: VelocityNetwork, shape: VelocityShape) -> Network:
    """Returns the same network without torch."""
    return Network(shape, {n: t.detach().numpy() for n, t in model.state_dict().items()})
