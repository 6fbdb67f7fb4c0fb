"""What large JPEGs cost to decode and prepare, beside a full decode, and how far vectors move.

    python -m benchmarks.draft

Photographs of scikit-image and scikit-learn are enlarged, since they are small, and get a little
noise, since sensors have some. Times are CPU time of one thread, medians over the photographs.
"""

import argparse
import io
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import numpy as np
import PIL.Image
from rich.console import Console
from rich.table import Table
from skimage import data
from sklearn.datasets import load_sample_images

from embedder.base import Embedder, Prepared
from embedder.catalog import load
from embedder.decode import decode_image
from embedder.media import Image
from embedder.runtime.base import Placement

SIZES = ((1440, 1080), (4032, 3024), (8064, 6048))
"""A screenful, and what telephones make."""


def photographs(size: tuple[int, int]) -> Iterator[bytes]:
    """Yields photographs as JPEGs of a size."""
    rng = np.random.default_rng(0)
    some = (data.astronaut(), data.chelsea(), data.coffee(), data.rocket())
    for pixels in (*some, *load_sample_images().images):
        large = PIL.Image.fromarray(pixels).resize(size, PIL.Image.Resampling.LANCZOS)
        noise = rng.normal(0, 4, (size[1], size[0], 1)).astype(np.int16)
        noisy = (np.asarray(large, dtype=np.int16) + noise).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        PIL.Image.fromarray(noisy).save(file, "JPEG", quality=92)
        yield file.getvalue()


def full(file: bytes) -> Image:
    """Decodes every pixel."""
    with PIL.Image.open(io.BytesIO(file)) as picture:
        return Image(np.asarray(picture.convert("RGB")))


def prepared(model: Embedder, file: bytes, *, whole: bool) -> tuple[Prepared, float]:
    """Returns what a tower takes of a file, and the CPU time it took in milliseconds."""
    began = time.process_time()
    item = model.prepare(full(file) if whole else decode_image(file))
    return item, 1000 * (time.process_time() - began)


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--model", default="kindred-mini")
    model = load(parser.parse_args().model, Placement(runtime="torch", threads=1))
    table = Table(caption=f"{model.name}, {datetime.now(UTC):%Y-%m-%d}")
    for heading in ("pixels", "full ms", "as decoded ms", "times", "least cosine"):
        table.add_column(heading, justify="right")
    for size in SIZES:
        rows = []
        for file in photographs(size):
            (whole, slow), (reduced, fast) = (prepared(model, file, whole=w) for w in (True, False))
            vectors = model.encode([whole, reduced])
            rows.append((slow, fast, float(vectors[0] @ vectors[1])))
        slow, fast, _ = (statistics.median(column) for column in zip(*rows, strict=True))
        least = min(row[2] for row in rows)
        pixels = f"{size[0]} x {size[1]}"
        table.add_row(pixels, f"{slow:.1f}", f"{fast:.1f}", f"{slow / fast:.1f}", f"{least:.5f}")
    Console().print(table)


if __name__ == "__main__":
    main()
