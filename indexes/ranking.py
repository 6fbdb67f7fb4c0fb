"""Ranking across modalities: what a cosine is worth, given where a chance pair would lie.

Modalities lie in different cones of a space: a text is nearer to any text than to the picture it
describes. So a cosine s of a query of modality q and an item of modality m is standardised by the
*background* of the pair (q, m), the mean mu and standard deviation sigma of unrelated pairs:

    z = (s - mu) / sigma                                                         "calibrated"
    probability = Phi(z) ** n       n: items of modality m in the collection     "probability"

Phi is the standard normal distribution function. 1 - probability is the chance that the best of n
unrelated items would score this high. It takes the background to be normal; real ones have
somewhat heavier tails, so that it errs on the side of confidence.

Where the background comes from. Each query shows the bulk of its scores on up to 256 items of m,
spread evenly over the collection: m_i, their median, and s_i = 1.4826 * the median absolute
deviation from it (the standard deviation of a normal bulk), which the few related items hardly
move. Over N different queries, with the model's prior (mu_0, sigma_0) counting as c = 64 more:

    mu      = (c * mu_0 + sum m_i) / (c + N)
    sigma^2 = (c * (mu_0^2 + sigma_0^2) + sum (m_i^2 + s_i^2)) / (c + N) - mu^2

that is, mean and variance of the mixture of all these bulks. The result takes effect when N is 64,
128, 256, ...: in between, the same question gets the same answer. Before, it is the prior, or
without one the query's own (m_i, s_i).
"""

import math
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Ranking = Literal["calibrated", "cosine"]

Pair = tuple[str, str]
"""A query's modality and an item's."""

SAMPLE = 256
"""Items whose scores show a query's background."""

PRIOR_QUERIES = 64
"""How many queries the model's prior counts for."""

FIRST_STEP = 64
"""How many different queries must be seen before they count; from there it doubles."""

FEWEST_ITEMS = 32
"""With fewer items of a modality, related ones may be the bulk, so nothing is learned."""

LEAST_STD = 0.01
"""No background is narrower: narrower ones come of duplicates and tiny collections."""

_REMEMBERED = 1_024


class Background(NamedTuple):
    """The cosines of unrelated pairs of two modalities."""

    mean: float
    std: float


class Moments(NamedTuple):
    """What queries have shown so far: N, the sum of m_i, the sum of m_i^2 + s_i^2."""

    queries: int = 0
    means: float = 0.0
    squares: float = 0.0

    def plus(self, background: Background) -> "Moments":
        """Returns these moments with one more query's bulk."""
        mean, std = background
        return Moments(self.queries + 1, self.means + mean, self.squares + mean**2 + std**2)


def bulk(scores: NDArray[np.float32]) -> Background:
    """Returns median and scaled median absolute deviation of one query's scores, shape (n,)."""
    values = scores.astype(np.float64)
    median = _median(values)
    deviation = 1.4826 * _median(np.abs(values - median))
    return Background(median, max(deviation, LEAST_STD))


def _median(values: NDArray[np.float64]) -> float:
    """Returns what `np.median` does, in a third of its time: each search asks for several."""
    half = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, half)[half])
    ordered = np.partition(values, (half - 1, half))
    return float((ordered[half - 1] + ordered[half]) / 2)


def blend(prior: Background | None, seen: Moments) -> Background:
    """Returns the background by prior and observation; the formula is in the module docstring."""
    mean, std = prior or Background(0.0, 0.0)
    weight = PRIOR_QUERIES if prior else 0
    total = weight + seen.queries
    mu = (weight * mean + seen.means) / total
    variance = (weight * (mean**2 + std**2) + seen.squares) / total - mu**2
    return Background(mu, math.sqrt(max(variance, LEAST_STD**2)))


def not_by_chance(z: float, n: int) -> float:
    """Returns the probability Phi(z)^n that the best of n unrelated items scores below z."""
    if z > 0:  # where 1 - Phi is small, its logarithm must not lose it
        return math.exp(n * math.log1p(-0.5 * math.erfc(z / math.sqrt(2))))
    phi = 0.5 * math.erfc(-z / math.sqrt(2))
    return math.exp(n * math.log(phi)) if phi > 0 else 0.0


class Calibration:
    """The backgrounds of one collection, learned while it is asked. Thread-safe.

    Args:
        prior: The model's backgrounds; pairs may be missing.
        settled: What `settled` returned when it was last stored.
    """

    def __init__(self, prior: Mapping[Pair, Background], settled: Mapping[Pair, Moments]) -> None:
        self._prior = dict(prior)
        self._settled = dict(settled)
        self._seen = dict(settled)
        self._recent: OrderedDict[tuple[Pair, int], None] = OrderedDict()
        self._lock = threading.Lock()

    def background(self, pair: Pair, own: Background) -> Background:
        """Returns what unrelated pairs score: the query's own bulk where nothing else is known."""
        prior, settled = self._prior.get(pair), self._settled.get(pair)
        if settled is not None:
            return blend(prior, settled)
        return own if prior is None else Background(prior.mean, max(prior.std, LEAST_STD))

    def observe(self, pair: Pair, own: Background, query: int) -> None:
        """Learns from one query's bulk, unless this query, by its digest, has just been seen."""
        with self._lock:
            if (pair, query) in self._recent:
                return
            self._recent[pair, query] = None
            if len(self._recent) > _REMEMBERED:
                self._recent.popitem(last=False)
            seen = self._seen.get(pair, Moments()).plus(own)
            self._seen[pair] = seen
            if seen.queries >= FIRST_STEP and seen.queries.bit_count() == 1:
                self._settled = {**self._settled, pair: seen}

    def settled(self) -> Mapping[Pair, Moments]:
        """Returns the observations that count, a new object whenever they change."""
        return self._settled


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """The nearest items of one modality, and what a chance item of it scores.

    Attributes:
        keys: int64, shape (n,).
        scores: float32 cosines, shape (n,).
        population: Items of this modality in the collection.
    """

    modality: str
    keys: NDArray[np.int64]
    scores: NDArray[np.float32]
    background: Background
    population: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate in its place."""

    key: int
    score: float
    calibrated: float
    probability: float


def usual_ranking(groups: Sequence[Candidates]) -> Ranking:
    """Returns calibrated where candidates span modalities; within one the order is the same."""
    return "calibrated" if sum(len(group.keys) > 0 for group in groups) > 1 else "cosine"


def rank(groups: Sequence[Candidates], ranking: Ranking, k: int) -> list[Ranked]:
    """Returns the best k of all groups, ties in order of cosine and then of key."""
    found = []
    for group in groups:
        mean, std = group.background
        for key, score in zip(group.keys.tolist(), group.scores.tolist(), strict=True):
            z = (score - mean) / std
            found.append(Ranked(key, score, z, not_by_chance(z, group.population)))

    def place(hit: Ranked) -> tuple[float, float, int]:
        first = hit.calibrated if ranking == "calibrated" else hit.score
        return (-first, -hit.score, hit.key)

    return sorted(found, key=place)[:k]
