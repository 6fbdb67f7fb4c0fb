"""Judges what conditioning stands on: bridges to pictures, and the density of a collection.

Everything is measured on the held-out part of shards, as `embedder.evaluate` does; only the photos
that a density is fitted to, and that `knn` looks among, are training photos of the same set.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import numpy as np

from embedder.base import Embedder, Vectors
from embedder.conditioning.bridge import Bridges, Known
from embedder.evaluate.bridges import Crossing
from embedder.evaluate.densities import Collection
from embedder.evaluate.report import Figure, Report
from embedder.evaluate.sounds import paired
from embedder.evaluate.source import EmbedderVectors, HeldOut, Progress
from embedder.media import Modality
from embedder.training.shards import (
    ShardItem,
    is_held_out,
    read_items,
    read_sound_image_pairs,
)

PHOTOS = "flickr8k"
"""The set whose captions are asked for and whose photos are the collection."""

OFF_TOPIC = ("grocery", "clothing", "emoji_noto", "tf_flowers")
OTHER = "tiny_imagenet"
MOST = 4000
"""Photos of the collection."""


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A model and the shards it is judged on.

    Attributes:
        embedder: The model.
        source: Its vectors.
        items: Every item of every shard.
        pairs: (sound label, image key): what goes together.
    """

    embedder: Embedder
    source: EmbedderVectors
    items: Sequence[ShardItem]
    pairs: Sequence[tuple[str, str]]

    def some(self, dataset: str, held_out: bool, most: int = MOST) -> HeldOut:
        """Returns items of one set, evenly drawn, with their vectors."""
        items = [i for i in self.items if i.dataset == dataset and is_held_out(i) == held_out]
        rows = np.unique(np.linspace(0, len(items) - 1, min(most, len(items))).astype(int))
        chosen = tuple(items[row] for row in rows)
        return HeldOut(chosen, self.source.items(chosen))


def judge_conditioning(
    embedder: Embedder, bridges: Bridges, folder: Path, progress: Progress | None = None
) -> Report:
    """Returns figures of bridges from text and sound, and of densities.

    Args:
        embedder: The model.
        bridges: Of its space.
        folder: Holds `train/` and `val/`, shards as `embedder.training.shards` reads them.
        progress: Called with the items done and their number after each batch.
    """
    parts = [folder / "train", folder / "val"]
    items = [item for part in parts for item in read_items(part)]
    pairs = read_sound_image_pairs(folder / "train")
    judged = Judged(embedder, EmbedderVectors(embedder, progress), items, pairs)
    photos, fresh = judged.some(PHOTOS, held_out=False), judged.some(PHOTOS, held_out=True)
    known = Known(photos.vectors)
    rows = chain(
        told(judged, fresh).figures(bridges, known),
        heard(judged).figures(bridges, known),
        densities(judged, photos.vectors, fresh.vectors),
    )
    return Report(tuple(rows))


def told(judged: Judged, photos: HeldOut) -> Crossing:
    """Returns every caption against the photos."""
    captions = photos.captions()
    first = [captions.index(item.captions[0]) for item in photos.items]
    return Crossing(
        "text > image", Modality.TEXT, judged.source.texts(captions), photos.vectors,
        photos.bears(captions), np.array(first),
    )  # fmt: skip


def heard(judged: Judged) -> Crossing:
    """Returns recordings against photos of what makes the sound."""
    labels, keys = {label for label, _ in judged.pairs}, {key for _, key in judged.pairs}
    clips = [i for i in judged.items if i.modality == "audio" and i.label in labels]
    shown = [i for i in judged.items if i.modality == "image" and i.key in keys]
    sounds, images = (
        HeldOut(tuple(held), judged.source.items(held))
        for held in ([i for i in part if is_held_out(i)] for part in (clips, shown))
    )
    clip, photo, relevant = paired(sounds, images, judged.pairs)
    rows = np.arange(len(clip.items))
    return Crossing("audio > image", Modality.AUDIO, clip.vectors, photo.vectors, relevant, rows)


def densities(judged: Judged, photos: Vectors, fresh: Vectors) -> Iterator[Figure]:
    """Yields how well strangers are found among photos."""
    few = len(photos) // 100
    each = [judged.some(name, held_out=True, most=few // len(OFF_TOPIC)) for name in OFF_TOPIC]
    strangers = {
        "off-topic photos": np.concatenate([part.vectors for part in each]),
        "sounds as images": judged.some("esc50", held_out=True, most=few).vectors,
        "photos of Tiny-ImageNet": judged.some(OTHER, held_out=True, most=few).vectors,
    }
    yield from Collection(judged.embedder.space, photos, fresh).figures(strangers)
