"""How large a pass pays: values against what passes of a made-up machine take."""

import random

import pytest

from embedder.media import Modality
from service.batching.pace import SHORT_SECONDS, TRY_EVERY, WASTE, Pace

FIXED, BY_COST = 0.004, 0.4
SIZES = [1 / 2**power for power in range(8)]
IMAGE = Modality.IMAGE


def seconds(cost: float) -> float:
    return FIXED + BY_COST * cost


def paced(*costs: float, slower: float = 1.0, pace: Pace | None = None) -> Pace:
    pace = pace or Pace()
    for cost in costs:
        pace.observe(IMAGE, cost, 1, slower * seconds(cost))
    return pace


def best(costs: list[float]) -> float:
    """Returns the least cost whose rate is about that of the best, by trying all."""
    rates = {cost: seconds(cost) / cost for cost in costs}
    return min(cost for cost in costs if rates[cost] <= (1 + WASTE) * min(rates.values()))


def test_a_batch_is_no_larger_than_pays() -> None:
    assert best(SIZES) == 0.125
    assert paced(*SIZES * 100, 1.0).paying_cost(1.0, IMAGE) == 0.125


def test_what_takes_a_moment_need_not_pay() -> None:
    pace, best_alone = Pace(), 0.001
    for cost in [*[best_alone, 0.002, 0.004, 0.008, 0.016] * 100, best_alone]:
        pace.observe(IMAGE, cost, 1, cost if cost == best_alone else 2 * cost)
    assert 2 * pace.paying_cost(1.0, IMAGE) == pytest.approx(SHORT_SECONDS, rel=0.1)


def test_larger_passes_are_tried_again_after_some_time() -> None:
    passes = len(SIZES) * 100
    assert passes % TRY_EVERY == 0
    pace = paced(*SIZES * 100)
    assert pace.paying_cost(1.0, IMAGE) == 0.25
    assert paced(0.125, pace=pace).paying_cost(1.0, IMAGE) == 0.125


def test_a_batch_takes_no_longer_than_it_may() -> None:
    pace = paced(*SIZES * 100)
    for limit in (0.008, 0.02, 0.05):
        assert seconds(pace.paying_cost(limit, IMAGE)) <= limit * 1.25
        assert 0.7 * limit <= seconds(pace.cost_within(limit, IMAGE)) <= limit * 1.25


def test_until_two_sizes_were_seen_any_may_pay() -> None:
    assert Pace().paying_cost(0.01, IMAGE) == 1.0
    assert paced(0.1, 0.1, 0.1).paying_cost(0.01, IMAGE) == 1.0


def test_bulk_begins_with_one_item_and_grows_by_doubling() -> None:
    assert Pace().cost_within(1.0, IMAGE) == 0.0
    pace, tried = paced(1 / 64), [1 / 64]
    while tried[-1] < 1.0:
        tried.append(pace.cost_within(10.0, IMAGE))
        paced(tried[-1], pace=pace)
    assert tried == [1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0]


def test_a_larger_size_is_tried_while_larger_ones_were_better() -> None:
    assert paced(1 / 64, 1 / 32).paying_cost(1.0, IMAGE) == 1 / 16


def test_a_machine_that_has_become_slower_is_found_out() -> None:
    pace = paced(*SIZES[4:] * 200, slower=3.0, pace=paced(*SIZES[4:] * 100))
    assert 3 * seconds(pace.cost_within(0.05, IMAGE)) == pytest.approx(0.05, rel=0.3)


def test_passes_that_were_interrupted_change_little() -> None:
    rng, pace = random.Random(0), Pace()
    for _ in range(2001):
        cost = rng.choice(SIZES)
        pace.observe(IMAGE, cost, 1, seconds(cost) + rng.choice((0.0, 0.0, 0.2)))
    assert best(SIZES) / 2 <= pace.paying_cost(1.0, IMAGE) <= 2 * best(SIZES)


def test_kinds_are_learnt_apart() -> None:
    pace = paced(0.1, 0.2)
    assert pace.paying_cost(0.05, Modality.TEXT) == 1.0
    assert pace.least_seconds(Modality.TEXT) == 0.0
    assert pace.least_seconds(IMAGE) == seconds(0.1)
