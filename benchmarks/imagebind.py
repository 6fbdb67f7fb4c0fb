"""ImageBind at its full size: makes a checkpoint of seeded weights, loads it, times each sense.

    python -m benchmarks.imagebind [--folder DIR] [--threads N]

The published weights can't be had without their licence, so the checkpoint is made by the rule of
`tests.embedder.imagebind_weights`: 1,311 tensors under the published names, 4.8 GB. It stays in the
folder; delete it when you are done. Needs about 10 GB of memory.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from embedder.media import Audio, Image, Media, Text
from embedder.models.imagebind.model import ImageBind
from embedder.models.imagebind.shape import HUGE
from embedder.runtime.base import Placement
from tests.embedder.imagebind_weights import seeded_state, write_checkpoint

_ROUNDS = 3


def main() -> None:
    """Prints how long loading took, and the norms and speed of each modality."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("runs/imagebind"))
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    path = options.folder / "imagebind_huge_seeded.pth"
    if not path.exists():
        options.folder.mkdir(parents=True, exist_ok=True)
        write_checkpoint(path, seeded_state(HUGE))
    began = time.perf_counter()
    model = ImageBind.load(path, Placement(threads=options.threads))
    loaded = time.perf_counter() - began
    table = Table("modality", "raw norm", "unit norm", "seconds an item", header_style="bold")
    for item in _probes():
        raw, vector = model.raw([item]), model.embed([item])
        seconds = min(_timed(model, item) for _ in range(_ROUNDS))
        norms = (float(np.linalg.norm(rows)) for rows in (raw, vector))
        table.add_row(str(item.modality), *(f"{norm:.4f}" for norm in norms), f"{seconds:.2f}")
    console = Console()
    console.print(f"{path.stat().st_size / 1e9:.2f} GB, loaded in {loaded:.1f} s")
    console.print(table)


def _probes() -> list[Media]:
    random = np.random.default_rng(0)
    noise = random.normal(0, 0.1, (1, 5 * 16_000)).astype(np.float32)
    pixels = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    return [Text("a dog barks at the sea"), Image(pixels), Audio(noise, 16_000)]


def _timed(model: ImageBind, item: Media) -> float:
    began = time.perf_counter()
    model.embed([item])
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
