"""How the modalities lie in the space: apart or mingled, even or bunched."""

from collections.abc import Iterator, Sequence

from embedder.base import Vectors
from embedder.evaluate.metrics import alignment, modality_gap, separability, uniformity
from embedder.evaluate.pictures import LEAST_ITEMS
from embedder.evaluate.report import Figure
from embedder.evaluate.sounds import paired
from embedder.evaluate.source import HeldOut, VectorSource

_WHERE = "held out"


def shape(
    source: VectorSource, images: HeldOut, sounds: HeldOut, pairs: Sequence[tuple[str, str]]
) -> Iterator[Figure]:
    """Yields gap, separability and alignment of paired modalities, and each one's uniformity."""
    for name, held_out in (("image", images), ("audio", sounds)):
        part = held_out.captioned()
        if len(part.items) < LEAST_ITEMS:
            continue
        texts = source.texts([item.captions[0] for item in part.items])
        yield from _pair(f"text - {name}", texts, part.vectors)
        yield _even(name, part.vectors)
        yield _even(f"text of {name}", texts)
    clips, photos, relevant = paired(sounds, images, pairs)
    if len(clips.items) >= LEAST_ITEMS:
        partners = photos.vectors[relevant.argmax(axis=1)]
        yield from _pair("audio - image", clips.vectors, partners)


def _pair(direction: str, first: Vectors, second: Vectors) -> Iterator[Figure]:
    count = len(first)
    yield Figure(direction, _WHERE, "modality gap", modality_gap(first, second), None, count)
    yield Figure(direction, _WHERE, "separability", separability(first, second), 0.5, count)
    yield Figure(direction, _WHERE, "alignment", alignment(first, second), None, count)


def _even(modality: str, vectors: Vectors) -> Figure:
    return Figure(modality, _WHERE, "uniformity", uniformity(vectors), None, len(vectors))
