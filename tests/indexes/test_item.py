import reprlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from indexes.errors import IndexesError, InvalidItem, InvalidVector
from indexes.item import Content, Item, encode_metadata
from tests.indexes.samples import kept, unit_rows

ONE = np.eye(1, 8, dtype=np.float32)[0]


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": value}
    return value


def test_takes_any_unicode_id_and_any_json() -> None:
    metadata = {"ü": [1, 2.5, None, True, {"x": "😀"}], "big": -(2**63), "": 'quote" and \\'}
    item = Item("photos/été 😀.jpg", "image", ONE, metadata, datetime(2026, 1, 1, tzinfo=UTC))
    assert item.metadata == metadata


@pytest.mark.parametrize(
    ("item_id", "rule"),
    [
        ("", "at least one"),
        ("a\nb", "control"),
        ("a\x7f", "control"),
        ("\ud800", "surrogate"),
        ("é" * 257, "512 bytes"),
        (7, "text"),
    ],
)
def test_refuses_an_id(item_id: str, rule: str) -> None:
    with pytest.raises(InvalidItem, match=rule):
        Item(item_id, "image", ONE)


def test_what_half_precision_holds_stays_as_it_is() -> None:
    given = unit_rows(1, 384, 1)[0]
    read = Item("a", "image", kept(given)).vector
    np.testing.assert_array_equal(read, kept(given))
    np.testing.assert_array_equal(kept(read), read)
    off = Item("a", "image", given * np.float32(1.0005)).vector
    assert np.linalg.norm(off.astype(np.float64)) == pytest.approx(1, abs=1e-6)
    np.testing.assert_array_equal(Item("a", "image", given).vector, given)


@pytest.mark.parametrize("modality", ["", "Image", "a b", "x" * 33, "1d"])
def test_refuses_a_modality(modality: str) -> None:
    with pytest.raises(InvalidItem, match="modality"):
        Item("a", modality, ONE)


@pytest.mark.parametrize(
    ("metadata", "rule"),
    [
        ([], "JSON object"),
        ({"x": float("nan")}, "finite"),
        ({"x": float("-inf")}, "finite"),
        ({"x": 2**63}, "64 bits"),
        ({"x": [{1: 2}]}, "keys"),
        ({"x": {1, 2}}, "set"),
        ({"x": b"1"}, "bytes"),
        ({"x": "\0"}, "NUL"),
        ({"\0": 1}, "NUL"),
        ({"x": "\udfff"}, "Unicode"),
        ({"x": "y" * 70_000}, "65536 bytes"),
        (nested(40), "32 levels"),
        (nested(5_000), "32 levels"),
    ],
    ids=reprlib.repr,
)
def test_refuses_metadata(metadata: dict[str, Any], rule: str) -> None:
    with pytest.raises(InvalidItem, match=rule) as refusal:
        Item("a", "image", ONE, metadata)
    assert len(str(refusal.value)) < 200
    with pytest.raises(InvalidItem):
        encode_metadata(metadata)


@pytest.mark.parametrize(
    "vector", [ONE * 2, ONE * 0, ONE * np.nan, ONE[None], np.zeros(0, np.float32)]
)
def test_refuses_a_vector(vector: NDArray[np.float32]) -> None:
    with pytest.raises(InvalidVector):
        Item("a", "image", vector)


def test_refuses_a_time_without_zone_and_a_mime_type_in_disorder() -> None:
    with pytest.raises(InvalidItem, match="time zone"):
        Item("a", "image", ONE, created=datetime(2026, 1, 1))
    with pytest.raises(InvalidItem, match="9999"):
        Item("a", "image", ONE, created=datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=3))))
    for mime in ("", "image", "Image/PNG", "image/png; charset=x", "image/\n"):
        with pytest.raises(InvalidItem, match="MIME"):
            Content(mime, b"")


def test_every_error_has_one_root() -> None:
    assert issubclass(InvalidItem, IndexesError)
    assert issubclass(InvalidVector, IndexesError)
