"""Several inputs become one vector: by the sphere's own geometry, worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from embedder.base import unit
from embedder.conditioning.mix import Mix, mix, slerp
from embedder.errors import ConditioningError, InputsCancel
from tests.embedder.conditioning.spaces import vectors

X, Y = np.eye(3, dtype=np.float32)[:2]


def test_the_mean_is_the_weighted_sum_made_unit() -> None:
    (found,) = mix(np.stack([X, Y]), [3.0, 4.0])
    np.testing.assert_allclose(found, [0.6, 0.8, 0.0], atol=1e-7)


def test_a_negative_weight_leads_away() -> None:
    tilted = unit((X + Y)[None])[0]
    (found,) = mix(np.stack([tilted, Y]), [1.0, -math.sqrt(0.5)])
    np.testing.assert_allclose(found, X, atol=1e-7)


def test_only_directions_count() -> None:
    rows, weights = vectors(4), [1.0, 2.0, -0.5, 0.3]
    scale = np.array([[1.0], [20.0], [0.01], [5.0]], dtype=np.float32)
    np.testing.assert_allclose(mix(rows * scale, weights), mix(rows, weights), atol=1e-6)


def test_inputs_that_cancel_are_told_with_their_norm() -> None:
    with pytest.raises(InputsCancel, match=r"\[1\.0, -1\.0\] whose sum has norm 0"):
        mix(np.stack([X, X]), [1.0, -1.0])


def test_slerp_goes_along_the_arc() -> None:
    (found,) = mix(np.stack([X, Y]), [1.0, 2.0], Mix.SLERP)
    np.testing.assert_allclose(found, [0.5, math.sqrt(0.75), 0.0], atol=1e-7)  # 60 of 90 degrees


@given(st.floats(0.0, 1.0), st.integers(0, 1000))
@settings(max_examples=50, deadline=None)
def test_slerp_turns_by_its_share_of_the_angle(share: float, seed: int) -> None:
    start, end = vectors(2, seed=seed).astype(np.float64)
    start, end = start / np.linalg.norm(start), end / np.linalg.norm(end)
    here = slerp(start, end, share)
    angle = math.acos(np.clip(start @ end, -1, 1))
    assert np.linalg.norm(here) == pytest.approx(1.0)
    assert math.acos(np.clip(start @ here, -1, 1)) == pytest.approx(share * angle, abs=1e-4)


def test_slerp_folds_more_than_two_and_of_equals_takes_neither_side() -> None:
    rows = vectors(3)
    (found,) = mix(rows, [1.0, 1.0, 2.0], Mix.SLERP)
    first = slerp(rows[0].astype(float), rows[1].astype(float), 0.5)
    np.testing.assert_allclose(found, slerp(first, rows[2].astype(float), 0.5), atol=1e-6)
    np.testing.assert_allclose(mix(np.stack([X, X]), [1, 1], Mix.SLERP)[0], X, atol=1e-7)


def test_slerp_has_no_way_between_opposites() -> None:
    with pytest.raises(InputsCancel, match=r"opposite inputs, got cosine -1\.0"):
        mix(np.stack([X, -X]), [1.0, 1.0], Mix.SLERP)


def test_a_stack_keeps_every_input() -> None:
    rows = vectors(3)
    np.testing.assert_array_equal(mix(rows, [1.0, 1.0, 1.0], Mix.STACK), unit(rows))


@pytest.mark.parametrize(
    ("weights", "how", "said"),
    [
        ([1.0, math.nan], Mix.MEAN, "finite, got nan"),
        ([1.0, math.inf], Mix.STACK, "finite, got inf"),
        ([1.0, -1.0], Mix.SLERP, r"positive, got \[1\.0, -1\.0\]"),
        ([1.0], Mix.MEAN, "2 inputs and 1 weights"),
    ],
)
def test_weights_are_checked(weights: list[float], how: Mix, said: str) -> None:
    with pytest.raises(ConditioningError, match=said):
        mix(np.stack([X, Y]), weights, how)


def test_nothing_can_not_be_mixed() -> None:
    with pytest.raises(ConditioningError, match="0 inputs"):
        mix(np.empty((0, 3), dtype=np.float32), [])
