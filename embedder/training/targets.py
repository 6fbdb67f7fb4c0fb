"""Caches what the frozen teachers say about every item, so that no stage runs a teacher twice.

A cache is an .npz file of arrays with one row an item: `keys` says which. It is written to a
temporary name and renamed, so that a file that exists is whole.
"""

import hashlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from embedder.features.image import scaled
from embedder.training.shards import ShardItem, read_media
from embedder.training.teachers.image import ImageTeachers, as_quantised
from embedder.training.views import ViewRecipe, opened, random_crop, whole_view

logger = logging.getLogger(__name__)

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True, eq=False)
class ImageTargets:
    """What the image teachers say of n pictures.

    Attributes:
        keys: Which picture each row is of.
        v1: MobileNetV1's pooled feature, float16, (n, 1024).
        v2: MobileNetV2's pooled feature, float16, (n, 1280).
        logits: MobileNetV2's logits, float16, (n, 1001).
    """

    keys: NDArray[np.str_]
    v1: NDArray[np.float16]
    v2: NDArray[np.float16]
    logits: NDArray[np.float16]


def cache_image_targets(
    items: Sequence[ShardItem], teachers: Path, out: Path, *, view: int = 0, seed: int = 0
) -> Path:
    """Writes the teachers' outputs for one view of every image, unless the file is there already.

    Args:
        items: Image items; the rows of the cache keep their order.
        teachers: Folder of the teachers' files.
        out: The .npz file to write.
        view: 0 is the whole picture squashed to a square; any other number names a random crop.
        seed: Fixes the crops, together with each item's key and the view.

    Returns:
        The path of the cache.
    """
    if out.exists():
        return out
    models = ImageTeachers(teachers)
    torch.set_num_threads(1)  # every batch has a thread of its own

    def outputs(batch: Sequence[NDArray[np.float32]]) -> tuple[NDArray[np.float16], ...]:
        x = as_quantised(torch.from_numpy(np.stack(batch))).contiguous(
            memory_format=torch.channels_last
        )
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            outputs = models.outputs(x)
        return tuple(o.float().numpy().astype(np.float16) for o in outputs)

    rows: list[tuple[NDArray[np.float16], ...]] = []
    # Two threads of one core each: torch's own two threads wait for each other at every operation.
    with ThreadPoolExecutor(2) as pool:
        views = _views(items, view, seed)
        batches = iter(lambda: list(islice(views, 32)), [])
        for row in in_order(pool, outputs, batches):
            rows.append(row)
            if len(rows) % 100 == 0:
                logger.info("image targets, view %d: %d of %d", view, 32 * len(rows), len(items))
    columns = [[item.key for item in items], *map(np.concatenate, zip(*rows, strict=True))]
    save_arrays(out, dict(zip(("keys", "v1", "v2", "logits"), map(np.array, columns), strict=True)))
    return out


def read_image_targets(path: Path) -> ImageTargets:
    """Reads a cache that `cache_image_targets` wrote."""
    with np.load(path) as arrays:
        return ImageTargets(arrays["keys"], arrays["v1"], arrays["v2"], arrays["logits"])


def save_arrays(path: Path, arrays: dict[str, NDArray[np.generic]]) -> None:
    """Writes an .npz file under a temporary name, then renames it: a file that exists is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)


def in_order(
    pool: ThreadPoolExecutor, work: Callable[[In], Out], inputs: Iterable[In], depth: int = 4
) -> Iterator[Out]:
    """Yields work(input) for every input, in order, reading at most `depth` inputs ahead."""
    waiting: deque[Future[Out]] = deque()
    for item in inputs:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= depth:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _views(items: Sequence[ShardItem], view: int, seed: int) -> Iterator[NDArray[np.float32]]:
    for item, media in zip(items, read_media(items), strict=True):
        if view == 0:
            yield whole_view(media)
        else:
            digest = hashlib.sha256(f"{seed}:{view}:{item.key}".encode()).digest()
            rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
            yield scaled(random_crop(opened(media), ViewRecipe(), rng))
