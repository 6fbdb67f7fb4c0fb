"""kill -9 at any moment loses nothing acknowledged; `benchmarks/kill.py` does it 50 times."""

import random
from pathlib import Path

from tests.indexes import killing

KILLS = 5


def test_a_kill_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    killing.make(tmp_path)
    rng = random.Random(7)
    verdicts = [killing.kill_and_check(tmp_path, rng) for _ in range(KILLS)]
    assert [verdict.faults for verdict in verdicts] == [()] * KILLS
    assert sum(verdict.acknowledged for verdict in verdicts) > 0
