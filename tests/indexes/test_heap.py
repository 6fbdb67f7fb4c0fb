"""What is freed goes back to the system."""

import sys
from pathlib import Path

import pytest

from indexes.derived.heap import give_back

_PIECE, _PIECES = 60_000, 1_000
"""So small that the C library keeps them for itself when they are freed."""


def _anonymous() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is nothing to be called")
def test_freed_memory_is_returned() -> None:
    pieces = [bytes([1]) * _PIECE for _ in range(_PIECES)]
    last = bytes([1]) * _PIECE  # above them, so that the heap cannot simply shrink
    del pieces
    give_back()
    held = _anonymous()
    pieces = [bytes([1]) * _PIECE for _ in range(_PIECES)]
    assert _anonymous() - held > _PIECE * _PIECES * 0.8
    del pieces
    give_back()
    assert _anonymous() - held < _PIECE * _PIECES * 0.2
    assert len(last) == _PIECE
