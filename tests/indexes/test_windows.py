"""Windows of items: checked, packed to the bit, and damage is passed over."""

import sqlite3

import numpy as np
import pytest

from indexes.errors import InvalidItem, InvalidVector
from indexes.item import Item
from indexes.truth import windows as ledger
from indexes.windows import Window, Windows
from tests.indexes.samples import unit_rows

SPANS = np.array([[0.0, 5.0], [2.5, 7.5], [3.3, 8.3]])
VECTORS = unit_rows(3, 16, 1)
WINDOWS = Windows.of(SPANS, VECTORS)


def test_the_nearest_window_is_the_best() -> None:
    for vector, (start, end) in zip(VECTORS, SPANS, strict=True):
        assert WINDOWS.best(vector) == Window(start, end)


def test_what_was_packed_is_unpacked_to_the_bit() -> None:
    found = Windows.unpacked(WINDOWS.packed())
    assert found is not None
    np.testing.assert_array_equal(found.spans, SPANS)
    np.testing.assert_array_equal(found.vectors, VECTORS.astype(np.float16))


def test_what_is_damaged_is_not_unpacked() -> None:
    packed = WINDOWS.packed()
    for place in range(len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 1
        assert Windows.unpacked(bytes(damaged)) is None
    for size in (0, 5, len(packed) - 1):
        assert Windows.unpacked(packed[:size]) is None


@pytest.mark.parametrize(
    ("spans", "vectors", "error"),
    [
        (np.empty((0, 2)), VECTORS[:0], InvalidItem),
        (np.array([[0.0, 1.0, 2.0]]), VECTORS[:1], InvalidItem),
        (np.array([[3.0, 3.0]]), VECTORS[:1], InvalidItem),
        (np.array([[-1.0, 3.0]]), VECTORS[:1], InvalidItem),
        (np.array([[0.0, np.inf]]), VECTORS[:1], InvalidItem),
        (SPANS, VECTORS[:2], InvalidVector),
        (SPANS, 2 * VECTORS, InvalidVector),
        (SPANS, np.full_like(VECTORS, np.nan), InvalidVector),
    ],
)
def test_what_breaks_a_rule_is_refused(
    spans: np.ndarray, vectors: np.ndarray, error: type[Exception]
) -> None:
    with pytest.raises(error):
        Windows.of(spans, vectors)


def test_windows_are_of_their_items_space() -> None:
    with pytest.raises(InvalidVector, match="vectors of 8 numbers as their item has, got 16"):
        Item("a", "audio", unit_rows(1, 8, 1)[0], windows=WINDOWS)


def test_a_damaged_row_is_passed_over() -> None:
    with sqlite3.connect(":memory:") as connection:
        assert ledger.best(connection, [1, 2], VECTORS[0]) == {}
        ledger.insert(connection, [(1, WINDOWS), (2, WINDOWS)])
        connection.execute("UPDATE windows SET data = substr(data, 2) WHERE seq = 1")
        assert ledger.best(connection, [1, 2, 3], VECTORS[1]) == {2: Window(2.5, 7.5)}
        ledger.remove(connection, [2])
        assert ledger.best(connection, [1, 2], VECTORS[0]) == {}
    connection.close()
