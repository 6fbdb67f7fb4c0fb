"""How well bridges lead from texts and sounds to pictures: to the right one, and to a likely one.

No single figure will do. Cosine and recall favour the mean of all pictures that fit, which is none
of them; the Frechet distance favours samples that are spread as pictures are, whatever was asked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from embedder.base import Vectors
from embedder.conditioning.bridge import BridgeName, Bridges, Choice, Known
from embedder.conditioning.prior import Prior, Sampling
from embedder.evaluate.metrics import Relevance, frechet, ranking, recall_at
from embedder.evaluate.report import Figure
from embedder.media import Modality

COSINE, FRECHET, ALIKE = "cosine", "Frechet distance", "cosine of two answers"
FRESH = "pictures themselves"
DRAWS = 2
"""Times that fitting pictures are drawn for the Frechet distance: it is a mean of so many."""

Cross = Callable[[Vectors, int], Vectors]
"""Leads conditions to image vectors; the second argument is a seed."""


@dataclass(frozen=True, slots=True)
class Way:
    """A bridge with its numbers, as the table calls it."""

    name: str
    choice: Choice
    gaussian: bool = False


def _sampled(**numbers: float) -> Choice:
    return Choice(BridgeName.PRIOR, sampling=Sampling(**numbers))  # type: ignore[arg-type]


WAYS = (
    Way("none", Choice(BridgeName.NONE)),
    Way("mean_shift", Choice(BridgeName.MEAN_SHIFT)),
    Way("knn", Choice(BridgeName.KNN)),
    Way("linear", Choice(BridgeName.LINEAR)),
    Way("linear + Gaussian", _sampled(guidance=1.0), gaussian=True),
    Way("linear + Gaussian, guidance 1.5", _sampled(guidance=1.5), gaussian=True),
    Way("prior", _sampled(guidance=1.0)),
    Way("prior, guidance 1.25", _sampled(guidance=1.25)),
    Way("prior, guidance 1.5", _sampled(guidance=1.5)),
    Way("prior, best of 4", _sampled(guidance=1.0, candidates=4)),
    Way("prior, guidance 1.25, best of 4", _sampled(guidance=1.25, candidates=4)),
)


@dataclass(frozen=True, eq=False)
class Crossing:
    """Held-out texts or sounds, and the pictures they go with.

    Attributes:
        direction: E.g. `text > image`.
        modality: Of the conditions.
        conditions: (n, dim).
        pictures: (m, dim).
        relevant: Which picture goes with which condition, (n, m).
        once: Rows of conditions that stand for different things each.
    """

    direction: str
    modality: Modality
    conditions: Vectors
    pictures: Vectors
    relevant: Relevance
    once: NDArray[np.int64]

    def figures(self, bridges: Bridges, known: Known) -> Iterator[Figure]:
        """Yields the figures of every bridge that can be crossed, pictures themselves first."""
        yield self._figure(FRESH, FRECHET, self._frechet(None), len(self.once))
        alike = self._alike_pictures()
        if alike is not None:
            yield self._figure(FRESH, ALIKE, alike, len(self.once))
        there = bridges.available(self.modality, known)
        for way in WAYS:
            if way.choice.name in there:
                yield from self._judged(way, bridges, known)

    def _judged(self, way: Way, bridges: Bridges, known: Known) -> Iterator[Figure]:
        own = Bridges(replace(bridges.fitted, prior=gaussian(bridges))) if way.gaussian else bridges

        def cross(conditions: Vectors, seed: int) -> Vectors:
            choice = replace(way.choice, sampling=replace(way.choice.sampling, seed=seed))
            return own.apply(conditions, self.modality, choice, known).vectors

        answers, count = cross(self.conditions, 0), len(self.conditions)
        ranked = ranking(answers, self.pictures, 10)
        cosines = (answers @ self.pictures.T)[self.relevant]
        yield self._figure(way.name, COSINE, float(cosines.mean()), count)
        for k in (1, 10):
            yield self._figure(way.name, f"R@{k}", recall_at(ranked, self.relevant, k), count)
        yield self._figure(way.name, FRECHET, self._frechet(cross), len(self.once))
        first, again = (cross(self.conditions[self.once], seed) for seed in (0, 1))
        alike = float((first * again).sum(axis=1).mean())
        yield self._figure(way.name, ALIKE, alike, len(self.once))

    def _frechet(self, cross: Cross | None) -> float:
        """Returns the distance of answers from pictures that go with other conditions.

        The pictures are halved; answers to what goes with one half are held against pictures drawn
        from the other, one a condition. Without a bridge pictures of the one half stand for the
        answers: the distance that nothing can be expected to fall below.
        """
        half = np.arange(len(self.pictures)) % 2 == 0
        found = []
        for seed in range(DRAWS):
            random = np.random.default_rng(seed)
            answers = None if cross is None else cross(self.conditions[self.once], seed)
            for here in (half, ~half):
                asked, drawn = self._drawn(here, random)
                others = self._drawn(~here, random)[1]
                ours = self.pictures[drawn] if answers is None else answers[asked]
                found.append(frechet(ours, self.pictures[others]))
        return float(np.mean(found))

    def _drawn(
        self, half: NDArray[np.bool_], random: np.random.Generator
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Returns places in `once` that go with pictures of a half, and one of those for each."""
        fitting = self.relevant[self.once] & half
        asked = np.flatnonzero(fitting.any(axis=1))
        lots = np.where(fitting[asked], random.random((len(asked), len(half))), -1.0)
        return asked, lots.argmax(axis=1)

    def _alike_pictures(self) -> float | None:
        """Returns the mean cosine of two pictures of one condition, if most have several."""
        several = [np.flatnonzero(row) for row in self.relevant[self.once] if row.sum() > 1]
        if 2 * len(several) < len(self.once):
            return None
        sums = [(self.pictures[rows].sum(axis=0), len(rows)) for rows in several]
        return float(np.mean([(total @ total - n) / (n * (n - 1)) for total, n in sums]))

    def _figure(self, name: str, metric: str, value: float, count: int) -> Figure:
        return Figure(self.direction, name, metric, value, None, count)


def gaussian(bridges: Bridges) -> Prior | None:
    """Returns the prior with a network that says nothing: ridge regression and a Gaussian."""
    prior = bridges.fitted.prior
    return prior and replace(prior, network=prior.network.silent())
