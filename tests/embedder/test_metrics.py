import numpy as np
import pytest

from embedder.base import unit
from embedder.evaluate import metrics

GALLERY = np.eye(4, dtype=np.float32)
QUERIES = unit(np.array([[3, 2, 1, 0], [0, 1, 2, 3]], dtype=np.float32))


def relevance(*rows: list[int]) -> np.ndarray:
    return np.array([[column in row for column in range(4)] for row in rows])


def test_ranking_is_nearest_first_and_ties_keep_the_gallery_order() -> None:
    assert metrics.ranking(QUERIES, GALLERY, 3).tolist() == [[0, 1, 2], [3, 2, 1]]
    same = unit(np.ones((1, 4), dtype=np.float32))
    assert metrics.ranking(same, GALLERY, 4).tolist() == [[0, 1, 2, 3]]


def test_recall_counts_queries_with_any_relevant_row() -> None:
    ranked = metrics.ranking(QUERIES, GALLERY, 4)
    relevant = relevance([1], [0, 2])
    assert [metrics.recall_at(ranked, relevant, k) for k in (1, 2, 4)] == [0.0, 1.0, 1.0]


def test_precision_judges_a_query_on_as_many_rows_as_it_has() -> None:
    ranked = metrics.ranking(QUERIES, GALLERY, 4)
    assert metrics.precision_at(ranked, relevance([0], [2, 3]), 3) == 1.0
    assert metrics.precision_at(ranked, relevance([1], [1, 3]), 3) == 0.25


@pytest.mark.parametrize(("relevant", "k", "expected"), [
    (relevance([0]), 1, 1 / 4),
    (relevance([0, 1]), 2, 1 - (2 / 4) * (1 / 3)),
    (relevance([0, 1, 2]), 2, 1.0),
])  # fmt: skip
def test_chance_recall_is_that_of_a_random_order(
    relevant: np.ndarray, k: int, expected: float
) -> None:
    assert metrics.chance_recall(relevant, k) == pytest.approx(expected)


def test_chance_precision_equals_the_mean_over_random_orders() -> None:
    relevant = relevance([0, 1, 2])
    random = np.random.default_rng(0)
    orders = np.stack([random.permutation(4)[None] for _ in range(4000)])
    drawn = np.mean([metrics.precision_at(order, relevant, 2) for order in orders])
    assert drawn == pytest.approx(metrics.chance_precision(relevant), abs=0.02)


def test_gap_and_separability_of_two_opposite_caps() -> None:
    up = unit(np.array([[1, 0.1], [1, -0.1]], dtype=np.float32))
    assert metrics.modality_gap(up, -up) == pytest.approx(2 * up.mean(axis=0)[0])
    assert metrics.modality_gap(up, up) == 0.0
    assert metrics.separability(up, -up) == 1.0


def test_alignment_and_uniformity_against_their_formulas() -> None:
    assert metrics.alignment(GALLERY, GALLERY) == 0.0
    assert metrics.alignment(GALLERY[:2], -GALLERY[:2]) == pytest.approx(4.0)
    # Distinct rows of the identity are at squared distance 2.
    assert metrics.uniformity(GALLERY) == pytest.approx(-4.0)
