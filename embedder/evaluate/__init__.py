"""Judges an embedder on the held-out part of a folder of shards, in every direction.

Whatever the shards are, the same rows come out:

* captions against pictures, both ways, for each family of shards that has pictures without a label;
* classes by their names, for each labelled set; all names of a larger list, where one is given;
* words against recordings, and recordings against pictures that share a label, both ways;
* the shape of the space: modality gap, separability, uniformity, alignment;
* calibration: whether unrelated pairs lie where the model says, where it says anything.

The split is `shards.is_held_out`; nothing is drawn, so the same vectors give the same report.
"""

from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path
from types import MappingProxyType

import numpy as np

from embedder.base import Embedder
from embedder.evaluate import pictures, sounds
from embedder.evaluate.calibration import Backgrounds, calibration
from embedder.evaluate.report import Figure, Report
from embedder.evaluate.shape import shape
from embedder.evaluate.source import EmbedderVectors, HeldOut, Progress, VectorSource
from embedder.training.shards import ShardItem, is_held_out, read_items, read_sound_image_pairs

__all__ = ["EmbedderVectors", "Figure", "Report", "VectorSource", "evaluate", "judge"]


def evaluate(
    embedder: Embedder,
    folder: Path,
    *,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Report:
    """Judges a model on a folder that holds `train/` and `val/`, or shards themselves.

    Args:
        embedder: The model.
        folder: Shards as `embedder.training.shards` reads them.
        names: A larger list of class names, synonyms separated by commas, to be told apart at once.
        progress: Called with the items done and their number after each batch, for pictures and
            then for sounds.
    """
    source = EmbedderVectors(embedder, progress)
    return judge(source, folder, names=names, backgrounds=embedder.backgrounds)


def judge(
    source: VectorSource,
    folder: Path,
    *,
    names: Sequence[str] | None = None,
    backgrounds: Backgrounds = MappingProxyType({}),
) -> Report:
    """Judges any source of vectors; see `evaluate`.

    Args:
        source: The vectors.
        folder: See `evaluate`.
        names: See `evaluate`.
        backgrounds: What the source says of unrelated pairs.
    """
    parts = [part for part in (folder / "train", folder / "val") if part.is_dir()] or [folder]
    items = [item for part in parts for item in read_items(part)]
    images, clips = (_held_out(source, items, kind) for kind in ("image", "audio"))
    pairs = [pair for part in parts for pair in _pairs(part)]
    rows = (
        pictures.captions(source, images),
        pictures.classes(source, images, items, pictures.IMAGE_TEMPLATES),
        pictures.names(source, images, names or ()),
        pictures.classes(source, clips, items, pictures.SOUND_TEMPLATES),
        sounds.labels(source, clips, items),
        sounds.captions(source, clips),
        sounds.pictures(clips, images, pairs),
        shape(source, images, clips, pairs),
        calibration(source, backgrounds, images, clips, pairs),
    )
    return Report(tuple(chain.from_iterable(rows)))


def _held_out(source: VectorSource, items: Iterable[ShardItem], modality: str) -> HeldOut:
    chosen = tuple(i for i in items if i.modality == modality and is_held_out(i))
    return HeldOut(chosen, source.items(chosen) if chosen else np.empty((0, 1), np.float32))


def _pairs(folder: Path) -> list[tuple[str, str]]:
    return read_sound_image_pairs(folder) if (folder / "sound_image_pairs.csv").is_file() else []
