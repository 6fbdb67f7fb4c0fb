"""What is learnt of passes: values against what passes of a made-up machine take."""

import random

import pytest

from embedder.media import Modality
from service.batching.pace import Pace

FIXED, BY_COST = 0.004, 0.4
IMAGE = Modality.IMAGE


def seconds(cost: float) -> float:
    return FIXED + BY_COST * cost


def paced(*costs: float, slower: float = 1.0, pace: Pace | None = None) -> Pace:
    pace = pace or Pace()
    for cost in costs:
        pace.observe(IMAGE, cost, 1, slower * seconds(cost))
    return pace


def settled(limit: float, pace: Pace) -> float:
    """Returns the cost of passes, each as large as the ones before say that it may be."""
    for _ in range(300):
        paced(max(1 / 64, pace.cost_within(limit, IMAGE)), pace=pace)
    return pace.cost_within(limit, IMAGE)


@pytest.mark.parametrize("limit", [0.02, 0.05, 0.1])
def test_passes_grow_to_what_takes_as_long_as_they_may(limit: float) -> None:
    assert seconds(settled(limit, Pace())) == pytest.approx(limit, rel=0.1)


def test_the_first_pass_is_a_single_item() -> None:
    assert Pace().cost_within(1.0, IMAGE) == 0.0


def test_a_machine_that_has_become_slower_is_found_out() -> None:
    pace = paced(*[0.1] * 200)
    paced(*[0.1] * 200, slower=3.0, pace=pace)
    assert 3 * BY_COST * pace.cost_within(0.05, IMAGE) == pytest.approx(0.05, rel=0.2)


def test_passes_that_were_interrupted_change_little() -> None:
    rng, pace = random.Random(0), Pace()
    for _ in range(2000):
        pace.observe(IMAGE, 0.1, 1, seconds(0.1) + rng.choice((0.0, 0.0, 0.2)))
    assert pace.cost_within(seconds(0.1), IMAGE) == pytest.approx(0.1, rel=0.2)


def test_kinds_are_learnt_apart() -> None:
    pace = paced(0.1, 0.2)
    assert pace.cost_within(0.05, Modality.TEXT) == 0.0
    assert pace.least_seconds(Modality.TEXT) == 0.0
    assert pace.least_seconds(IMAGE) == seconds(0.1)
