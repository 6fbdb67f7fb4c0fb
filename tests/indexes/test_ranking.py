"""The formulas of the calibrated ranking, against plain NumPy and closed forms."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indexes.ranking import (
    FIRST_STEP,
    LEAST_STD,
    PRIOR_QUERIES,
    Background,
    Calibration,
    Candidates,
    Moments,
    blend,
    bulk,
    not_by_chance,
    rank,
    usual_ranking,
)

PAIR = ("text", "image")


def group(
    modality: str, keys: list[int], scores: list[float], background: Background
) -> Candidates:
    return Candidates(
        modality, np.array(keys, np.int64), np.array(scores, np.float32), background, 100
    )


def test_the_bulk_of_scores_is_hardly_moved_by_related_items() -> None:
    rng = np.random.default_rng(1)
    scores = rng.normal(0.2, 0.03, 256).astype(np.float32)
    mean, std = bulk(scores)
    assert mean == pytest.approx(0.2, abs=0.01)
    assert std == pytest.approx(0.03, rel=0.15)
    scores[:12] = 0.9
    assert bulk(scores).mean == pytest.approx(mean, abs=0.005)
    assert bulk(scores).std == pytest.approx(std, rel=0.15)
    assert bulk(np.full(5, 0.3, np.float32)).std == LEAST_STD


def test_the_background_is_mean_and_variance_of_the_mixture() -> None:
    prior = Background(0.2, 0.03)
    bulks = [Background(0.1 + i / 1_000, 0.02 + i / 5_000) for i in range(100)]
    seen = Moments()
    for one in bulks:
        seen = seen.plus(one)
    means = np.array([prior.mean] * PRIOR_QUERIES + [one.mean for one in bulks])
    stds = np.array([prior.std] * PRIOR_QUERIES + [one.std for one in bulks])
    expected_std = math.sqrt(np.mean(stds**2) + np.var(means))
    assert blend(prior, seen) == pytest.approx((means.mean(), expected_std))
    without = blend(None, seen)
    assert without.mean == pytest.approx(means[PRIOR_QUERIES:].mean())


@given(st.floats(-6, 12), st.integers(1, 10**7))
def test_the_probability_is_that_of_the_best_of_n(z: float, n: int) -> None:
    tail = 0.5 * math.erfc(z / math.sqrt(2))
    expected = (1 - tail) ** n if n * tail > 1e-6 else 1 - n * tail
    assert not_by_chance(z, n) == pytest.approx(expected, abs=1e-6)
    assert not_by_chance(z, 1) == pytest.approx(NormalDist().cdf(z), abs=1e-9)
    assert 0 <= not_by_chance(z, n) <= 1


def test_the_probability_has_no_trouble_far_out() -> None:
    assert not_by_chance(-50, 10) == 0
    assert not_by_chance(50, 10**9) == 1


def test_calibrated_ranking_sorts_by_deviations_as_numpy_would() -> None:
    rng = np.random.default_rng(2)
    backgrounds = {"text": Background(0.7, 0.08), "image": Background(0.2, 0.03)}
    keys = rng.permutation(60)
    scores = {name: rng.normal(b.mean, b.std, 30).round(2) for name, b in backgrounds.items()}
    groups = [
        group("text", keys[:30].tolist(), scores["text"].tolist(), backgrounds["text"]),
        group("image", keys[30:].tolist(), scores["image"].tolist(), backgrounds["image"]),
    ]
    cosines = np.concatenate([scores["text"], scores["image"]]).astype(np.float32).astype(float)
    means, stds = np.repeat([0.7, 0.2], 30), np.repeat([0.08, 0.03], 30)
    z = (cosines - means) / stds
    order = np.lexsort((keys, -cosines, -z))[:20]
    ranked = rank(groups, "calibrated", 20)
    assert [hit.key for hit in ranked] == keys[order].tolist()
    assert [hit.calibrated for hit in ranked] == pytest.approx(z[order])
    by_cosine = [hit.key for hit in rank(groups, "cosine", 60)]
    assert by_cosine == keys[np.lexsort((keys, -z, -cosines))].tolist()
    assert {keys.tolist().index(key) < 30 for key in by_cosine[:20]} == {True}
    assert len({hit.key in keys[:30] for hit in ranked}) == 2


def test_equal_scores_are_ranked_by_key() -> None:
    same = Background(0.0, 0.1)
    groups = [group("image", [5, 9], [0.5, 0.5], same), group("text", [2, 7], [0.5, 0.5], same)]
    assert [hit.key for hit in rank(groups, "calibrated", 4)] == [2, 5, 7, 9]


def test_equal_deviations_are_ranked_by_cosine() -> None:
    groups = [
        group("image", [1], [0.5], Background(0.0, 0.125)),
        group("text", [2], [1.0], Background(0.0, 0.25)),
    ]
    assert [(hit.key, hit.calibrated) for hit in rank(groups, "calibrated", 2)] == [(2, 4), (1, 4)]


def test_the_usual_ranking_calibrates_only_across_modalities() -> None:
    same = Background(0.0, 0.1)
    one, none = group("image", [1], [0.5], same), group("text", [], [], same)
    assert usual_ranking([one, none]) == "cosine"
    assert usual_ranking([one, group("text", [2], [0.1], same)]) == "calibrated"
    assert usual_ranking([]) == "cosine"


def test_a_background_is_first_the_prior_or_the_query_s_own_and_then_learned_in_steps() -> None:
    own, prior = Background(0.5, 0.05), Background(0.2, 0.03)
    calibration = Calibration({PAIR: prior}, {})
    assert calibration.background(PAIR, own) == prior
    assert calibration.background(("image", "image"), own) == own
    seen, heard = Moments(), []
    for query in range(2 * FIRST_STEP):
        one = Background(0.1 + query / 1_000, 0.04)
        calibration.observe(PAIR, one, query)
        calibration.observe(PAIR, one, query)  # asked again, it tells nothing new
        seen = seen.plus(one)
        heard.append(calibration.background(PAIR, own))
        if query + 1 in (FIRST_STEP, 2 * FIRST_STEP):
            assert heard[-1] == blend(prior, seen)
    assert len(set(heard)) == 3
    assert Calibration({PAIR: prior}, calibration.settled()).background(PAIR, own) == heard[-1]
