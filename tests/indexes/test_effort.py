"""Calibration against lists whose recall is known beforehand."""

import numpy as np
import pytest
from numpy.typing import NDArray

from indexes.derived.effort import Effort, cheapest, steps

QUERIES = np.zeros((40, 2), np.float32)
TRUTH = [np.arange(10) for _ in QUERIES]


class FakeLists:
    """Finds the first of the ten true rows in every list count, one more for each `step` lists.

    Each of them comes after `noise` others.
    """

    def __init__(self, step: int, noise: int) -> None:
        self._step, self._noise = step, noise

    def breadths(self) -> list[int]:
        return steps(8, 1_000)

    def cost(self, breadth: int) -> float:
        return 3_000 + 100 * breadth

    def nearest(self, query: NDArray[np.float32], count: int, breadth: int) -> NDArray[np.int64]:
        found: list[int] = []
        for true in range(min(10, 1 + breadth // self._step)):
            found += [*range(1_000, 1_000 + self._noise), true]
        return np.array(found[:count])


@pytest.mark.parametrize(("step", "noise"), [(10, 0), (10, 20), (60, 200), (5, 380)])
@pytest.mark.parametrize("target", [0.5, 0.9, 0.97])
def test_takes_enough_lists_and_rows_and_not_many_more(
    step: int, noise: int, target: float
) -> None:
    effort = cheapest(FakeLists(step, noise), QUERIES, TRUTH, target)
    needed = int(np.ceil((target + (1 - target) / 4) * 10))  # true rows
    assert effort.recall is not None
    assert effort.recall * 10 >= needed - 1e-9
    assert (needed - 1) * step <= effort.breadth <= 3 * (needed - 1) * step + 8
    assert needed * (noise + 1) <= effort.shortlist <= max(1.6 * needed * (noise + 1), 40)
    assert (effort.queries, effort.target) == (40, target)


def test_looks_at_most_where_the_target_is_out_of_reach() -> None:
    effort = cheapest(FakeLists(500, 0), QUERIES, TRUTH, 0.97)
    assert effort.breadth == 1_000
    assert effort.recall == pytest.approx(0.3)


def test_is_told_before_each_query() -> None:
    def tick() -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        cheapest(FakeLists(10, 0), QUERIES, TRUTH, 0.9, tick)


def test_scales_with_k_and_with_what_a_filter_leaves() -> None:
    effort = Effort(100, 1_000)
    assert effort.scaled(10, 1.0) == effort
    assert effort.scaled(1, 1.0) == effort
    assert effort.scaled(100, 1.0).breadth > 100
    assert effort.scaled(100, 1.0).shortlist > 3_000
    assert effort.scaled(10, 0.1).breadth > effort.scaled(10, 0.5).breadth > 100
    assert effort.scaled(5_000, 1.0).shortlist >= 5_000


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(8, 8, [8]), (8, 3, [3]), (16, 40, [16, 23, 32, 40]), (8, 1_000, [8, 11, 16])],
)
def test_breadths_grow_by_the_root_of_two_up_to_the_last(
    first: int, last: int, expected: list[int]
) -> None:
    found = steps(first, last)
    assert found[: len(expected)] == expected
    assert found[-1] == last
