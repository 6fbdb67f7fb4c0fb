import numpy as np
import pytest

from indexes.base import Index, unit_vectors
from indexes.errors import InvalidVector
from indexes.flat import FlatIndex
from tests.indexes.index_contract import IndexContract
from tests.indexes.samples import unit_rows


class TestFlatIndex(IndexContract):
    def empty(self, dim: int) -> Index:
        return FlatIndex(dim)


def test_vectors_of_unit_norm_pass_bit_for_bit() -> None:
    rows = unit_rows(50, 384, 1)
    np.testing.assert_array_equal(unit_vectors(rows, 384), rows)


def test_norms_a_little_off_are_made_one() -> None:
    rows = unit_rows(3, 16, 1) * np.array([[1.0], [1.0005], [0.9995]], np.float32)
    made = unit_vectors(rows, 16)
    np.testing.assert_array_equal(made[0], rows[0])
    np.testing.assert_allclose(np.linalg.norm(made, axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 2.0, 1.0015, np.nan, np.inf])
def test_other_norms_are_refused(value: float) -> None:
    rows = unit_rows(2, 4, 1)
    rows[1] = [value, 0, 0, 0]
    with pytest.raises(InvalidVector, match="unit norm"):
        unit_vectors(rows, 4)


def test_numbers_too_large_for_float32_are_refused() -> None:
    with pytest.raises(InvalidVector, match="unit norm"):
        unit_vectors(np.full((1, 4), 1e300), 4)


def test_a_wrong_length_is_refused() -> None:
    with pytest.raises(InvalidVector, match=r"\(n, 5\)"):
        unit_vectors(unit_rows(2, 4, 1), 5)
