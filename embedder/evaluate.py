"""Judges an embedder on the held-out part of a folder of shards, in every direction.

Whatever the shards are, the same rows come out:

* captions against pictures, both ways, for each family of shards that has pictures without a label;
* classes by their names, for each labelled set; all names of a larger list, where one is given;
* words against recordings, and recordings against pictures that share a label, both ways;
* the shape of the space: modality gap, separability, uniformity, alignment.

The split is `shards.is_held_out`; nothing is drawn at random, so the same vectors give the same report.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from embedder.base import Embedder, Vectors, unit
from embedder.decode import decode
from embedder.media import Text
from embedder.metrics import (
    Relevance, alignment, chance_precision, chance_recall, modality_gap, precision_at, ranking, recall_at,
    separability, uniformity,
)  # fmt: skip
from embedder.training.shards import (
    ShardItem, is_held_out, read_items, read_media, read_sound_image_pairs,
)  # fmt: skip

IMAGE_TEMPLATES = ("a photo of a {}", "{}", "a picture of a {}", "a photo of the {}")
SOUND_TEMPLATES = ("the sound of {}", "{}")
LEAST_ITEMS, LEAST_LABELS, LEAST_PER_LABEL = 50, 5, 3
"""A labelled set is judged if its held-out part has so many items, labels, and items a label."""

_BATCH = 64
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a report.

    Attributes:
        direction: What asks and what is found, e.g. `text > image`.
        dataset: What it was measured on.
        metric: E.g. `R@10` or `top-1`.
        value: A share in 0..1, or a distance for the shape of the space.
        chance: What a random order reaches; None where the word makes no sense.
        count: How many queries or rows the number rests on.
    """

    direction: str
    dataset: str
    metric: str
    value: float
    chance: float | None
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one model on one folder, in a fixed order."""

    figures: tuple[Figure, ...]

    def value(self, direction: str, dataset: str, metric: str) -> float:
        """Returns one figure's value.

        Raises:
            KeyError: If the report has no such figure.
        """
        for figure in self.figures:
            if (figure.direction, figure.dataset, figure.metric) == (direction, dataset, metric):
                return figure.value
        raise KeyError(f"no figure {metric} of {direction} on {dataset}")


class VectorSource(Protocol):
    """What is judged: anything that turns texts and shard items into unit vectors of one space."""

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Returns one unit vector a text."""

    def items(self, items: Sequence[ShardItem]) -> Vectors:
        """Returns one unit vector an item."""


class EmbedderVectors:
    """Decodes and embeds with a model, a batch at a time."""

    def __init__(self, embedder: Embedder, progress: Progress | None = None) -> None:
        self._embedder = embedder
        self._progress = progress or (lambda done, total: None)

    def texts(self, texts: Sequence[str]) -> Vectors:
        """Returns one unit vector a text."""
        parts = [[Text(t) for t in texts[i : i + _BATCH]] for i in range(0, len(texts), _BATCH)]
        return np.concatenate([self._embedder.embed(part) for part in parts])

    def items(self, items: Sequence[ShardItem]) -> Vectors:
        """Returns one unit vector an item, and reports progress after each batch."""
        parts: list[Vectors] = []
        stream = read_media(items)
        while part := list(islice(stream, _BATCH)):
            parts.append(self._embedder.embed([decode(media) for media in part]))
            self._progress(min(len(parts) * _BATCH, len(items)), len(items))
        return np.concatenate(parts)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """Held-out items of one modality and their vectors."""

    items: tuple[ShardItem, ...]
    vectors: Vectors

    def where(self, condition: Callable[[ShardItem], bool]) -> "HeldOut":
        """Returns the part whose items meet the condition."""
        rows = [i for i, item in enumerate(self.items) if condition(item)]
        return HeldOut(tuple(self.items[i] for i in rows), self.vectors[rows])


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
        progress: Called with the items done and their number, once a batch, for pictures and then sounds.
    """
    return judge(EmbedderVectors(embedder, progress), folder, names=names)


def judge(source: VectorSource, folder: Path, *, names: Sequence[str] | None = None) -> Report:
    """Judges any source of vectors; see `evaluate`."""
    parts = [part for part in (folder / "train", folder / "val") if part.is_dir()] or [folder]
    items = [item for part in parts for item in read_items(part)]
    images, sounds = (_held_out(source, items, kind) for kind in ("image", "audio"))
    pairs = [pair for part in parts for pair in _pairs(part)]
    figures = [
        *_captions(source, images),
        *_classes(source, images, items, IMAGE_TEMPLATES),
        *_names(source, images, names or ()),
        *_classes(source, sounds, items, SOUND_TEMPLATES),
        *_sound_labels(source, sounds, items),
        *_sound_captions(source, sounds),
        *_sound_pictures(sounds, images, pairs),
        *_shape(source, images, sounds, pairs),
    ]
    return Report(tuple(figures))


def ensemble(source: VectorSource, names: Sequence[str], templates: Sequence[str]) -> Vectors:
    """Returns one unit vector a name: the mean over the templates."""
    texts = [template.format(name) for name in names for template in templates]
    vectors = source.texts(texts).reshape(len(names), len(templates), -1)
    return unit(vectors.mean(axis=1))


def _held_out(source: VectorSource, items: Iterable[ShardItem], modality: str) -> HeldOut:
    chosen = tuple(i for i in items if i.modality == modality and is_held_out(i))
    return HeldOut(chosen, source.items(chosen) if chosen else np.empty((0, 1), np.float32))


def _pairs(folder: Path) -> list[tuple[str, str]]:
    return read_sound_image_pairs(folder) if (folder / "sound_image_pairs.csv").is_file() else []


def _family(item: ShardItem) -> str:
    """Names a group of shards: `photos` for photos-000, photos-001, ..."""
    return re.sub(r"-\d+$", "", item.shard.stem)


def _captions(source: VectorSource, images: HeldOut) -> list[Figure]:
    """Returns R@1/5/10 of captions against pictures, both ways."""
    figures = []
    for family in sorted({_family(item) for item in images.items if item.label is None}):
        part = images.where(lambda item, family=family: _family(item) == family and item.captions)
        texts = list(dict.fromkeys(c for item in part.items for c in item.captions))
        has = [set(item.captions) for item in part.items]
        relevant = np.array([[text in captions for captions in has] for text in texts])
        vectors = source.texts(texts)
        figures += _recalls("text > image", family, (vectors, part.vectors), relevant)
        figures += _recalls("image > text", family, (part.vectors, vectors), relevant.T)
    return figures


def _classes(
    source: VectorSource, held: HeldOut, items: Sequence[ShardItem], templates: Sequence[str]
) -> list[Figure]:
    """Returns top-1 and top-5 of each labelled set over all labels of that set."""
    figures = []
    for dataset in sorted({item.dataset for item in held.items}):
        part = held.where(lambda item, dataset=dataset: item.dataset == dataset and item.label)
        labels = sorted({i.label for i in items if i.dataset == dataset and i.label})
        if not _is_judged(len(part.items), len(labels)):
            continue
        relevant = np.array([[item.label == label for label in labels] for item in part.items])
        pair = (part.vectors, ensemble(source, labels, templates))
        direction = f"{part.items[0].modality} > class"
        figures += _recalls(direction, dataset, pair, relevant, top=(1, 5), metric="top-{}")
    return figures


def _is_judged(items: int, labels: int) -> bool:
    enough = items >= LEAST_ITEMS and labels >= LEAST_LABELS
    return enough and items / labels * 10 >= LEAST_PER_LABEL


def _names(source: VectorSource, images: HeldOut, names: Sequence[str]) -> list[Figure]:
    """Returns top-1 and top-5 over a long list of names, for sets whose labels are all in it."""
    if not names:
        return []
    known = [{part.strip().lower() for part in name.split(",")} for name in names]
    everything = set().union(*known)
    figures = []
    for dataset in sorted({item.dataset for item in images.items if item.label}):
        part = images.where(lambda item, dataset=dataset: item.dataset == dataset and item.label)
        covered = part.where(lambda item: str(item.label).lower() in everything)
        if len(covered.items) < max(LEAST_ITEMS, 0.9 * len(part.items)):
            continue
        labels = [str(item.label).lower() for item in covered.items]
        relevant = np.array([[label in name for name in known] for label in labels])
        vectors = ensemble(source, [name.split(",")[0] for name in names], IMAGE_TEMPLATES)
        direction = f"image > {len(names)} names"
        figures += _recalls(
            direction, dataset, (covered.vectors, vectors), relevant, top=(1, 5), metric="top-{}"
        )
    return figures


def _sound_labels(
    source: VectorSource, sounds: HeldOut, items: Sequence[ShardItem]
) -> list[Figure]:
    """Returns how often "the sound of {label}" has one right in its ten nearest clips.

    Labels that no training clip bears are unheard: only their words can find them.
    """
    heard = {i.label for i in items if i.modality == "audio" and not is_held_out(i)}
    figures = []
    for family in sorted({_family(item) for item in sounds.items}):
        part = sounds.where(lambda item, family=family: _family(item) == family and item.label)
        labels = sorted({str(item.label) for item in part.items})
        for kind, chosen in (
            ("heard", [label for label in labels if label in heard]),
            ("unheard", [label for label in labels if label not in heard]),
        ):
            if len(part.items) < LEAST_ITEMS or not chosen:
                continue
            texts = source.texts([f"the sound of {label}" for label in chosen])
            relevant = np.array([[item.label == label for item in part.items] for label in chosen])
            pair = (texts, part.vectors)
            figures += _recalls("text > sound", f"{family}, {kind}", pair, relevant, top=(10,))
    return figures


def _sound_captions(source: VectorSource, sounds: HeldOut) -> list[Figure]:
    """Returns R@1/5/10 of captions against all held-out clips; a clip of the same caption is right."""
    part = sounds.where(lambda item: bool(item.captions))
    if not part.items:
        return []
    texts = list(dict.fromkeys(c for item in part.items for c in item.captions))
    has = [set(item.captions) for item in part.items]
    relevant = np.array([[text in captions for captions in has] for text in texts])
    return _recalls("text > audio", "all", (source.texts(texts), part.vectors), relevant)


def _paired(
    sounds: HeldOut, images: HeldOut, pairs: Sequence[tuple[str, str]]
) -> tuple[HeldOut, HeldOut, Relevance]:
    """Returns the held-out clips and pictures that a pairing joins, and which belong together."""
    held = {item.key: item.dataset for item in images.items}
    by_label: dict[str, set[str]] = {}
    for label, key in pairs:
        if key in held and not held[key].startswith("emoji"):
            by_label.setdefault(label, set()).add(key)
    keys = set().union(*by_label.values()) if by_label else set()
    clips = sounds.where(lambda item: item.label in by_label and item.fold is not None)
    photos = images.where(lambda item: item.key in keys)
    relevant = np.array(
        [[p.key in by_label[str(c.label)] for p in photos.items] for c in clips.items], dtype=bool
    )
    return clips, photos, relevant


def _sound_pictures(
    sounds: HeldOut, images: HeldOut, pairs: Sequence[tuple[str, str]]
) -> list[Figure]:
    """Returns R@k and precision@10 between clips and the real photos of what they are of."""
    clips, photos, relevant = _paired(sounds, images, pairs)
    if not clips.items or not photos.items:
        return []
    figures = []
    for direction, pair, right in (
        ("audio > image", (clips.vectors, photos.vectors), relevant),
        ("image > audio", (photos.vectors, clips.vectors), relevant.T),
    ):
        asked = right.any(axis=1)
        pair, right = (pair[0][asked], pair[1]), right[asked]
        figures += _recalls(direction, "pairs", pair, right)
        value = precision_at(ranking(*pair, depth=10), right, 10)
        chance, count = chance_precision(right), len(right)
        figures.append(Figure(direction, "pairs", "precision@10", value, chance, count))
    return figures


def _shape(
    source: VectorSource, images: HeldOut, sounds: HeldOut, pairs: Sequence[tuple[str, str]]
) -> list[Figure]:
    """Returns gap, separability and alignment of paired modalities, and each one's uniformity."""
    figures = []
    for name, held in (("image", images), ("audio", sounds)):
        part = held.where(lambda item: bool(item.captions))
        if len(part.items) < LEAST_ITEMS:
            continue
        texts = source.texts([item.captions[0] for item in part.items])
        figures += _pair_shape("text - " + name, texts, part.vectors)
        figures.append(_uniformity(name, part.vectors))
        if name == "image":
            figures.append(_uniformity("text", texts))
    clips, photos, relevant = _paired(sounds, images, pairs)
    if len(clips.items) >= LEAST_ITEMS:
        partners = photos.vectors[relevant.argmax(axis=1)]
        figures += _pair_shape("audio - image", clips.vectors, partners)
    return figures


def _pair_shape(direction: str, first: Vectors, second: Vectors) -> list[Figure]:
    values = {
        "modality gap": (modality_gap(first, second), None),
        "separability": (separability(first, second), 0.5),
        "alignment": (alignment(first, second), None),
    }
    return [
        Figure(direction, "held out", metric, value, chance, len(first))
        for metric, (value, chance) in values.items()
    ]


def _uniformity(modality: str, vectors: Vectors) -> Figure:
    return Figure(modality, "held out", "uniformity", uniformity(vectors), None, len(vectors))


def _recalls(
    direction: str,
    dataset: str,
    pair: tuple[Vectors, Vectors],
    relevant: NDArray[np.bool_],
    *,
    top: Sequence[int] = (1, 5, 10),
    metric: str = "R@{}",
) -> list[Figure]:
    """Returns the recall of queries (first of the pair) in a gallery (second) at several depths."""
    ranked = ranking(*pair, depth=max(top))
    return [
        Figure(
            direction, dataset, metric.format(k), recall_at(ranked, relevant, k),
            chance_recall(relevant, k), len(relevant),
        )
        for k in top
    ]  # fmt: skip
