"""How inputs are shared out among forward passes."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from embedder.models.passes import run_rows, run_texts


class Summing:
    """A tower whose vectors are sums and counts of ids, and which remembers its passes."""

    name, precision, fidelity = "summing", "fp32", 1.0

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self.shapes: list[tuple[int, ...]] = []

    def run(self, batch: NDArray[np.generic]) -> NDArray[np.float32]:
        self.shapes.append(batch.shape)
        flat = batch.reshape(len(batch), -1)
        return np.stack([flat.sum(axis=1), (flat != 0).sum(axis=1)], axis=1).astype(np.float32)


def texts(*lengths: int) -> list[NDArray[np.int64]]:
    return [np.arange(1, length + 1) for length in lengths]


def ran(
    tower: Summing, lengths: Sequence[int], most: int, context: int = 77
) -> NDArray[np.float32]:
    ids = texts(*lengths)
    return run_texts(tower, ids, most=most, context=context, pass_tokens=16)


def sums(*lengths: int) -> list[list[int]]:
    return [[length * (length + 1) // 2, length] for length in lengths]


@pytest.mark.parametrize(
    ("lengths", "shapes"),
    [
        ((5,), [(1, 8)]),
        ((5, 77, 6, 7), [(1, 77), (3, 8)]),
        ((13, 14, 12, 14), [(4, 16)]),
        ((9, 9, 9), [(2, 12), (1, 12)]),
        ((30, 14, 14), [(2, 32), (1, 16)]),
    ],
)
def test_a_long_text_costs_the_others_no_padding(
    lengths: tuple[int, ...], shapes: list[tuple[int, int]]
) -> None:
    tower = Summing()
    most = 2 if lengths == (9, 9, 9) else 4
    np.testing.assert_array_equal(ran(tower, lengths, most), sums(*lengths))
    assert tower.shapes == shapes


@given(st.lists(st.integers(1, 50), min_size=1, max_size=60))
def test_shapes_are_few_whatever_the_texts(lengths: list[int]) -> None:
    tower = Summing()
    np.testing.assert_array_equal(ran(tower, lengths, 40, 50), sums(*lengths))
    allowed = (
        (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40),
        (8, 12, 16, 20, 24, 28, 32, 40, 48, 50),
    )
    assert {rows for rows, _ in tower.shapes} <= {*allowed[0]}
    assert {length for _, length in tower.shapes} <= {*allowed[1]}


def test_a_gpu_gets_few_passes() -> None:
    tower, lengths = Summing("cuda"), (5, 77, 6, 30)
    np.testing.assert_array_equal(ran(tower, lengths, 4), sums(*lengths))
    assert tower.shapes == [(4, 77)]


def test_rows_of_several_shapes_keep_their_order() -> None:
    tower = Summing()
    rows = [np.full(shape, 2) for shape in ((2, 3), (4, 4), (2, 3), (2, 3))]
    found = run_rows(tower.run, rows, 2)
    np.testing.assert_array_equal(found, [[12, 6], [32, 16], [12, 6], [12, 6]])
    assert tower.shapes == [(2, 2, 3), (1, 2, 3), (1, 4, 4)]
