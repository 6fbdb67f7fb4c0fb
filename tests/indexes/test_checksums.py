"""Checksums: files of before keep theirs, so how values become bytes may never change."""

import json
import zlib

import pytest

from indexes.truth import checksums

VALUES = (
    ("id", "image", 1_700_000_000_000_000, None, '{"tag":"a \\"b\\""}'),
    ('quote " and \\', "ä → 😀 \u2028 \x7f", -1, "image/png", "{}"),
    ("", "image", 2**70, "", b"bytes \xff"),
    (True, 0.5, 1e300, float("nan"), ["a", None]),
)


@pytest.mark.parametrize("columns", VALUES)
def test_the_checksum_of_an_item_is_that_of_its_columns_as_json(columns: tuple[str, ...]) -> None:
    expected = zlib.crc32(json.dumps([7, *columns], default=repr).encode())
    assert checksums.of_item(7, *columns) == expected


def test_the_checksum_of_a_fact_is_that_of_its_name_and_value_as_json() -> None:
    assert checksums.of_state("sequence", 12) == zlib.crc32(b'["sequence", 12]')
