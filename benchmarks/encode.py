"""How fast kindred-mini encodes, beside open_clip's ViT-B/32 in one process on the same threads.

    python -m benchmarks.encode --threads 2

kindred-mini runs on torch, as ViT-B/32 does, on the runtime that it has by default, and in float32
on OpenVINO and ONNX Runtime, each with its least cosine to torch over the probes. Contestants
take turns, round after round, so that a machine that drifts drifts for all of them. Printed are
medians, and the median ratio to ViT-B/32's images of the same round. Inputs are noise: speed does
not depend on them. Preprocessing is counted where the row says so, decoding is not.
"""

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from rich.progress import track
from rich.table import Table

from embedder.base import Embedder
from embedder.media import Audio, Image, Media, Text
from embedder.models.mini import WEIGHTS, KindredMini
from embedder.models.open_clip_import import import_open_clip
from embedder.runtime.base import Placement

PEER = "open_clip ViT-B/32 on torch, images"
SECONDS, RATE = 5, 16_000

PLACEMENTS: Mapping[str, Placement] = {
    "torch": Placement(runtime="torch"),
    "the default": Placement(),
    "openvino fp32": Placement(runtime="openvino", precision="fp32"),
    "onnx fp32": Placement(runtime="onnx"),
}

Pass = Callable[[], int]
"""One timed pass; returns how many items it encoded."""


def contestants(threads: int, batch: int, weights: Path) -> dict[str, Pass]:
    """Returns each contestant's pass over one batch."""
    torch.set_num_threads(threads)
    passes = {PEER: _vit_b_32(batch)}
    for who, how in PLACEMENTS.items():
        began = time.perf_counter()
        mini = KindredMini.load(weights, replace(how, threads=threads))
        passes.update(_passes(f"{mini.name} on {who}", mini, batch))
        Console().print(
            f"{who} ({mini.runtime}): derived and loaded in {time.perf_counter() - began:.1f} s, "
            f"least cosine {mini.fidelity:.5f}",
            highlight=False,
        )
    return passes


def _passes(who: str, mini: Embedder, batch: int) -> dict[str, Pass]:
    rng = np.random.default_rng(0)
    pictures = [Image(rng.integers(0, 256, (224, 224, 3), dtype=np.uint8)) for _ in range(batch)]
    sounds = [
        Audio(rng.normal(0, 0.1, (1, SECONDS * RATE)).astype(np.float32), RATE)
        for _ in range(batch)
    ]
    texts = [Text(f"a photo of a dog running on beach number {i}") for i in range(batch)]

    def forward(items: list[Media]) -> Pass:
        prepared = [mini.prepare(item) for item in items]
        return lambda: len(mini.encode(prepared))

    def whole(items: list[Media]) -> Pass:
        return lambda: len(mini.embed(items))

    return {
        f"{who}, images": forward([*pictures]),
        f"{who}, images with preprocessing": whole([*pictures]),
        f"{who}, texts": whole([*texts]),
        f"{who}, {SECONDS}-second sounds": forward([*sounds]),
        f"{who}, {SECONDS}-second sounds with preprocessing": whole([*sounds]),
    }


def _vit_b_32(batch: int) -> Pass:
    model = import_open_clip().create_model("ViT-B-32").eval()
    pixels = torch.randn(batch, 3, 224, 224)

    def encode() -> int:
        with torch.inference_mode():
            return len(model.encode_image(pixels))

    return encode


def measure(passes: Mapping[str, Pass], rounds: int) -> dict[str, list[float]]:
    """Returns items a second of every contestant, one figure a round, after a warm-up."""
    rates: dict[str, list[float]] = {name: [] for name in passes}
    for turn in track(range(rounds + 1), "rounds"):
        for name, run in passes.items():
            began = time.perf_counter()
            items = run()
            if turn:
                rates[name].append(items / (time.perf_counter() - began))
    return rates


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="another weights file")
    chosen = parser.parse_args()
    load = os.getloadavg()[0]
    rates = measure(contestants(chosen.threads, chosen.batch, chosen.weights), chosen.rounds)
    table = Table(
        title=f"{chosen.threads} threads, batches of {chosen.batch}, {chosen.rounds} rounds",
        caption=f"{platform.processor() or platform.machine()}, {os.cpu_count()} CPUs, "
        f"load {load:.1f} before, torch {torch.__version__}, {datetime.now(UTC):%Y-%m-%d}",
    )
    for heading in ("contestant", "items/s", "x ViT-B/32"):
        table.add_column(heading, justify="left" if heading == "contestant" else "right")
    for name, figures in rates.items():
        ratios = [mine / peer for mine, peer in zip(figures, rates[PEER], strict=True)]
        table.add_row(name, f"{statistics.median(figures):.1f}", f"{statistics.median(ratios):.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
