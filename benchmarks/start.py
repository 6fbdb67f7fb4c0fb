"""How soon a collection serves after a start: with valid segments, and when all must be rebuilt.

    python -m benchmarks.start --rows 1000000

Fills a collection with random vectors, builds its segments, and opens it anew in processes of their
own: as it was left, and without the segments, when every row is read from the database and searched
exactly. A start is over when the first search is answered.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from indexes.collection import SearchRequest
from indexes.item import Item
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning

NAME = "rows"
QUIET = Tuning(background=False)
_BATCH = 1_000


def fill(folder: Path, rows: int, dim: int) -> float:
    """Stores random vectors and builds their segments; returns rows stored a second."""
    rng, seconds = np.random.default_rng(0), 0.0
    with FolderStore(folder, QUIET) as store:
        collection = store.create(NAME, space_id="space", dim=dim, model="random")
        for start in track(range(0, rows, _BATCH), "fill"):
            vectors = rng.standard_normal((_BATCH, dim), dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            items = [Item(f"row-{start + i}", "image", row) for i, row in enumerate(vectors)]
            began = time.perf_counter()
            collection.upsert(items)
            seconds += time.perf_counter() - began
        if isinstance(collection, LocalCollection):
            Console().print("building segments")
            collection.maintain()
    return rows / seconds


def start(folder: Path) -> str:
    """Opens the collection and asks one question; returns what that took and on what it ran."""
    began = time.perf_counter()
    with FolderStore(folder, QUIET) as store:
        collection = store.open(NAME)
        opened = time.perf_counter()
        query = np.zeros(collection.dim, dtype=np.float32)
        query[0] = 1
        answer = collection.search(SearchRequest(query, "image"))
        answered = time.perf_counter()
    return f"{opened - began:.2f} {answered - began:.2f} {answer.index}"


def _in_a_process(folder: Path) -> list[str]:
    command = [sys.executable, "-m", "benchmarks.start", "--open", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def main() -> None:
    """Fills, starts and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--open", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.open:
        sys.stdout.write(start(chosen.open))
        return
    table = Table(title=f"{chosen.rows} rows of {chosen.dim} numbers")
    for heading in ("start", "opened in s", "first answer in s", "index"):
        table.add_column(heading)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rate = fill(folder, chosen.rows, chosen.dim)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        table.add_row("with its segments", *_in_a_process(folder))
        shutil.rmtree(folder / NAME / "segments", ignore_errors=True)
        table.add_row("without them", *_in_a_process(folder))
    table.caption = (
        f"stored at {rate:.0f} rows a second, {size / chosen.rows:.0f} bytes a row on disk, "
        f"load {os.getloadavg()[0]:.1f}"
    )
    Console().print(table)


if __name__ == "__main__":
    main()
