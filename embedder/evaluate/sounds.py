"""Recordings against words, and against pictures of what makes the sound."""

from collections.abc import Iterator, Sequence

import numpy as np

from embedder.evaluate.metrics import Relevance
from embedder.evaluate.pictures import LEAST_ITEMS
from embedder.evaluate.report import Figure
from embedder.evaluate.source import HeldOut, VectorSource
from embedder.evaluate.tasks import Task
from embedder.training.shards import ShardItem, is_held_out

_DRAWN = "emoji"
"""Sets of this name are drawings, not photos."""


def labels(source: VectorSource, sounds: HeldOut, items: Sequence[ShardItem]) -> Iterator[Figure]:
    """Yields how often "the sound of {label}" has one right among its ten nearest clips.

    Labels that no training clip bears are unheard: only their words can find them.
    """
    heard = {i.label for i in items if i.modality == "audio" and not is_held_out(i)}
    for family in sorted({item.family for item in sounds.items}):
        part = sounds.of_family(family).labelled()
        every = sorted({str(item.label) for item in part.items})
        for kind, known in (("heard", True), ("unheard", False)):
            chosen = [label for label in every if (label in heard) == known]
            if len(part.items) < LEAST_ITEMS or not chosen:
                continue
            texts = source.texts([f"the sound of {label}" for label in chosen])
            relevant = np.array([[item.label == label for item in part.items] for label in chosen])
            task = Task("text > sound", f"{family}, {kind}", texts, part.vectors, relevant)
            yield from task.recalls((10,))


def captions(source: VectorSource, sounds: HeldOut) -> Iterator[Figure]:
    """Yields R@1/5/10 of captions; every clip of the same caption is right."""
    part = sounds.captioned()
    if part.items:
        texts = part.captions()
        task = Task("text > audio", "all", source.texts(texts), part.vectors, part.bears(texts))
        yield from task.recalls()


def pictures(
    sounds: HeldOut, images: HeldOut, pairs: Sequence[tuple[str, str]]
) -> Iterator[Figure]:
    """Yields R@1/5/10 and precision@10 between clips and photos, both ways."""
    clips, photos, relevant = paired(sounds, images, pairs)
    if not clips.items:
        return
    there, back = relevant, relevant.T
    for task in (
        Task("audio > image", "pairs", clips.vectors, photos.vectors, there),
        Task("image > audio", "pairs", photos.vectors, clips.vectors, back),
    ):
        yield from task.recalls()
        yield task.precision()


def paired(
    sounds: HeldOut, images: HeldOut, pairs: Sequence[tuple[str, str]]
) -> tuple[HeldOut, HeldOut, Relevance]:
    """Returns the held-out clips and photos that pairs join, and which belong together.

    Only clips that come in folds are taken, since the pairs' labels are theirs.
    """
    held = {item.key for item in images.items if not item.dataset.startswith(_DRAWN)}
    by_label: dict[str, set[str]] = {}
    for label, key in pairs:
        if key in held:
            by_label.setdefault(label, set()).add(key)
    clips = sounds.where(lambda item: item.label in by_label and item.fold is not None)
    heard = {str(item.label) for item in clips.items}
    shown = {key for label in heard for key in by_label[label]}
    photos = images.where(lambda item: item.key in shown)
    rows = [[p.key in by_label[str(c.label)] for p in photos.items] for c in clips.items]
    return clips, photos, np.array(rows, dtype=bool)
