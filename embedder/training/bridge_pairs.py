"""What goes with which picture, in the vectors of a finished model: the lessons of the bridges."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from embedder.base import Embedder, Vectors
from embedder.decode import decode
from embedder.media import Media, Modality, Text
from embedder.training.prior import Pairs
from embedder.training.prior_recipe import PriorRecipe
from embedder.training.shards import ShardItem, is_held_out, read_media
from embedder.training.targets import save_arrays

_BATCH = 64
Rows = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """Training items and their texts, and a model's vectors of them.

    Attributes:
        items: Pictures and sounds.
        vectors: One an item, (items, dim).
        texts: Each caption once, with its row in `text_vectors`.
        text_vectors: One a text, (texts, dim).
    """

    items: Sequence[ShardItem]
    vectors: Vectors
    texts: Mapping[str, int]
    text_vectors: Vectors

    def rows(self, modality: Modality) -> list[int]:
        """Returns the rows of the items of one modality."""
        return [row for row, item in enumerate(self.items) if item.modality == modality]


def embed_training(embedder: Embedder, items: Sequence[ShardItem], cache: Path) -> Embedded:
    """Embeds what is not held out, and keeps the vectors.

    Args:
        embedder: The finished model.
        items: Every item of every shard.
        cache: Where the vectors are kept; those of another space or of other items are made anew.
    """
    known = [item for item in items if not is_held_out(item)]
    captions = dict.fromkeys(chain.from_iterable(item.captions for item in known))
    texts = {caption: row for row, caption in enumerate(captions)}
    made_of = np.array([embedder.space.id, *(item.key for item in known)])
    if not _is_of(cache, made_of):
        said = _embedded(embedder, map(Text, texts))
        shown = _embedded(embedder, (decode(media) for media in read_media(known)))
        save_arrays(cache, {"made_of": made_of, "texts": said, "items": shown})
    with np.load(cache) as kept:
        return Embedded(known, kept["items"], texts, kept["texts"])


def bridge_pairs(
    embedded: Embedded, labels: Sequence[tuple[str, str]], recipe: PriorRecipe
) -> dict[Modality, Pairs]:
    """Returns what goes with which picture, as many pairs of each modality as the recipe says.

    Args:
        embedded: The training items.
        labels: (sound label, image key): what goes together.
        recipe: The numbers.
    """
    random = np.random.default_rng(recipe.seed)
    told, told_of = _told(embedded, recipe, random)
    heard, heard_of = _heard(embedded, labels, recipe, random)
    pairs = {Modality.TEXT: Pairs(embedded.text_vectors[told], embedded.vectors[told_of])}
    if len(heard):
        pairs[Modality.AUDIO] = Pairs(embedded.vectors[heard], embedded.vectors[heard_of])
    return pairs


def _told(
    embedded: Embedded, recipe: PriorRecipe, random: np.random.Generator
) -> tuple[Rows, Rows]:
    """Returns rows of texts and of the pictures that they are captions of."""
    shares, by_set = dict(recipe.shares), dict[str, list[int]]()
    for row in embedded.rows(Modality.IMAGE):
        item = embedded.items[row]
        if item.captions:
            by_set.setdefault(item.dataset if item.dataset in shares else "", []).append(row)
    counts = {name: round(shares.get(name, recipe.rest) * recipe.pairs) for name in by_set}
    chosen = np.concatenate([random.choice(by_set[name], size=n) for name, n in counts.items()])
    captions = [embedded.items[row].captions for row in chosen]
    texts = [embedded.texts[some[random.integers(len(some))]] for some in captions]
    return np.array(texts), chosen


def _heard(
    embedded: Embedded,
    labels: Sequence[tuple[str, str]],
    recipe: PriorRecipe,
    random: np.random.Generator,
) -> tuple[Rows, Rows]:
    """Returns rows of sounds and of the pictures that share their label."""
    row_of = {embedded.items[row].key: row for row in embedded.rows(Modality.IMAGE)}
    shown: dict[str, list[int]] = {}
    for label, key in labels:
        if key in row_of:
            shown.setdefault(label, []).append(row_of[key])
    clips = [row for row in embedded.rows(Modality.AUDIO) if embedded.items[row].label in shown]
    if not clips:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    chosen = random.choice(clips, size=recipe.pairs)
    choices = [shown[str(embedded.items[row].label)] for row in chosen]
    return chosen, np.array([some[random.integers(len(some))] for some in choices])


def _embedded(embedder: Embedder, media: Iterable[Media]) -> Vectors:
    """Returns one vector an item, a batch at a time."""
    return np.concatenate([embedder.embed(part) for part in _batches(media)])


def _batches(media: Iterable[Media]) -> Iterator[list[Media]]:
    stream = iter(media)
    while part := list(islice(stream, _BATCH)):
        yield part


def _is_of(cache: Path, made_of: NDArray[np.str_]) -> bool:
    """Tells whether vectors are kept, and of the same model and items."""
    if not cache.exists():
        return False
    with np.load(cache) as kept:
        return np.array_equal(kept["made_of"], made_of)
