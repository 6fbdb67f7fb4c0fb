"""Trains the teachers' joint space: image and text are aligned, then frozen, and sound is bound to them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.training.recipe import SpaceRecipe
from embedder.training.shards import ShardItem
from embedder.training.space import TeacherSpace
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
class Lessons:
    """Items with their teachers' features, the texts that describe them, and how often each is drawn.

    Attributes:
        views: Raw features of n items, one float16 tensor (n, features) a view.
        texts: Rows of the sentences that describe each item, (n, MOST_TEXTS), filled by repetition.
        groups: Items of one group are never each other's negatives, (n,).
        odds: Chance of each item to be drawn, (n,), sums to one.
        labels: Sentence vectors of all (set, label) pairs, (labels, 384).
        answers: Each item's row in `labels`, -1 where it has no label, (n,).
        rivals: Which labels compete with an item's own, (labels, labels).
    """

    views: tuple[Tensor, ...]
    texts: Tensor
    groups: Tensor
    odds: NDArray[np.float64]
    labels: Tensor
    answers: Tensor
    rivals: Tensor

    def draw(self, random: np.random.Generator, count: int) -> tuple[Tensor, Tensor]:
        """Returns item indices (count,) and, of one random view, their features."""
        chosen = torch.from_numpy(random.choice(len(self.odds), count, p=self.odds))
        view = self.views[random.integers(len(self.views))]
        return chosen, view[chosen].float()


def make_lessons(
    items: Sequence[ShardItem], views: Sequence[Tensor], sentences: Sentences, recipe: SpaceRecipe
) -> Lessons:
    """Returns the lessons of items of one modality and their features, in the items' order."""
    image = items[0].modality == "image"
    templates = PHOTO_TEMPLATES if image else SOUND_TEMPLATES
    labels = {label: i for i, label in enumerate(sorted({i.label for i in items if i.label}))}
    named = sorted({(i.dataset if image else "", i.label) for i in items if i.label})
    answers = {name: row for row, name in enumerate(named)}
    vectors = sentences.ensemble([label for _, label in named], templates[:4])
    sets = np.array([name for name, _ in named])
    rivals = torch.from_numpy(sets[:, None] == sets[None])
    if not image:
        rivals &= vectors @ vectors.T < recipe.sound_kin
    return Lessons(
        views=tuple(views),
        texts=torch.from_numpy(np.stack([_text_rows(i, sentences, templates) for i in items])),
        groups=torch.tensor([labels.get(i.label or "", len(labels) + r) for r, i in enumerate(items)]),
        odds=_odds(items, recipe.shares if image else recipe.sound_shares, recipe.rest),
        labels=vectors,
        answers=torch.tensor([answers.get((i.dataset if image else "", i.label), -1) for i in items]),
        rivals=rivals | torch.eye(len(named), dtype=torch.bool),
    )


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
    return odds / odds.sum()


def train_image_text(
    space: TeacherSpace, lessons: Lessons, sentences: Sentences, names: Tensor, recipe: SpaceRecipe
) -> None:
    """Aligns image head and text map in place.

    Args:
        space: Its image head and text map are trained.
        lessons: Of pictures.
        sentences: The text teacher's vectors.
        names: The text teacher's vectors of the image teacher's class names, (1000, 384).
        recipe: The numbers.
    """
    random = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    space.image_head.fit(lessons.views[0].float())

    def loss() -> Tensor:
        chosen, features = lessons.draw(random, recipe.batch)
        described = _described(chosen, lessons, sentences, random, recipe.mixed)
        images, texts = space.image_head(features), space.text_map(described)
        negatives = _unrelated(lessons.groups[chosen], described, recipe.kin)
        named = images @ space.text_map(names).T * space.name_scale.exp()
        probabilities = features[:, -1000:].softmax(dim=1)
        return (
            contrastive(images, texts, negatives, space.logit_scale.exp())
            + recipe.name_weight * functional.cross_entropy(named, probabilities)
            + recipe.label_weight * _labelled(space, images, chosen, lessons)
        )

    heads = [space.image_head, space.text_map]
    _descend(loss, space, heads, recipe.steps, recipe)


def train_sound(
    space: TeacherSpace,
    lessons: Lessons,
    sentences: Sentences,
    names: tuple[Tensor, Tensor],
    pictures: Tensor,
    recipe: SpaceRecipe,
) -> None:
    """Binds the audio head to the frozen image head and text map, in place.

    Args:
        space: Its audio head is trained.
        lessons: Of clips.
        sentences: The text teacher's vectors.
        names: The text teacher's vectors of the sound teacher's class names, (521, 384), and the sound
            teacher's mean scores of each clip, (n, 521).
        pictures: Image vectors of the space that go with each clip, (n, partners, 384); zeros where none.
        recipe: The numbers.
    """
    random = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    space.audio_head.fit(lessons.views[0].float())
    with torch.no_grad():
        named = space.text_map(names[0])
    scale = space.logit_scale.exp().detach()

    def loss() -> Tensor:
        chosen, features = lessons.draw(random, recipe.batch)
        described = _described(chosen, lessons, sentences, random, recipe.mixed)
        sounds, texts = space.audio_head(features), space.text_map(described)
        negatives = _unrelated(lessons.groups[chosen], described, recipe.sound_kin)
        scores = names[1][chosen]
        probabilities = scores / scores.sum(dim=1, keepdim=True)
        partner = pictures[chosen, int(random.integers(pictures.shape[1]))]
        seen = partner.any(dim=1)
        return (
            contrastive(sounds, texts, negatives, scale)
            + recipe.sound_name_weight * functional.cross_entropy(sounds @ named.T * scale, probabilities)
            + recipe.sound_label_weight * _labelled(space, sounds, chosen, lessons)
            + recipe.picture_weight
            * contrastive(sounds[seen], partner[seen], negatives[seen][:, seen], scale)
        )

    _descend(loss, space, [space.audio_head], recipe.sound_steps, recipe)


def _descend(
    loss: Callable[[], Tensor],
    space: TeacherSpace,
    heads: Sequence[nn.Module],
    steps: int,
    recipe: SpaceRecipe,
) -> None:
    """Trains the heads, and the scales with the text map; the rest of the space stands still."""
    space.eval().requires_grad_(False)
    for head in heads:
        head.train().requires_grad_(True)
    groups = [{"params": [*head.parameters()], "lr": recipe.learning_rate} for head in heads]
    if space.text_map in heads:
        groups[heads.index(space.text_map)] |= {"lr": recipe.map_rate, "weight_decay": 0.0}
        scales = [space.logit_scale.requires_grad_(), space.name_scale.requires_grad_()]
        groups.append({"params": scales, "lr": recipe.learning_rate, "weight_decay": 0.0})
    optimiser = torch.optim.AdamW(groups, weight_decay=recipe.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        optimiser.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    space.eval().requires_grad_(False)


def contrastive(first: Tensor, second: Tensor, negatives: Tensor, scale: Tensor) -> Tensor:
    """Returns the symmetric contrastive loss of paired rows; only `negatives` (n, n) compete."""
    allowed = negatives | torch.eye(len(first), dtype=torch.bool)
    logits = (scale * first @ second.T).masked_fill(~allowed, -torch.inf)
    right = torch.arange(len(first))
    return (functional.cross_entropy(logits, right) + functional.cross_entropy(logits.T, right)) / 2


def _labelled(space: TeacherSpace, vectors: Tensor, chosen: Tensor, lessons: Lessons) -> Tensor:
    """Returns the cross-entropy of naming each labelled item among the rivals of its label."""
    answers = lessons.answers[chosen]
    known = answers >= 0
    answers = answers[known]
    logits = vectors[known] @ space.text_map(lessons.labels).T * space.logit_scale.exp()
    return functional.cross_entropy(
        logits.masked_fill(~lessons.rivals[answers], -torch.inf), answers
    )


def _unrelated(groups: Tensor, described: Tensor, kin: float) -> Tensor:
    """Tells which pairs of a batch may be each other's negatives, (n, n)."""
    same = groups[:, None] == groups[None]
    return ~(same | (described @ described.T >= kin))


def _described(
    chosen: Tensor, lessons: Lessons, sentences: Sentences, random: np.random.Generator, mixed: float
) -> Tensor:
    """Returns a sentence vector for each item: one of its texts, or the mean of two."""
    columns = torch.from_numpy(random.integers(MOST_TEXTS, size=(len(chosen), 2)))
    rows = lessons.texts[chosen].gather(1, columns)
    first, second = (sentences.vectors[rows[:, i]].float() for i in (0, 1))
    both = torch.from_numpy(random.random((len(chosen), 1)) < mixed)
    return functional.normalize(torch.where(both, first + second, first), dim=1)
