"""Judges a generator by embedding again what it made, for each modality that it was asked in.

What is asked is held out: photos, captions, recordings; and names of classes. Words and sounds
cross a bridge first. What was made is a picture, whose vector is then asked

* which class it shows, among the names of its set: did the generator make what was meant?
* which condition it was made of, among all that were asked: did it make that very one? Of a
  recording, any of the same label is right.

The ceiling of each figure is what the bridged vectors themselves reach: a generator whose pictures
had exactly the vectors that it was given would be as good.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np

from embedder.base import Embedder, Vectors
from embedder.conditioning.bridge import Bridges, Choice
from embedder.conditioning.generator.sampler import Generator, PictureSampling
from embedder.evaluate.metrics import Relevance
from embedder.evaluate.pictures import IMAGE_TEMPLATES, LEAST_LABELS
from embedder.evaluate.report import Figure, Report
from embedder.evaluate.source import EmbedderVectors, ensemble
from embedder.evaluate.tasks import Task
from embedder.media import Image, Modality
from embedder.training.shards import (
    ShardItem,
    bucket,
    is_held_out,
    read_items,
    read_sound_image_pairs,
)

Advance = Callable[[int, int], object]
"""Told how many pictures are made of how many."""

PAIRS = "sound_image_pairs.csv"
POOLED, SHOWN = "all sets", "labels with photos"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Maker:
    """What turns vectors of any modality into pictures, and pictures into vectors.

    Attributes:
        embedder: Embeds conditions, and what was made of them.
        bridges: Of its space.
        generator: Trained in that space.
        choice: Which bridge is taken.
        sampling: How pictures are made.
        progress: Called with the pictures made of one kind, and their number.
    """

    embedder: Embedder
    bridges: Bridges
    generator: Generator
    choice: Choice
    sampling: PictureSampling
    progress: Advance

    def made(self, vectors: Vectors) -> Vectors:
        """Returns the vectors of pictures made of what the generator is given, (n, dim)."""
        pictures = self.generator.sample(vectors, self.sampling, self.progress)
        return self.embedder.embed([Image(picture) for picture in pictures])


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """The labels of a set of photos and the vectors of their names."""

    labels: tuple[str, ...]
    names: Vectors


class Conditions:
    """Conditions of one kind, and the pictures made of them.

    Args:
        modality: What was asked in.
        asked: Unit vectors, (n, dim).
        maker: What makes pictures of them.
    """

    def __init__(self, modality: Modality, asked: Vectors, maker: Maker) -> None:
        self.modality, self.asked, self._maker = modality, asked, maker
        self.given = maker.bridges.apply(asked, modality, maker.choice).vectors

    @cached_property
    def made(self) -> Vectors:
        """Vectors of what is made, (n, dim)."""
        return self._maker.made(self.given)

    def found(self, dataset: str, relevant: Relevance) -> Iterator[Figure]:
        """Yields how often what was made finds what it was made of."""
        direction = f"{self.modality} > made > {self.modality}"
        made, given = (
            Report(tuple(Task(direction, dataset, rows, self.asked, relevant).recalls()))
            for rows in (self.made, self.given)
        )
        yield from made.below(given).figures

    def named(self, labels: Sequence[tuple[str, str]], sets: Mapping[str, Classes]) -> list[Figure]:
        """Returns how often what was made shows the class that was meant, set by set.

        Args:
            labels: Set and label of each condition.
            sets: The classes of each set.
        """
        figures: list[Figure] = []
        direction = f"{self.modality} > made > class"
        for dataset in sorted({dataset for dataset, _ in labels}):
            rows = [i for i, (owner, _) in enumerate(labels) if owner == dataset]
            classes = sets[dataset]
            relevant = np.array([[labels[i][1] == label for label in classes.labels] for i in rows])
            made, given = (
                Report(
                    tuple(Task(direction, dataset, v[rows], classes.names, relevant).accuracies())
                )
                for v in (self.made, self.given)
            )
            figures += made.below(given).figures
        return figures + _pooled(figures)


def evaluate_generated(maker: Maker, folder: Path, count: int) -> Report:
    """Judges a generator.

    Args:
        maker: What is judged.
        folder: Shards as for `embedder.evaluate.evaluate`.
        count: Conditions of each kind: photos, captions, names and recordings.
    """
    parts = [part for part in (folder / "train", folder / "val") if part.is_dir()] or [folder]
    items = [item for part in parts for item in read_items(part)]
    pairs = [p for part in parts if (part / PAIRS).is_file() for p in read_sound_image_pairs(part)]
    asking = Asking(maker, [item for item in items if is_held_out(item)], count)
    sets = asking.classes(items)
    rows = (
        asking.photos(sets),
        asking.captions(),
        asking.names(sets),
        asking.recordings({label for label, _ in pairs}),
    )
    return Report(tuple(chain.from_iterable(rows)))


class Asking:
    """Draws conditions from what is held out, and asks what was made of them.

    Args:
        maker: What is judged.
        held: Held-out items of every modality.
        count: Conditions of each kind.
    """

    def __init__(self, maker: Maker, held: Sequence[ShardItem], count: int) -> None:
        self._maker, self._held, self._count = maker, held, count
        self._source = EmbedderVectors(maker.embedder)

    def classes(self, items: Sequence[ShardItem]) -> dict[str, Classes]:
        """Returns the classes of each labelled set of photos, told by the items' labels."""
        labels: dict[str, set[str]] = {}
        for item in items:
            if item.label and item.modality == Modality.IMAGE:
                labels.setdefault(item.dataset, set()).add(item.label)
        return {
            dataset: self._classes(known)
            for dataset, known in sorted(labels.items())
            if len(known) >= LEAST_LABELS
        }

    def photos(self, sets: Mapping[str, Classes]) -> Iterator[Figure]:
        """Yields the figures of photos, about as many of each labelled set."""
        share = self._count // max(1, len(sets))
        drawn = [i for dataset in sets for i in self._drawn(share, lambda i: i.dataset, dataset)]
        if drawn := in_order(drawn):
            asked = Conditions(Modality.IMAGE, self._source.items(drawn), self._maker)
            yield from asked.named([(i.dataset, str(i.label)) for i in drawn], sets)
            yield from asked.found(POOLED, np.eye(len(drawn), dtype=bool))

    def captions(self) -> Iterator[Figure]:
        """Yields the figures of the first captions of photos without a label, by their shards."""
        families = {i.family for i in self._held if i.captions and not i.label}
        for family in sorted(families):
            drawn = self._drawn(
                self._count, lambda i: i.captions and not i.label and i.family, family
            )
            texts = list(dict.fromkeys(item.captions[0] for item in drawn))
            asked = Conditions(Modality.TEXT, self._source.texts(texts), self._maker)
            yield from asked.found(family, np.eye(len(texts), dtype=bool))

    def names(self, sets: Mapping[str, Classes]) -> Iterator[Figure]:
        """Yields the figures of names of classes, about as many of each set."""
        share = self._count // max(1, len(sets))
        labels = [
            (dataset, label)
            for dataset, classes in sets.items()
            for label in sorted(classes.labels, key=bucket)[:share]
        ]
        if labels:
            texts = [IMAGE_TEMPLATES[0].format(label) for _, label in labels]
            asked = Conditions(Modality.TEXT, self._source.texts(texts), self._maker)
            yield from asked.named(labels, sets)

    def recordings(self, shown: Set[str]) -> Iterator[Figure]:
        """Yields the figures of recordings whose labels name what a picture can show."""
        known = [i for i in self._held if i.modality == Modality.AUDIO and i.label in shown]
        drawn = in_order(sorted(known, key=lambda i: bucket(i.key))[: self._count])
        if drawn:
            asked = Conditions(Modality.AUDIO, self._source.items(drawn), self._maker)
            labels = [str(item.label) for item in drawn]
            classes = self._classes(shown)
            yield from asked.named([(SHOWN, label) for label in labels], {SHOWN: classes})
            yield from asked.found(SHOWN, np.array(labels)[:, None] == np.array(labels)[None])

    def _drawn(self, count: int, key: Callable[[ShardItem], object], value: str) -> list[ShardItem]:
        """Returns so many held-out pictures of a key, always the same ones."""
        some = [i for i in self._held if i.modality == Modality.IMAGE and key(i) == value]
        return in_order(sorted(some, key=lambda i: bucket(i.key))[:count])

    def _classes(self, labels: Set[str]) -> Classes:
        known = tuple(sorted(labels))
        return Classes(known, ensemble(self._source, known, IMAGE_TEMPLATES))


def in_order(items: Sequence[ShardItem]) -> list[ShardItem]:
    """Returns items as their shards have them, so that each shard is read once."""
    return sorted(items, key=lambda item: (item.shard, item.row))


def _pooled(figures: Sequence[Figure]) -> list[Figure]:
    """Returns the mean over all conditions of each metric of several sets."""
    pooled = []
    for metric in dict.fromkeys(figure.metric for figure in figures):
        same = [figure for figure in figures if figure.metric == metric]
        weights = [figure.count for figure in same]
        value, chance, ceiling = (
            float(np.average([getattr(figure, name) for figure in same], weights=weights))
            for name in ("value", "chance", "ceiling")
        )
        first = same[0]
        pooled.append(Figure(first.direction, POOLED, metric, value, chance, sum(weights), ceiling))
    return pooled if len(figures) > len(pooled) else []
