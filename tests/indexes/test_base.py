import gc
import re

import numpy as np
import pytest

from indexes.base import Allowed, half, unit_vector, unit_vectors
from indexes.derived.chunk import Chunk
from indexes.errors import InvalidVector
from tests.indexes.samples import unit_rows


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


@pytest.mark.parametrize("off", [0, 4e-7, -6e-7, 9e-7, 1.1e-6, -1.5e-6, 9e-4, 1.1e-3, 1e25, np.nan])
def test_one_vector_is_taken_as_many_are(off: float) -> None:
    for vector in (unit_rows(20, 384, 3) * (1 + off)).astype(np.float32):
        try:
            expected = unit_vectors(vector[None], 384)[0]
        except InvalidVector as error:
            with pytest.raises(InvalidVector, match=re.escape(str(error))):
                unit_vector(vector)
        else:
            np.testing.assert_array_equal(unit_vector(vector), expected)


def test_a_wrong_length_is_refused() -> None:
    with pytest.raises(InvalidVector, match=r"\(n, 5\)"):
        unit_vectors(unit_rows(2, 4, 1), 5)


def test_half_precision_changes_a_number_by_at_most_its_half_thousandth() -> None:
    rows = unit_rows(200, 64, 2)
    np.testing.assert_allclose(half(rows).astype(np.float32), rows, rtol=2**-11, atol=2**-25)


class TestAllowed:
    def test_tells_which_keys_are_allowed(self) -> None:
        allowed = Allowed(np.array([2, 5, 9, 400]))
        assert allowed.among(np.arange(4, 10)).tolist() == [False, True, False, False, False, True]
        assert not Allowed(np.empty(0, np.int64)).among(np.arange(4, 10)).any()

    def test_knows_a_part_again_and_forgets_it_with_the_part(self) -> None:
        allowed, part = Allowed(np.array([2, 5, 9])), _chunk(np.arange(1, 8))
        assert allowed.chosen(part) is allowed.chosen(part)
        assert allowed.chosen(part).count == 2
        assert np.unpackbits(allowed.chosen(part).bits, bitorder="little").nonzero()[
            0
        ].tolist() == [
            1,
            4,
        ]
        before = allowed.nbytes
        del part
        gc.collect()
        assert allowed.nbytes < before

    def test_what_is_known_of_old_parts_holds_when_newer_keys_come(self) -> None:
        allowed = Allowed(np.array([2, 5, 9]))
        old, new = _chunk(np.arange(1, 8)), _chunk(np.arange(8, 12))
        known = allowed.chosen(old)
        assert allowed.chosen(new).count == 1
        more = allowed.extended(np.array([10, 11]))
        assert more.keys.tolist() == [2, 5, 9, 10, 11]
        assert more.chosen(old) is known
        assert more.chosen(new).count == 3
        assert allowed.chosen(new).count == 1


def _chunk(keys: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Chunk:
    return Chunk.of(keys, half(unit_rows(len(keys), 8, 1)))
