"""Recall is watched over a partition that misses on purpose."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from indexes.base import Neighbors, Vectors
from indexes.derived.effort import Effort
from indexes.derived.partition import Partition
from indexes.local.watch import RecallWatch
from tests.indexes.samples import unit_rows

PAIR = ("text", "image")


class Missing:
    """Finds the true ten when asked to be exact, and else `found` of them."""

    def __init__(self, found: int, rows: int = 50) -> None:
        structure = SimpleNamespace(words=lambda effort: f"nprobe {effort.breadth}")
        effort = Effort(8, 80)
        segment = SimpleNamespace(
            efforts={"image": effort}, effort=lambda _: effort, structure=structure
        )
        self.segments = (segment, segment)
        self._found, self._rows = found, rows

    def search(self, queries: Vectors, k: int, *, asked: str, exact: bool = False) -> Neighbors:
        assert asked == "text"
        keys = np.full((1, k), -1, np.int64)
        true = min(k, self._rows)
        keys[0, :true] = np.arange(true) + 1
        if not exact:
            keys[0, self._found : true] += 1_000
        return Neighbors(keys, np.zeros((1, k), np.float32))


def partition(found: int, rows: int = 50) -> Partition:
    return cast(Partition, Missing(found, rows))


def judged(found: list[int], rows: int = 50) -> RecallWatch:
    watch = RecallWatch(0.97, judged=4)
    for count in found:
        watch.judge(PAIR, partition(count, rows), unit_rows(1, 4, 1)[0])
    return watch


def test_tells_what_share_was_found() -> None:
    watch = judged([10, 9, 8])
    told = {(it.query_modality, it.modality): it for it in watch.stats({"image": partition(0)})}
    assert told[PAIR].measured == pytest.approx(0.9)
    assert (told[PAIR].queries, told[PAIR].target) == (3, 0.97)
    assert told[PAIR].effort == "nprobe 8; nprobe 8"
    own = told["image", "image"]
    assert (own.measured, own.queries, own.target) == (None, 0, 0.99)


def test_few_true_neighbours_count_as_what_they_are() -> None:
    watch = judged([2], rows=4)
    assert watch.stats({"image": partition(0)})[1].measured == 0.5
    assert judged([0], rows=0).stats({"image": partition(0)})[1:] == ()


@pytest.mark.parametrize(
    ("found", "misses"),
    [([9, 9, 9], False), ([9, 9, 9, 9], True), ([10, 10, 10, 9], False), ([10, 10, 9, 9], True)],
)
def test_says_when_too_little_is_found(found: list[int], misses: bool) -> None:
    assert judged(found).misses(PAIR) is misses


def test_starts_over_when_an_index_has_changed() -> None:
    watch = judged([5, 5, 5, 5])
    watch.start_over("audio")
    watch.start_over("image", "audio")
    assert watch.misses(PAIR)
    watch.start_over("image", "text")
    assert not watch.misses(PAIR)
    watch = judged([5, 5, 5, 5])
    watch.start_over("image")
    assert not watch.misses(PAIR)


def test_aims_higher_where_calibration_has_missed() -> None:
    watch = judged([10, 10, 9, 9])
    assert watch.aim(PAIR) == 0.97
    watch.aim_higher(PAIR)
    assert watch.aim(PAIR) == pytest.approx(0.99)
    watch.aim_higher(PAIR)
    assert watch.aim(PAIR) == pytest.approx(0.997), "but never for all"
    assert watch.aim(("image", "image")) == 0.99
