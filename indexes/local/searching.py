"""From a question to its best items: what each modality offers, ranked across them."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from indexes.base import Allowed
from indexes.collection import SearchRequest
from indexes.derived.partition import Partition
from indexes.local.changes import Revision
from indexes.ranking import (
    FEWEST_ITEMS,
    SAMPLE,
    Background,
    Calibration,
    Candidates,
    Ranked,
    Ranking,
    bulk,
    rank,
    usual_ranking,
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The best items of a question, best first.

    Attributes:
        exact: Whether every vector that could answer was compared.
    """

    ranked: Sequence[Ranked]
    ranking: Ranking
    exact: bool


@dataclass(frozen=True, slots=True, eq=False)
class _Sample:
    """Vectors spread over a partition.

    Attributes:
        rows: float32, shape (n, dim).
        newest: The largest key of the partition.
        size: How many rows it had.
    """

    rows: NDArray[np.float32]
    newest: int
    size: int

    @classmethod
    def of(cls, partition: Partition) -> Self:
        keys = partition.sample(SAMPLE)
        if not len(keys):  # few live among many dead, until they are built anew
            keys = partition.keys()[:SAMPLE]
        rows = partition.rows(keys).astype(np.float32)
        return cls(rows, partition.newest, len(partition))

    def serves(self, partition: Partition) -> bool:
        """Tells whether less has changed than the sample can tell: the root of its size."""
        changes = abs(partition.newest - self.newest) + abs(len(partition) - self.size)
        return changes * SAMPLE**0.5 < self.size or not changes


class Searcher:
    """Answers questions from revisions of one collection, and learns its backgrounds from them."""

    def __init__(self, calibration: Calibration) -> None:
        self._calibration = calibration
        self._samples: dict[str, _Sample] = {}

    def search(
        self, request: SearchRequest, revision: Revision, allowed: Allowed | None
    ) -> Outcome:
        """Returns the best items of a revision, among those that are allowed."""
        asked = _asked(request, revision.partitions)
        groups = [
            self._candidates(request, modality, partition, allowed)
            for modality, partition in sorted(asked.items())
        ]
        ranking = request.ranking or usual_ranking(groups)
        exact = request.exact or all(partition.is_exact() for partition in asked.values())
        return Outcome(rank(groups, ranking, request.k), ranking, exact)

    def _candidates(
        self,
        request: SearchRequest,
        modality: str,
        partition: Partition,
        allowed: Allowed | None,
    ) -> Candidates:
        found = partition.search(
            request.vector[None],
            min(request.k, request.k_per_modality or request.k),
            allowed=allowed,
            asked=request.query_modality,
            exact=request.exact,
        )
        keys, scores = found.keys[0], found.scores[0]
        good = keys >= 0
        if request.min_score is not None:
            good &= scores >= request.min_score
        background = self._background(request, modality, partition)
        return Candidates(modality, keys[good], scores[good], background, len(partition))

    def _background(
        self, request: SearchRequest, modality: str, partition: Partition
    ) -> Background:
        """Returns the pair's background, to which this query adds what it sees."""
        own = bulk(self._sample(modality, partition) @ request.vector)
        pair = (request.query_modality, modality)
        if len(partition) >= FEWEST_ITEMS:
            self._calibration.observe(pair, own, zlib.crc32(request.vector.tobytes()))
        return self._calibration.background(pair, own)

    def _sample(self, modality: str, partition: Partition) -> NDArray[np.float32]:
        """Returns vectors spread over the partition, which lie ready while it hardly changes."""
        known = self._samples.get(modality)
        if known is None or not known.serves(partition):
            known = self._samples[modality] = _Sample.of(partition)
        return known.rows


def _asked(request: SearchRequest, partitions: Mapping[str, Partition]) -> dict[str, Partition]:
    return {
        modality: partition
        for modality, partition in partitions.items()
        if len(partition) and (not request.modalities or modality in request.modalities)
    }
