"""How large a pass pays: values against the line that passes were timed by."""

import random

import pytest

from embedder.media import Modality
from service.batching.pace import WASTE, Pace

FIXED, BY_COST = 0.004, 0.4
IMAGE = Modality.IMAGE


def seconds(cost: float) -> float:
    return FIXED + BY_COST * cost


def paced(*costs: float) -> Pace:
    pace = Pace()
    for cost in costs:
        pace.observe(IMAGE, cost, 1, seconds(cost))
    return pace


def test_a_batch_is_no_larger_than_pays() -> None:
    cost = paced(0.1, 0.2, 0.1, 0.4).paying_cost(1.0, IMAGE)
    assert FIXED / seconds(cost) == pytest.approx(WASTE)


def test_a_batch_takes_no_longer_than_it_may() -> None:
    pace = paced(0.1, 0.2, 0.1, 0.4)
    assert seconds(pace.paying_cost(0.05, IMAGE)) == pytest.approx(0.05)
    assert seconds(pace.cost_within(0.05, IMAGE)) == pytest.approx(0.05)
    assert pace.cost_within(FIXED / 2, IMAGE) == 0.0


def test_until_two_sizes_were_seen_any_size_may_pay() -> None:
    assert Pace().paying_cost(0.01, IMAGE) == 1.0
    assert paced(0.1, 0.1, 0.1).paying_cost(0.01, IMAGE) == 1.0


def test_until_two_sizes_were_seen_time_is_taken_to_grow_with_cost() -> None:
    assert Pace().cost_within(0.01, IMAGE) == 0.0
    assert paced(0.1, 0.1).cost_within(0.022, IMAGE) == pytest.approx(0.05)


def test_what_was_learnt_outlasts_passes_of_one_size() -> None:
    cost = paced(0.1, 0.2, *[0.1] * 500).paying_cost(1.0, IMAGE)
    assert FIXED / seconds(cost) == pytest.approx(WASTE, rel=1e-3)


def test_a_machine_that_has_become_slower_is_found_out() -> None:
    pace = paced(*[0.1, 0.4] * 50)
    for cost in [0.1, 0.4] * 100:
        pace.observe(IMAGE, cost, 1, 3 * seconds(cost))
    assert 3 * seconds(pace.cost_within(0.1, IMAGE)) == pytest.approx(0.1, rel=1e-3)


def test_noise_makes_no_part_negative() -> None:
    rng, pace = random.Random(0), Pace()
    for _ in range(300):
        pace.observe(IMAGE, rng.choice((0.1, 0.12)), 1, rng.expovariate(20))
        assert 0 <= pace.paying_cost(0.1, IMAGE) <= 1
        assert 0 <= pace.cost_within(0.1, IMAGE) <= 1


def test_kinds_are_learnt_apart() -> None:
    pace = paced(0.1, 0.2)
    assert pace.paying_cost(0.05, Modality.TEXT) == 1.0
    assert pace.least_seconds(Modality.TEXT) == 0.0
    assert pace.least_seconds(IMAGE) == seconds(0.1)
