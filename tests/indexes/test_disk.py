"""What files take, while others delete them."""

from pathlib import Path

from indexes.disk import files_below, size_of


def test_what_is_gone_meanwhile_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name, size in (("a", 3), ("b", 5), ("deep/c", 7)):
        (tmp_path / name).write_bytes(bytes(size))
    files = list(files_below(tmp_path))
    assert size_of(files) == 15
    (tmp_path / "b").unlink()
    assert size_of(files) == 10
    assert list(files_below(tmp_path / "nowhere")) == []
