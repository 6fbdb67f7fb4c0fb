"""Caches what the frozen teachers say about every item, so that no stage runs a teacher twice.

A cache is an .npz file of arrays with one row an item: `keys` says which. It is written to a temporary name and
renamed, so that a file that exists is whole.
"""

import hashlib
import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray

from embedder.features.image import SIZE, scaled, squash
from embedder.training.shards import ShardItem, read_media
from embedder.training.teachers.image import (
    V1_FILE,
    V2_FILE,
    MobileNetV1Teacher,
    MobileNetV2Teacher,
)

logger = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class CropRecipe:
    """How a random view of a picture is cut.

    Attributes:
        area: Smallest and largest share of the picture's area.
        aspect: Largest ratio of the crop's sides, either way round.
    """

    area: tuple[float, float] = (0.4, 1.0)
    aspect: float = 4 / 3


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
    v1 = MobileNetV1Teacher(teachers / V1_FILE).eval()
    v2 = MobileNetV2Teacher(teachers / V2_FILE).eval()
    rows: list[tuple[NDArray[np.float16], ...]] = []
    views = _views(items, view, seed)
    while batch := list(islice(views, 64)):
        x = torch.from_numpy(np.stack(batch))
        with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
            maps = v2(x)
            outputs = (v1(x), maps.pooled, maps.logits)
        rows.append(tuple(o.float().numpy().astype(np.float16) for o in outputs))
        if len(rows) % 50 == 0:
            logger.info("image targets, view %d: %d of %d", view, 64 * len(rows), len(items))
    columns = [np.concatenate(column) for column in zip(*rows, strict=True)]
    keys = np.array([item.key for item in items])
    save_arrays(out, dict(zip(("keys", "v1", "v2", "logits"), (keys, *columns), strict=True)))
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


def _views(items: Sequence[ShardItem], view: int, seed: int) -> Iterator[NDArray[np.float32]]:
    for item, media in zip(items, read_media(items), strict=True):
        picture = PIL.Image.open(io.BytesIO(media)).convert("RGB")
        if view == 0:
            yield scaled(squash(np.asarray(picture)))
        else:
            digest = hashlib.sha256(f"{seed}:{view}:{item.key}".encode()).digest()
            rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
            yield scaled(random_crop(picture, SIZE, rng, CropRecipe()))


def random_crop(
    picture: PIL.Image.Image, size: int, rng: np.random.Generator, recipe: CropRecipe
) -> NDArray[np.uint8]:
    """Cuts a random part of a picture, scales it to a square and mirrors it half the time.

    Returns:
        uint8, (size, size, 3).
    """
    area = rng.uniform(*recipe.area)
    stretch = np.exp(rng.uniform(-0.5, 0.5) * np.log(recipe.aspect))
    # Shares of the width and height, not pixels: the tower sees every picture squashed to a square.
    share = np.minimum(1.0, np.sqrt(area) * np.array([stretch, 1.0 / stretch]))
    left, top = rng.uniform(0.0, 1.0 - share)
    width, height = picture.size
    box = (left * width, top * height, (left + share[0]) * width, (top + share[1]) * height)
    view = picture.resize((size, size), PIL.Image.Resampling.BICUBIC, box=box)
    if rng.random() < 0.5:
        view = view.transpose(PIL.Image.Transpose.FLIP_LEFT_RIGHT)
    return np.asarray(view)
