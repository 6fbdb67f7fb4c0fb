import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from indexes.base import Chosen, Half, half
from indexes.derived.scan import Found, best, best_of, merged, positions
from tests.indexes.samples import unit_rows

ROWS: Half = half(unit_rows(1_000, 48, 1))
QUERY = unit_rows(1, 48, 2)[0]
SCORES = ROWS.astype(np.float64) @ QUERY


def _chosen(mask: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> Chosen:
    return Chosen(np.packbits(mask, bitorder="little"), int(mask.sum()))


def test_scores_are_inner_products_with_the_rows_as_they_are_kept() -> None:
    found = best(QUERY, ROWS, 1_000)
    np.testing.assert_allclose(found.scores, SCORES[found.places], atol=1e-6)
    assert sorted(found.places.tolist()) == list(range(1_000))


@pytest.mark.parametrize("dim", [1, 7, 16, 48, 100, 512])
def test_a_score_has_the_same_bits_wherever_its_row_lies(dim: int) -> None:
    rows, query = half(unit_rows(300, dim, 3)), unit_rows(1, dim, 4)[0]
    every = best(query, rows, 300)
    scores = np.empty(300, np.float32)
    scores[every.places] = every.scores
    for start, stop in ((0, 300), (1, 2), (17, 50), (299, 300)):
        found = best(query, rows[start:stop], 5)
        np.testing.assert_array_equal(found.scores, scores[start + found.places])
    odd = np.arange(1, 300, 3)
    found = best_of(query, rows, odd, 100)
    np.testing.assert_array_equal(found.scores, scores[found.places])
    shifted = np.empty((rows.nbytes + 2,), np.uint8)[2:].view(np.float16).reshape(rows.shape)
    shifted[:] = rows
    np.testing.assert_array_equal(best(query, shifted, 300).scores, every.scores)


@settings(max_examples=60, deadline=None)
@given(
    share=st.sampled_from([0.0, 0.002, 0.03, 0.1, 0.2, 0.3, 0.7, 0.99, 1.0]),
    k=st.integers(1, 60),
    kinds=st.sampled_from([1, 2, 5, 1_000]),
    seed=st.integers(0, 99),
)
def test_finds_the_best_of_the_chosen_ties_in_order(
    share: float, k: int, kinds: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    rows = ROWS[random.integers(0, kinds, 1_000)]
    mask = random.random(1_000) < share
    every = best(QUERY, rows, 1_000)
    expected = every.places[mask[every.places]][:k]
    found = best(QUERY, rows, k, _chosen(mask))
    assert found.places.tolist() == expected.tolist()
    np.testing.assert_array_equal(
        found.scores, every.scores[np.isin(every.places, expected).nonzero()[0]]
    )


def test_the_chosen_may_all_be_the_worst() -> None:
    mask = np.quantile(SCORES, 0.3) > SCORES
    found = best(QUERY, ROWS, 10, _chosen(mask))
    assert found.places.tolist() == np.argsort(np.where(mask, -SCORES, 2))[:10].tolist()


@pytest.mark.parametrize("damaged", [1, 990, 1_000])
def test_rows_that_are_no_numbers_are_never_found(damaged: int) -> None:
    rows = ROWS.copy()
    rows[:damaged, 3] = np.nan
    for chosen in (None, _chosen(np.arange(1_000) > 100), _chosen(np.arange(1_000) % 7 == 0)):
        found = best(QUERY, rows, 30, chosen)
        whole = np.arange(damaged, 1_000)
        if chosen is not None:
            whole = np.intersect1d(whole, positions(chosen.bits))
        assert found.places.tolist() == whole[np.argsort(-SCORES[whole])][:30].tolist()


def test_merges_by_score_and_then_by_key() -> None:
    one = Found(np.array([9, 4]), np.array([0.5, 0.25], np.float32))
    two = Found(np.array([2, 3]), np.array([0.5, 0.125], np.float32))
    assert merged([one, two], 3).places.tolist() == [2, 9, 4]
    assert merged([], 3).places.tolist() == []


def test_positions_are_those_of_the_bits() -> None:
    mask = np.random.default_rng(5).random(77) < 0.4
    assert positions(_chosen(mask).bits).tolist() == np.flatnonzero(mask).tolist()
