"""How far the cosines of unrelated pairs are from where the model says that they lie.

Calibrated ranking takes a cosine's z, (cosine - mean) / std, by the background that ships with the
model, and z to be standard normal for unrelated pairs. Both are claims about data that the model
has not met, so both are measured on what was held out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from embedder.base import Background, Vectors
from embedder.evaluate.metrics import calibration_error
from embedder.evaluate.report import Figure
from embedder.evaluate.source import HeldOut, VectorSource
from embedder.media import Modality

Backgrounds = Mapping[tuple[Modality, Modality], Background]

MOST = 800
"""Items of a modality, and texts about each, that are compared with one another."""

_FAR = 3.0
_KINDS = (Modality.IMAGE, Modality.AUDIO)
_WHERE = "held out, unrelated"


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Vectors of one modality, and by what names their items go.

    Attributes:
        vectors: (n, dim).
        names: Of each item; items that share one are related.
    """

    vectors: Vectors
    names: Sequence[frozenset[str]]

    def unrelated(self, other: "Sample") -> NDArray[np.bool_]:
        """Tells which pairs share no name, (n, m)."""
        columns = {name: i for i, name in enumerate(frozenset().union(*self.names, *other.names))}
        mine, theirs = _marks(self.names, columns), _marks(other.names, columns)
        return np.asarray(mine @ theirs.T == 0)


def calibration(
    source: VectorSource, backgrounds: Backgrounds, images: HeldOut, sounds: HeldOut,
    pairs: Sequence[tuple[str, str]],
) -> Iterator[Figure]:  # fmt: skip
    """Yields what unrelated pairs score, and how often a mixed list begins with the right kind.

    Args:
        source: Embeds texts.
        backgrounds: What the model says of unrelated pairs; without any there is nothing to judge.
        images: The pictures.
        sounds: The recordings.
        pairs: (sound label, image key): what goes together.
    """
    parts = [_some(images.captioned()), _some(sounds.captioned())]
    if not all((Modality.TEXT, kind) in backgrounds for kind in _KINDS):
        return
    if not all(part.items for part in parts):
        return
    about = [source.texts([item.captions[0] for item in part.items]) for part in parts]
    names = [_names(part, pairs) for part in parts]
    shown, heard = (Sample(p.vectors, n) for p, n in zip(parts, names, strict=True))
    samples = {
        Modality.TEXT: Sample(np.concatenate(about), [*names[0], *names[1]]),
        Modality.IMAGE: shown,
        Modality.AUDIO: heard,
    }
    for pair in filter(backgrounds.__contains__, combinations_with_replacement(samples, 2)):
        yield from _spread(f"{pair[0]} > {pair[1]}", backgrounds[pair], *(samples[m] for m in pair))
    for texts, kind in zip(about, _KINDS, strict=True):
        yield from _mixed(texts, kind, {m: samples[m].vectors for m in _KINDS}, backgrounds)


def _spread(
    direction: str, background: Background, queries: Sample, items: Sample
) -> Iterator[Figure]:
    """Yields how unrelated pairs of two modalities lie, in z."""
    cosines = (queries.vectors @ items.vectors.T)[queries.unrelated(items)]
    if not cosines.size:
        return
    z = (cosines - background.mean) / background.std
    expected = 1.0 - NormalDist().cdf(_FAR)
    for metric, value, chance in (
        ("mean of z", float(z.mean()), 0.0),
        ("deviation of z", float(z.std()), 1.0),
        ("calibration error", calibration_error(z), 0.0),
        (f"share above z = {_FAR:.0f}", float((z > _FAR).mean()), expected),
    ):
        yield Figure(direction, _WHERE, metric, value, chance, len(z))


def _mixed(
    texts: Vectors, kind: Modality, items: Mapping[Modality, Vectors], backgrounds: Backgrounds
) -> Iterator[Figure]:
    """Yields how often the first of pictures and recordings in one list is of the texts' kind."""
    cosines = {modality: texts @ vectors.T for modality, vectors in items.items()}
    ordinary = {modality: scores.max(axis=1) for modality, scores in cosines.items()}
    standard = {}
    for modality, best in ordinary.items():
        background = backgrounds[Modality.TEXT, modality]
        standard[modality] = (best - background.mean) / background.std
    chance = len(items[kind]) / sum(map(len, items.values()))
    (other,) = (modality for modality in items if modality is not kind)
    for metric, best in (("right kind first, calibrated", standard), ("by cosine", ordinary)):
        share = float((best[kind] > best[other]).mean())
        yield Figure(
            "text > image and audio", f"words about {kind}", metric, share, chance, len(texts)
        )


def _some(held_out: HeldOut) -> HeldOut:
    """Returns at most `MOST` items, evenly spread."""
    count = len(held_out.items)
    rows = np.unique(np.linspace(0, count - 1, min(count, MOST)).round().astype(int))
    return HeldOut(tuple(held_out.items[i] for i in rows), held_out.vectors[rows])


def _names(part: HeldOut, pairs: Sequence[tuple[str, str]]) -> list[frozenset[str]]:
    """Returns each item's key, label, captions and, of a picture, the sounds it goes with."""
    sounds: dict[str, set[str]] = {}
    for label, key in pairs:
        sounds.setdefault(key, set()).add(label)
    return [
        frozenset(
            {item.key, *item.captions, *sounds.get(item.key, ()), *filter(None, [item.label])}
        )
        for item in part.items
    ]


def _marks(names: Sequence[frozenset[str]], columns: Mapping[str, int]) -> NDArray[np.float32]:
    marks = np.zeros((len(names), len(columns)), dtype=np.float32)
    for row, own in enumerate(names):
        marks[row, [columns[name] for name in own]] = 1.0
    return marks
