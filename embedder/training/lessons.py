"""What the joint space is taught: items, their teachers' features, and texts that describe them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from embedder.training.recipe import SpaceRecipe
from embedder.training.shards import ShardItem
from embedder.training.texts import PHOTO_TEMPLATES, SOUND_TEMPLATES

MOST_TEXTS = 48


class Sentences:
    """The text teacher's vectors, found by text."""

    def __init__(self, texts: Sequence[str], vectors: NDArray[np.float16]) -> None:
        self.rows: Mapping[str, int] = {text: row for row, text in enumerate(texts)}
        self.vectors = torch.from_numpy(vectors)

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Returns float32 vectors (n, 384)."""
        return self.vectors[[self.rows[text] for text in texts]].float()

    def ensemble(self, names: Sequence[str], templates: Sequence[str]) -> Tensor:
        """Returns each name's unit mean over the templates, (n, 384)."""
        texts = [template.format(name) for name in names for template in templates]
        means = self(texts).view(len(names), len(templates), -1).mean(dim=1)
        return functional.normalize(means, dim=1)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one step sees of n items.

    Attributes:
        chosen: Their rows, (n,).
        features: Their teachers' raw features, float32 (n, features).
        described: A sentence vector for each, (n, 384).
        negatives: Which pairs may be told apart, (n, n).
        answers: Their labels' rows, -1 where they have none, (n,).
    """

    chosen: Tensor
    features: Tensor
    described: Tensor
    negatives: Tensor
    answers: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Items with their teachers' features, the texts that describe them, and their odds.

    Attributes:
        views: Raw features of n items, one float16 tensor (n, features) a view.
        sentences: The text teacher's vectors.
        texts: Rows of the sentences that describe each item, (n, MOST_TEXTS), repeated to fill.
        groups: Items of one group are never each other's negatives, (n,).
        odds: Chance of each item to be drawn, (n,), sums to one.
        labels: Sentence vectors of all labels, (labels, 384).
        answers: Each item's row in `labels`, -1 where it has no label, (n,).
        rivals: Which labels compete with an item's own, (labels, labels).
        mixed: Share of items that are described by the mean of two of their texts.
        kin: Items whose descriptions have at least this cosine are not each other's negatives.
    """

    views: tuple[Tensor, ...]
    sentences: Sentences
    texts: Tensor
    groups: Tensor
    odds: NDArray[np.float64]
    labels: Tensor
    answers: Tensor
    rivals: Tensor
    mixed: float
    kin: float

    def batch(self, random: np.random.Generator, count: int) -> Batch:
        """Draws items, one view of them all, and a description of each."""
        chosen = torch.from_numpy(random.choice(len(self.odds), count, p=self.odds))
        view = self.views[random.integers(len(self.views))]
        described = self._described(chosen, random)
        groups = self.groups[chosen]
        related = (groups[:, None] == groups) | (described @ described.T >= self.kin)
        return Batch(chosen, view[chosen].float(), described, ~related, self.answers[chosen])

    def _described(self, chosen: Tensor, random: np.random.Generator) -> Tensor:
        """Returns a sentence vector for each item: one of its texts, or the mean of two."""
        columns = torch.from_numpy(random.integers(MOST_TEXTS, size=(len(chosen), 2)))
        rows = self.texts[chosen].gather(1, columns)
        first, second = (self.sentences.vectors[rows[:, i]].float() for i in (0, 1))
        both = torch.from_numpy(random.random((len(chosen), 1)) < self.mixed)
        return functional.normalize(torch.where(both, first + second, first), dim=1)


def picture_lessons(
    items: Sequence[ShardItem], views: Sequence[Tensor], sentences: Sentences, recipe: SpaceRecipe
) -> Lessons:
    """Returns the lessons of pictures; a label competes with the labels of its own set."""
    names = sorted({(item.dataset, item.label) for item in items if item.label})
    rows = {name: row for row, name in enumerate(names)}
    sets = np.array([dataset for dataset, _ in names])
    return Lessons(
        views=tuple(views),
        sentences=sentences,
        texts=_texts(items, sentences, PHOTO_TEMPLATES),
        groups=_groups(items),
        odds=_odds(items, recipe.shares, recipe.rest),
        labels=sentences.ensemble([label for _, label in names], PHOTO_TEMPLATES[:4]),
        answers=torch.tensor([rows.get((i.dataset, i.label or ""), -1) for i in items]),
        rivals=torch.from_numpy(sets[:, None] == sets),
        mixed=recipe.mixed,
        kin=recipe.kin,
    )


def sound_lessons(
    items: Sequence[ShardItem], features: Tensor, sentences: Sentences, recipe: SpaceRecipe
) -> Lessons:
    """Returns the lessons of clips; a label competes with all that do not mean nearly the same."""
    names = sorted({item.label for item in items if item.label})
    rows = {name: row for row, name in enumerate(names)}
    labels = sentences.ensemble(names, SOUND_TEMPLATES[:4])
    unlike = labels @ labels.T < recipe.sound_kin
    return Lessons(
        views=(features,),
        sentences=sentences,
        texts=_texts(items, sentences, SOUND_TEMPLATES),
        groups=_groups(items),
        odds=_odds(items, recipe.sound_shares, recipe.sound_rest),
        labels=labels,
        answers=torch.tensor([rows.get(item.label or "", -1) for item in items]),
        rivals=unlike | torch.eye(len(names), dtype=torch.bool),
        mixed=recipe.mixed,
        kin=recipe.sound_kin,
    )


def _texts(items: Sequence[ShardItem], sentences: Sentences, templates: Sequence[str]) -> Tensor:
    return torch.from_numpy(np.stack([_text_rows(i, sentences, templates) for i in items]))


def _groups(items: Sequence[ShardItem]) -> Tensor:
    """Numbers the labels; an item without one is a group of its own."""
    labels = {label: i for i, label in enumerate(sorted({i.label for i in items if i.label}))}
    return torch.tensor([labels.get(i.label or "", len(labels) + r) for r, i in enumerate(items)])


def _text_rows(
    item: ShardItem, sentences: Sentences, templates: Sequence[str]
) -> NDArray[np.int64]:
    names = [name for name in (item.label, *item.synonyms) if name]
    texts = [*item.captions, *(t.format(name) for name in names for t in templates)]
    rows = [sentences.rows[text.strip()] for text in texts]
    return np.resize(np.array(rows), MOST_TEXTS)


def _odds(
    items: Sequence[ShardItem], shares: Sequence[tuple[str, float]], rest: float
) -> NDArray[np.float64]:
    named = dict(shares)
    sets = np.array([item.dataset if item.dataset in named else "" for item in items])
    odds = np.zeros(len(items))
    for name, share in [*named.items(), ("", rest)]:
        odds[sets == name] = share / max(1, (sets == name).sum())
    return np.asarray(odds / odds.sum())
