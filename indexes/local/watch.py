"""The promise of recall, watched: live queries are searched exactly too, and misses are counted."""

from collections import defaultdict, deque
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from indexes.derived.effort import OWN_TARGET, TRUE
from indexes.derived.partition import Partition
from indexes.ranking import Pair
from indexes.stats import RecallStats

_REMEMBERED = 500
"""Judged queries of a pair of modalities that count."""


class RecallWatch:
    """What is known of the recall of approximate searches, by modality of query and of items.

    For one thread, but for `stats`.

    Args:
        target: Share of the true ten nearest that the collection promises.
        judged: So many queries must have been judged before their recall is believed.
    """

    def __init__(self, target: float, judged: int) -> None:
        self._target = target
        self._judged = judged
        self._short: defaultdict[Pair, float] = defaultdict(float)
        self._seen: dict[Pair, deque[float]] = defaultdict(lambda: deque(maxlen=_REMEMBERED))

    def target(self, pair: Pair) -> float:
        """Returns what is asked of a pair of modalities."""
        asked, modality = pair
        return max(self._target, OWN_TARGET) if asked == modality else self._target

    def judge(self, pair: Pair, partition: Partition, vector: NDArray[np.float32]) -> None:
        """Compares what a search of the pair finds with what there is to be found."""
        asked, _ = pair
        true = partition.search(vector[None], TRUE, asked=asked, exact=True).keys
        found = partition.search(vector[None], TRUE, asked=asked).keys
        true = true[true >= 0]
        if len(true):
            self._seen[pair].append(float(np.isin(true, found).mean()))

    def misses(self, pair: Pair) -> bool:
        """Tells whether the pair is known to find less than it should."""
        seen = self._seen[pair]
        return len(seen) >= self._judged and float(np.mean(seen)) < self.target(pair)

    def aim(self, pair: Pair) -> float:
        """Returns what calibration is to aim at: more than the target where that was missed."""
        target = self.target(pair)
        return min(target + self._short[pair], 1 - (1 - target) / 10)

    def aim_higher(self, pair: Pair) -> None:
        """Asks for as much more as was missed: the queries of calibration were easier ones."""
        self._short[pair] += max(self.target(pair) - float(np.mean(self._seen[pair])), 0.0)

    def start_over(self, modality: str, asked: str | None = None) -> None:
        """Forgets what was seen of a modality's indexes, which have changed."""
        for pair in list(self._seen):
            if pair[1] == modality and asked in (None, pair[0]):
                del self._seen[pair]

    def stats(self, partitions: Mapping[str, Partition]) -> tuple[RecallStats, ...]:
        """Returns what is known of those that are not exact."""
        seen = {pair: list(shares) for pair, shares in list(self._seen.items())}
        told = []
        for modality, partition in sorted(partitions.items()):
            askers = {asked for asked, of in seen if of == modality}
            for segment in partition.segments:
                askers |= set(segment.efforts)
            for asked in sorted(askers) if partition.segments else ():
                shares = seen.get((asked, modality), [])
                told.append(
                    RecallStats(
                        query_modality=asked,
                        modality=modality,
                        target=self.target((asked, modality)),
                        measured=float(np.mean(shares)) if shares else None,
                        queries=len(shares),
                        effort=_effort(partition, asked),
                    )
                )
        return tuple(told)


def _effort(partition: Partition, asked: str) -> str:
    return "; ".join(it.structure.words(it.effort(asked)) for it in partition.segments)
