"""Where the vectors come from: a model that embeds, or anything else that has them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np

from embedder.base import Embedder, Vectors, unit
from embedder.decode import decode
from embedder.evaluate.metrics import Relevance
from embedder.media import Text
from embedder.training.shards import ShardItem, read_media

_BATCH = 64
Progress = Callable[[int, int], object]


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

    def of_family(self, family: str) -> "HeldOut":
        """Returns the items of one family of shards."""
        return self.where(lambda item: item.family == family)

    def labelled(self, dataset: str | None = None) -> "HeldOut":
        """Returns the items that bear a label, of one set or of all."""
        return self.where(lambda item: bool(item.label) and dataset in (None, item.dataset))

    def captioned(self) -> "HeldOut":
        """Returns the items that have captions."""
        return self.where(lambda item: bool(item.captions))

    def captions(self) -> list[str]:
        """Returns every caption once, in the items' order."""
        return list(dict.fromkeys(caption for item in self.items for caption in item.captions))

    def bears(self, texts: Sequence[str]) -> Relevance:
        """Tells which items bear which captions, (texts, items)."""
        has = [set(item.captions) for item in self.items]
        return np.array([[text in captions for captions in has] for text in texts], dtype=bool)


def ensemble(source: VectorSource, names: Sequence[str], templates: Sequence[str]) -> Vectors:
    """Returns one unit vector a name: the mean over the templates."""
    texts = [template.format(name) for name in names for template in templates]
    vectors = source.texts(texts).reshape(len(names), len(templates), -1)
    return unit(vectors.mean(axis=1))
