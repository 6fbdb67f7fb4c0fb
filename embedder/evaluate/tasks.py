"""One question put to a gallery, and the figures that come of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embedder.base import Vectors
from embedder.evaluate.metrics import (
    Relevance,
    chance_precision,
    chance_recall,
    precision_at,
    ranking,
    recall_at,
)
from embedder.evaluate.report import Figure


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Queries against a gallery.

    Attributes:
        direction: What asks and what is found, e.g. `text > image`.
        dataset: Where both come from.
        queries: One row a query.
        gallery: One row a candidate.
        relevant: Which candidates are right, (queries, candidates).
    """

    direction: str
    dataset: str
    queries: Vectors
    gallery: Vectors
    relevant: Relevance

    def recalls(self, depths: Sequence[int] = (1, 5, 10), metric: str = "R@{}") -> Iterator[Figure]:
        """Yields how often a right one is among the nearest, at several depths."""
        ranked = ranking(self.queries, self.gallery, max(depths))
        for k in depths:
            value, chance = recall_at(ranked, self.relevant, k), chance_recall(self.relevant, k)
            yield self._figure(metric.format(k), value, chance)

    def accuracies(self) -> Iterator[Figure]:
        """Yields top-1 and top-5: the same as recall, where the candidates are classes."""
        yield from self.recalls((1, 5), "top-{}")

    def precision(self, k: int = 10) -> Figure:
        """Returns the mean share of right ones among the nearest."""
        ranked = ranking(self.queries, self.gallery, k)
        value, chance = precision_at(ranked, self.relevant, k), chance_precision(self.relevant)
        return self._figure(f"precision@{k}", value, chance)

    def _figure(self, metric: str, value: float, chance: float) -> Figure:
        return Figure(self.direction, self.dataset, metric, value, chance, len(self.queries))
