"""open_clip's architectures at their full size: served vectors beside open_clip's own, and speed.

    python -m benchmarks.open_clip [ARCHITECTURE...] [--threads N]

Public weights may be out of reach, so each architecture gets seeded random ones, in a checkpoint as
open_clip writes it. A server loads it; the same words and pictures are asked of the library, over
REST (floats and base64) and over gRPC, all on torch, which is exact; then the machine's fastest
runtime tells how true it is and how many pictures a second it takes. Needs about 4 GB of memory and
1 GB of disk at a time.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from embedder.media import Image, Media, Text
from embedder.models.clip import ClipModel
from embedder.runtime.base import Placement
from kindred import Client
from tests.embedder.open_clip_folders import write_full_size
from tests.kindred.open_clip_peer import CONTENTS, PICTURES, TEXTS, own_vectors, posted
from tests.kindred.servers import serving

ARCHITECTURES = ("ViT-B-32", "convnext_base", "ViT-B-16-SigLIP")
_BATCH, _ROUNDS = 8, 3


def main() -> None:
    """Prints, for each architecture, the largest difference on every way, and the fast runtime."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("architectures", nargs="*", default=ARCHITECTURES, metavar="ARCHITECTURE")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    ways = ("library", "REST float", "REST base64", "gRPC")
    fast = ("runtime", "cosine to torch", "pictures/s")
    table = Table("architecture", "parameters", *ways, *fast, header_style="bold")
    for architecture in options.architectures:
        with tempfile.TemporaryDirectory() as folder:
            table.add_row(architecture, *_measured(architecture, Path(folder), options.threads))
    Console().print(table)


def _measured(architecture: str, folder: Path, threads: int) -> Iterator[str]:
    place = f"local-dir:{write_full_size(folder / 'model', architecture)}"
    expected, name = own_vectors(place), f"open_clip:{place}"
    model = ClipModel.load(name, Placement(threads=threads, runtime="torch"))
    found = [model.embed([*(Text(text) for text in TEXTS), *PICTURES])]
    with serving(folder / "data", [model]) as addresses:
        found += [posted(addresses.http, name, encoding) for encoding in ("float", "base64")]
        with Client(addresses.grpc) as client:
            found.append(client.embed(CONTENTS, model=name).vectors)
    yield f"{model.parameters / 1e6:.1f} M"
    yield from (f"{np.abs(each - expected).max():.1e}" for each in found)
    fast = ClipModel.load(name, Placement(threads=threads))
    yield from (fast.runtime, f"{fast.fidelity:.5f}", f"{_pictures_a_second(fast):.1f}")


def _pictures_a_second(model: ClipModel) -> float:
    noise = np.random.default_rng(0).integers(0, 256, (_BATCH, 224, 224, 3), dtype=np.uint8)
    items: list[Media] = [Image(pixels) for pixels in noise]
    prepared = [model.prepare(item) for item in items]
    seconds = []
    for _ in range(_ROUNDS):
        began = time.perf_counter()
        model.encode(prepared)
        seconds.append(time.perf_counter() - began)
    return _BATCH / min(seconds)


if __name__ == "__main__":
    main()
