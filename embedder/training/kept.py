"""Reads what a run has kept, to judge with it; nothing is trained, computed or written."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from embedder.training.joint import Outputs
from embedder.training.pipeline import Workshop, teacher_outputs
from embedder.training.recipe import Recipe
from embedder.training.shards import read_items
from embedder.training.space import TeacherSpace, load_space
from embedder.training.texts import build_bank

_TARGETS = ("image.npz", "sound.npz", "sound_mels.npz", "text.npz")


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """A finished run, as far as others can use it.

    Attributes:
        shop: Its folders and its recipe.
        outputs: What the teachers said of every item.
        space: The teachers' joint space.
    """

    shop: Workshop
    outputs: Outputs
    space: TeacherSpace


def read_kept(data: Path, teachers: Path, run: Path) -> Kept:
    """Returns what `pipeline.train` has kept of a run.

    Args:
        data: Folder with `train/` and `val/` that the run was trained on.
        teachers: Folder of the teachers' files.
        run: Folder of the run.

    Raises:
        FileNotFoundError: If the run lacks a file, or has it of other items or texts.
    """
    targets = run / "targets"
    for path in (*(targets / name for name in _TARGETS), run / "space.safetensors"):
        if not path.is_file():
            raise FileNotFoundError(f"a run to judge with must have got as far as {path}")
    items = [item for part in ("train", "val") for item in read_items(data / part)]
    shop = Workshop(data, teachers, run, Recipe(), items)
    bank = build_bank(items, teachers, shop.recipe.text)
    _check(targets / "text.npz", "digest", bank.digest)
    for name, modality in (("image", "image"), ("sound", "audio"), ("sound_mels", "audio")):
        keys = [item.key for item in items if item.modality == modality]
        _check(targets / f"{name}.npz", "keys", keys)
    return Kept(shop, teacher_outputs(shop, bank), load_space(run / "space.safetensors"))


def _check(path: Path, name: str, expected: str | Sequence[str]) -> None:
    """Refuses a cache that is of something else: the pipeline would make it anew."""
    with np.load(path) as arrays:
        if arrays[name].tolist() != expected:
            raise FileNotFoundError(f"a run must be judged with the data it was made of; {path}")
