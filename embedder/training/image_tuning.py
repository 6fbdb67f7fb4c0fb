"""Teaching the image tower as one: later blocks and head together, towards the teachers' vectors.

The early blocks stay as they are. What they see serves any picture, and they take most of the time
at 224 px; so their maps of every picture are kept on disk, and a step runs the later blocks alone.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.image_tower import ImageTower
from embedder.training.image_maps import folded
from embedder.training.image_recipe import ImageTuningRecipe
from embedder.training.image_vectors import (
    V2_POOLED,
    FoldedTower,
    Guidance,
    Guide,
    StandardisedHead,
    VectorLesson,
)
from embedder.training.loop import Parts, train
from embedder.training.shards import ShardItem, read_media
from embedder.training.targets import in_order
from embedder.training.teachers.image import FoldedConv, MobileNetV2, run_block
from embedder.training.views import whole_view
from embedder.training.whitening import center, whiten

MAPS = "maps.npy"
"""Where a stage's folder holds the early blocks' maps while it needs them."""

_CHUNK = 32


def tune_tower(
    tower: ImageTower, guidance: Guidance, recipe: ImageTuningRecipe, folder: Path
) -> FoldedTower:
    """Returns the tower with its later blocks and its head taught together; resumable.

    Args:
        tower: Where to go on from; left alone.
        guidance: The training pictures and where they belong.
        recipe: The numbers.
        folder: Of checkpoint, log and, until the stage is done, the early blocks' maps.
    """
    trunk, lessons = folded(tower.trunk), guidance.lessons
    maps = early_maps(trunk, guidance.pictures, recipe, folder / MAPS)
    some = np.linspace(0, len(maps) - 1, recipe.sample).astype(int)
    free_later(trunk, recipe.frozen, _as_input(maps[some]))
    features = lessons.views[0][:, V2_POOLED].float()
    head = StandardisedHead(tower.head, features, recipe.vectors.dropout)
    head.take_up()
    lesson = VectorLesson(guidance.space, lessons, guidance.names, recipe.vectors)

    def batch(step: int) -> Parts[Guide]:
        random = np.random.default_rng([recipe.vectors.loop.seed, 1, step])
        guide = lesson.draw(step, lambda rows: windows(maps, rows, recipe.window, random))
        return guide.parts(recipe.parts)

    model = LaterTower(trunk, recipe.frozen, head)
    best = train(model, batch, lesson.loss, recipe.vectors.loop, folder)
    return FoldedTower(best.trunk, best.head.merged())


class LaterTower(nn.Module):
    """The tower from the early blocks' maps on.

    Args:
        trunk: The whole trunk.
        frozen: Blocks that the maps come from.
        head: On the trunk's pooled feature.
    """

    def __init__(self, trunk: MobileNetV2, frozen: int, head: StandardisedHead) -> None:
        super().__init__()
        self.trunk, self.frozen, self.head = trunk, frozen, head

    def forward(self, maps: Tensor, kept: Tensor) -> Tensor:
        """Returns vectors (n, dim) of the early blocks' maps (n, channels, h, w).

        Args:
            maps: From `early_maps`.
            kept: Which of the head's inputs survive the dropout, (n, 1280).
        """
        with torch.autocast("cpu", dtype=torch.bfloat16):
            pooled = self.trunk.late(maps, self.frozen)
        vectors: Tensor = self.head(pooled.float(), kept)
        return vectors


def free_later(trunk: MobileNetV2, frozen: int, maps: Tensor) -> None:
    """Freezes the early blocks and puts the later ones into white coordinates, in place.

    Args:
        trunk: In plain coordinates.
        frozen: How many blocks stay as they are.
        maps: What those blocks say of a sample of pictures.
    """
    trunk.requires_grad_(False).eval()
    with torch.no_grad():
        for convolution, read, answer in list(_later_readings(trunk, frozen, maps)):
            center(convolution, read)
            whiten(convolution, read, answer)
            convolution.requires_grad_(True)


def _later_readings(
    trunk: MobileNetV2, frozen: int, maps: Tensor
) -> Iterator[tuple[FoldedConv, Tensor, Tensor]]:
    """Yields each later convolution, what it reads and what it answers."""
    for block in list(trunk.blocks)[frozen:]:
        output, answers = run_block(block, maps)
        reads = [maps, *(functional.relu6(answer) for answer in answers)]
        yield from zip(block.children(), reads, answers, strict=False)
        maps = output
    yield trunk.last, maps, trunk.last(maps)


def early_maps(
    trunk: MobileNetV2, pictures: Sequence[ShardItem], recipe: ImageTuningRecipe, path: Path
) -> NDArray[np.float16]:
    """Returns the early blocks' maps of whole pictures, on disk; made unless they are there.

    Returns:
        float16, (pictures, side, side, channels).
    """

    def early(files: Sequence[bytes]) -> NDArray[np.float16]:
        pixels = np.stack([whole_view(file) for file in files])
        x = torch.from_numpy(pixels).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            maps = trunk.early(x, recipe.frozen)
        return maps.permute(0, 2, 3, 1).half().numpy()

    if not path.exists():
        trunk.eval()
        path.parent.mkdir(parents=True, exist_ok=True)
        files = read_media(pictures)
        batches = iter(lambda: list(islice(files, _CHUNK)), [])
        with ThreadPoolExecutor(recipe.parts) as pool:
            _write(in_order(pool, early, batches), len(pictures), path)
    maps: NDArray[np.float16] = np.load(path, mmap_mode="r")
    return maps


def _write(parts: Iterator[NDArray[np.float16]], count: int, path: Path) -> None:
    """Writes an array of `count` rows part by part, whole or not at all."""
    first = next(parts)
    part = path.with_suffix(".part")
    kept = np.lib.format.open_memmap(part, "w+", np.float16, (count, *first.shape[1:]))
    row = 0
    for rows in chain([first], parts):
        kept[row : row + len(rows)] = rows
        row += len(rows)
    kept.flush()
    part.replace(path)


def windows(
    maps: NDArray[np.float16], rows: NDArray[np.int64], least: int, random: np.random.Generator
) -> Tensor:
    """Returns a random square part of some pictures' maps, the same for all of them.

    The tower takes pictures of any size: a part of the maps is a crop that costs no early blocks.

    Args:
        maps: From `early_maps`.
        rows: Which pictures.
        least: Least side of the square.
        random: Draws side and place.

    Returns:
        float32, (n, channels, side, side).
    """
    whole = maps.shape[1]
    side = int(random.integers(min(least, whole), whole + 1))
    top, left = random.integers(whole - side + 1, size=2)
    cut = np.stack([maps[row, top : top + side, left : left + side] for row in rows])
    return _as_input(cut)


def _as_input(maps: NDArray[np.float16]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(maps)).float().permute(0, 3, 1, 2)
