"""Trains the teachers' joint space: image and text are aligned and frozen, then sound is bound."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.training.lessons import Batch, Lessons
from embedder.training.recipe import SpaceRecipe
from embedder.training.space import TeacherSpace


@dataclass(frozen=True, slots=True, eq=False)
class SoundGuides:
    """What draws clips to their place besides their own texts.

    Attributes:
        names: The text teacher's vectors of the sound teacher's class names, (521, 384).
        scores: The sound teacher's mean scores of each clip, (n, 521).
        pictures: Image vectors that go with each clip, (n, partners, 384); zeros where none do.
    """

    names: Tensor
    scores: Tensor
    pictures: Tensor


def train_image_text(
    space: TeacherSpace, lessons: Lessons, names: Tensor, recipe: SpaceRecipe
) -> None:
    """Aligns image head and text map in place.

    Args:
        space: Its image head and text map are trained.
        lessons: Of pictures.
        names: The text teacher's vectors of the image teacher's class names, (1000, 384).
        recipe: The numbers.
    """
    random = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    space.image_head.fit(lessons.views[0].float())

    def loss() -> Tensor:
        batch = lessons.batch(random, recipe.batch)
        images, texts = space.image_head(batch.features), space.text_map(batch.described)
        named = images @ space.text_map(names).T * space.name_scale.exp()
        # The last features are the image teacher's log-probabilities, the background's the first.
        probabilities = batch.features[:, -len(names) :].softmax(dim=1)
        return (
            contrastive(images, texts, batch.negatives, space.logit_scale.exp())
            + recipe.name_weight * functional.cross_entropy(named, probabilities)
            + recipe.label_weight * _labelled(space, images, batch, lessons)
        )

    _descend(loss, space, [space.image_head, space.text_map], recipe.steps, recipe)


def train_sound(
    space: TeacherSpace, lessons: Lessons, guides: SoundGuides, recipe: SpaceRecipe
) -> None:
    """Binds the audio head to the frozen image head and text map, in place."""
    random = np.random.default_rng(recipe.seed)
    torch.manual_seed(recipe.seed)
    space.audio_head.fit(lessons.views[0].float())
    with torch.no_grad():
        names, scale = space.text_map(guides.names), space.logit_scale.exp()

    def loss() -> Tensor:
        batch = lessons.batch(random, recipe.batch)
        sounds, texts = space.audio_head(batch.features), space.text_map(batch.described)
        scores = guides.scores[batch.chosen]
        named = functional.cross_entropy(
            sounds @ names.T * scale, scores / scores.sum(dim=1, keepdim=True)
        )
        partners = guides.pictures[batch.chosen, int(random.integers(guides.pictures.shape[1]))]
        seen = partners.any(dim=1)
        negatives = batch.negatives[seen][:, seen]
        return (
            recipe.sound_text_weight * contrastive(sounds, texts, batch.negatives, scale)
            + recipe.sound_name_weight * named
            + recipe.sound_label_weight * _labelled(space, sounds, batch, lessons)
            + recipe.picture_weight * contrastive(sounds[seen], partners[seen], negatives, scale)
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


def _labelled(space: TeacherSpace, vectors: Tensor, batch: Batch, lessons: Lessons) -> Tensor:
    """Returns the cross-entropy of naming each labelled item among the rivals of its label."""
    known = batch.answers >= 0
    answers = batch.answers[known]
    logits = vectors[known] @ space.text_map(lessons.labels).T * space.logit_scale.exp()
    return functional.cross_entropy(
        logits.masked_fill(~lessons.rivals[answers], -torch.inf), answers
    )
