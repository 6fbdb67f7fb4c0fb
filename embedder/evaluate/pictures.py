"""Pictures against captions, and against the names of classes."""

from collections.abc import Iterator, Sequence

import numpy as np

from embedder.evaluate.report import Figure
from embedder.evaluate.source import HeldOut, VectorSource, ensemble
from embedder.evaluate.tasks import Task
from embedder.training.shards import ShardItem

IMAGE_TEMPLATES = ("a photo of a {}", "{}", "a picture of a {}", "a photo of the {}")
SOUND_TEMPLATES = ("the sound of {}", "{}")

LEAST_ITEMS, LEAST_LABELS, LEAST_PER_LABEL = 50, 5, 0.3
"""A labelled set is judged if its held-out part has so many items, labels, and items a label."""

_COVERED = 0.9


def captions(source: VectorSource, images: HeldOut) -> Iterator[Figure]:
    """Yields R@1/5/10 both ways, for each family of shards that has pictures without a label."""
    for family in sorted({item.family for item in images.items if item.label is None}):
        part = images.of_family(family).captioned()
        texts = part.captions()
        relevant = part.bears(texts)
        vectors = source.texts(texts)
        yield from Task("text > image", family, vectors, part.vectors, relevant).recalls()
        yield from Task("image > text", family, part.vectors, vectors, relevant.T).recalls()


def classes(
    source: VectorSource, held_out: HeldOut, items: Sequence[ShardItem], templates: Sequence[str]
) -> Iterator[Figure]:
    """Yields top-1 and top-5 of each labelled set over all labels of that set, trained or not."""
    for dataset in sorted({item.dataset for item in held_out.items}):
        part = held_out.labelled(dataset)
        labels = sorted({i.label for i in items if i.dataset == dataset and i.label})
        count = len(part.items)
        if count < max(LEAST_ITEMS, LEAST_PER_LABEL * len(labels)) or len(labels) < LEAST_LABELS:
            continue
        relevant = np.array([[item.label == label for label in labels] for item in part.items])
        names = ensemble(source, labels, templates)
        direction = f"{part.items[0].modality} > class"
        yield from Task(direction, dataset, part.vectors, names, relevant).accuracies()


def names(source: VectorSource, images: HeldOut, names: Sequence[str]) -> Iterator[Figure]:
    """Yields top-1 and top-5 over a long list of names, for sets whose labels it has.

    Args:
        source: What is judged.
        images: The pictures.
        names: Synonyms of one class are separated by commas; the first one stands for it.
    """
    if not names:
        return
    known = [{synonym.strip().lower() for synonym in name.split(",")} for name in names]
    every = set().union(*known)
    vectors = ensemble(source, [name.split(",")[0] for name in names], IMAGE_TEMPLATES)
    for dataset in sorted({item.dataset for item in images.items if item.label}):
        part = images.labelled(dataset)
        covered = part.where(lambda item: str(item.label).lower() in every)
        if len(covered.items) < max(LEAST_ITEMS, _COVERED * len(part.items)):
            continue
        labels = [str(item.label).lower() for item in covered.items]
        relevant = np.array([[label in synonyms for synonyms in known] for label in labels])
        direction = f"image > {len(names)} names"
        yield from Task(direction, dataset, covered.vectors, vectors, relevant).accuracies()
