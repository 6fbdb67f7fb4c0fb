"""kill -9 at random moments under concurrent upserts, deletes, searches and compaction.

    python -m benchmarks.kill --kills 50

A process with three writers, a searcher and continuous compaction is killed, over and over, in
the middle of it. After each kill the collection must open, hold every acknowledged change and
nothing that was deleted, item by item and in what searches find. Exits with 1 if it ever does not.
"""

import argparse
import random
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from tests.indexes import killing


def main() -> None:
    """Kills, checks and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    rng = random.Random(chosen.seed)
    table = Table(title=f"{chosen.kills} kills, seed {chosen.seed}")
    for heading in (
        "kill",
        "acknowledged",
        "items",
        "segments",
        "building",
        "opened in s",
        "faults",
    ):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        killing.make(folder)
        verdicts = [
            killing.kill_and_check(folder, rng) for _ in track(range(chosen.kills), "kills")
        ]
    for i, verdict in enumerate(verdicts, start=1):
        table.add_row(
            str(i),
            str(verdict.acknowledged),
            str(verdict.items),
            str(verdict.segments),
            "yes" if verdict.building else "",
            f"{verdict.seconds:.2f}",
            "; ".join(verdict.faults) or "none",
        )
    faults = sum(len(verdict.faults) for verdict in verdicts)
    table.caption = (
        f"{sum(verdict.acknowledged for verdict in verdicts)} acknowledged changes, {faults} faults"
    )
    Console().print(table)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
