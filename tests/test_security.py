"""What SECURITY.md says of attacks: each has a result."""

from pathlib import Path

import pytest

from tests.attack.__main__ import ATTACKS

TEXT = (Path(__file__).parents[1] / "SECURITY.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ATTACKS)
def test_each_attack_has_a_result(name: str) -> None:
    assert f"| `{name}" in TEXT


def test_each_find_is_held_by_a_test_that_is_there() -> None:
    held = [line.split("`")[-2] for line in TEXT.splitlines() if line.endswith("` |")]
    assert len(held) >= 5
    assert all((Path(__file__).parents[1] / path).is_file() for path in held)
