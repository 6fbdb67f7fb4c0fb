"""Binds sounds to a frozen space of texts and pictures, as ImageBind does (arXiv:2305.05665).

Only the head of the audio tower is trained, on features of a body that has learnt to hear. Its
vectors are drawn to the texts of their labels, to the texts of the sound teacher's classes as that
teacher scores them, and to pictures of what makes the sound.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from embedder.training.audio_recipe import BindRecipe
from embedder.training.shards import ShardItem


@dataclass(frozen=True, eq=False)
class Anchors:
    """What is frozen: unit vectors of the shared space that sounds are bound to.

    Attributes:
        phrases: Each label in several phrasings, (labels, phrasings, dim).
        kin: Labels that mean nearly the same, or are the same, (labels, labels).
        rivals: Labels that exclude each other, since one data set has both, (labels, labels).
        names: The sound teacher's class names, (521, dim).
        pictures: (pictures, dim).
        shows: Which pictures show what makes the sound of a label, (labels, pictures).
    """

    phrases: Tensor
    kin: Tensor
    rivals: Tensor
    names: Tensor
    pictures: Tensor
    shows: Tensor

    @cached_property
    def labels(self) -> Tensor:
        """Unit means of each label's phrasings, (labels, dim)."""
        return functional.normalize(self.phrases.mean(dim=1), dim=1)

    @cached_property
    def partners(self) -> list[NDArray[np.int64]]:
        """Which pictures show what makes the sound of each label."""
        return [row.nonzero()[:, 0].numpy() for row in self.shows]


@dataclass(frozen=True, slots=True, eq=False)
class Hearings:
    """What the body hears in n clips.

    Attributes:
        features: `clip_features` of each clip, (n, 2 c).
        labels: Row of each clip's label among the anchors, (n,).
        scores: The sound teacher's class scores, (n, 521).
        odds: Chance of each clip to be drawn, (n,), sums to one.
    """

    features: Tensor
    labels: Tensor
    scores: Tensor
    odds: NDArray[np.float64]


def sound_picture_table(
    labels: Sequence[str], sounds: Sequence[ShardItem], pictures: Sequence[ShardItem],
    pairs: Sequence[tuple[str, str]],
) -> NDArray[np.bool_]:  # fmt: skip
    """Tells which pictures show what makes the sound of a label, (labels, pictures).

    A name of the sound, its label or a synonym, leads to the pictures that the table of pairs has
    for it and to those of the same name. A pictogram's keywords are too loose for that.
    """
    columns = {item.key: i for i, item in enumerate(pictures)}
    named: dict[str, set[int]] = defaultdict(set)
    for label, key in pairs:
        if key in columns:
            named[label].add(columns[key])
    for column, item in enumerate(pictures):
        loose = item.dataset == "emoji_noto"
        for name in (item.label, *(() if loose else item.synonyms)):
            named[(name or "").lower()].add(column)
    table = np.zeros((len(labels), len(pictures)), dtype=bool)
    for item in sounds:
        for name in (item.label, *item.synonyms):
            if item.label in labels and name:
                table[labels.index(item.label), list(named.get(name.lower(), ()))] = True
    return table


def odds_of(items: Sequence[ShardItem], recipe: BindRecipe) -> NDArray[np.float64]:
    """Returns each clip's chance to be drawn: clips of rare labels more often than others."""
    count: dict[str | None, int] = {}
    for item in items:
        count[item.label] = count.get(item.label, 0) + 1
    odds = np.array([count[item.label] ** -recipe.rarity for item in items])
    everyday = np.array([item.dataset == "esc50" for item in items])
    odds[everyday] *= recipe.everyday / odds[everyday].sum()
    odds[~everyday] *= (1.0 - recipe.everyday) / odds[~everyday].sum()
    return odds


class Binding(nn.Module):
    """The head in training: standardised features to unit vectors."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, hearings: Hearings, dim: int, recipe: BindRecipe) -> None:
        super().__init__()
        self.drop = nn.Dropout(recipe.dropout)
        self.layer = nn.Linear(hearings.features.shape[1], dim)
        self.register_buffer("mean", hearings.features.mean(dim=0))
        self.register_buffer(
            "deviation", hearings.features.std(dim=0).clamp_min(recipe.least_deviation)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Returns unit vectors of clip features, (n, dim)."""
        vectors = self.layer(self.drop((features - self.mean) / self.deviation))
        return functional.normalize(vectors, dim=1)

    @torch.no_grad()
    def folded(self) -> nn.Linear:
        """Returns the head as the tower has it: the standardisation is part of the layer."""
        head = nn.Linear(self.layer.in_features, self.layer.out_features)
        head.weight.copy_(self.layer.weight / self.deviation)
        head.bias.copy_(self.layer.bias - head.weight @ self.mean)
        return head


def bind(hearings: Hearings, anchors: Anchors, recipe: BindRecipe) -> nn.Linear:
    """Returns the tower's head, trained on the losses that the recipe weighs."""
    torch.manual_seed(recipe.seed)
    random = np.random.default_rng(recipe.seed)
    binding = Binding(hearings, anchors.names.shape[1], recipe)
    optimiser = torch.optim.AdamW(
        binding.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, recipe.steps)
    for _ in range(recipe.steps):
        chosen = torch.from_numpy(random.choice(len(hearings.odds), recipe.batch, p=hearings.odds))
        vectors = binding(hearings.features[chosen])
        # A scale that is learnt grows until the training clips are told apart, without a margin.
        lesson = _Lesson(recipe.scale * vectors, chosen, hearings, anchors, random)
        loss = torch.stack([w * _LOSSES[k](lesson) for k, w in recipe.weights]).sum()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    return binding.folded()


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """The scaled vectors of one batch, and what they may be compared with."""

    vectors: Tensor
    chosen: Tensor
    hearings: Hearings
    anchors: Anchors
    random: np.random.Generator

    @property
    def right(self) -> Tensor:
        """Each clip's label, (batch,)."""
        return self.hearings.labels[self.chosen]

    @property
    def bears(self) -> Tensor:
        """Which clip bears which label, (batch, labels)."""
        return functional.one_hot(self.right, len(self.anchors.kin)).bool()


def _label_loss(lesson: _Lesson) -> Tensor:
    """Each sound finds its label among all that mean something else."""
    return _naming(lesson, ~lesson.anchors.kin)


def _rival_loss(lesson: _Lesson) -> Tensor:
    """Each sound finds its label among its rivals, however near in meaning they are."""
    return _naming(lesson, lesson.anchors.rivals)


def _naming(lesson: _Lesson, among: Tensor) -> Tensor:
    """Returns the cross-entropy of each sound's label among others, (labels, labels)."""
    logits = lesson.vectors @ lesson.anchors.labels.T
    competing = among[lesson.right] | lesson.bears
    return functional.cross_entropy(logits.masked_fill(~competing, -torch.inf), lesson.right)


def _found_loss(lesson: _Lesson) -> Tensor:
    """Each label of the batch, in a phrasing that is drawn, finds its sounds."""
    anchors, bears = lesson.anchors, lesson.bears.T
    drawn = lesson.random.integers(anchors.phrases.shape[1], size=len(anchors.kin))
    asked = anchors.phrases[torch.arange(len(drawn)), torch.from_numpy(drawn)]
    there = bears.any(dim=1)
    kin = anchors.kin[there][:, lesson.right] & ~bears[there]
    finds = asked[there] @ lesson.vectors.T
    return _any_of(finds.masked_fill(kin, -torch.inf), bears[there])


def _name_loss(lesson: _Lesson) -> Tensor:
    """A sound's cosines with the class names follow the sound teacher's scores."""
    scores = lesson.hearings.scores[lesson.chosen]
    logits = lesson.vectors @ lesson.anchors.names.T
    return functional.cross_entropy(logits, scores / scores.sum(dim=1, keepdim=True))


def _picture_loss(lesson: _Lesson) -> Tensor:
    """Sounds and pictures of what makes them find each other."""
    anchors, random, labels = lesson.anchors, lesson.random, lesson.right
    heard = torch.tensor([len(partners) > 0 for partners in anchors.partners])[labels]
    own = torch.tensor([int(random.choice(anchors.partners[i])) for i in labels[heard].tolist()])
    drawn = torch.cat([own, torch.from_numpy(random.integers(len(anchors.pictures), size=_OTHERS))])
    related = anchors.shows[:, drawn][labels[heard]]
    logits = lesson.vectors[heard] @ anchors.pictures[drawn].T
    back = (logits[:, : len(own)].T, related[:, : len(own)].T)
    return (_any_of(logits, related) + _any_of(*back)) / 2


def _any_of(logits: Tensor, right: Tensor) -> Tensor:
    """Returns the mean over the right columns of each row's cross-entropy against the wrong ones.

    Right columns do not compete with each other: as in Khosla et al. 2020 (arXiv:2004.11362), the
    loss is the mean over positives, but their competitors are negatives alone.
    """
    wrong = logits.masked_fill(right, -torch.inf).logsumexp(dim=1, keepdim=True)
    each = functional.softplus(wrong - logits).where(right, torch.tensor(0.0))
    return (each.sum(dim=1) / right.sum(dim=1)).mean()


_LOSSES: Mapping[str, Callable[[_Lesson], Tensor]] = {
    "labels": _label_loss,
    "rivals": _rival_loss,
    "found": _found_loss,
    "names": _name_loss,
    "pictures": _picture_loss,
}
_OTHERS = 512
"""Pictures that compete in a batch besides those that belong to it."""
