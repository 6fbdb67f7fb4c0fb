"""Draws the text tower's descriptions to the pictures they describe.

The text teacher never saw a picture, and the joint space bends its vectors by a linear map alone.
Here the tower itself learns to tell pictures apart, beside its distillation, which keeps all other
words in their place. The pictures stand still: they are where the teachers' image head puts them.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from embedder.models.text_tower import TextTower, pad
from embedder.training.alignment import contrastive
from embedder.training.lessons import MOST_TEXTS, Lessons
from embedder.training.loop import Losses, train
from embedder.training.recipe import TextTuningRecipe
from embedder.training.space import TeacherSpace
from embedder.training.text import Ids, TextBatch, TextLessons, distillation


@dataclass(frozen=True, slots=True)
class PairBatch:
    """Texts to keep in their place, and texts (n, tokens) with the pictures (n, dim) they describe.

    Attributes:
        kept: Texts of every kind and their targets.
        ids: Descriptions.
        images: Unit vectors of the described pictures.
        negatives: Which pairs may be told apart, (n, n).
    """

    kept: TextBatch
    ids: Tensor
    images: Tensor
    negatives: Tensor


class PairLessons:
    """Draws texts and pictures; what a step sees depends on the step alone.

    Args:
        texts: Lessons of texts of every kind; their recipe says how many a batch has.
        rows: The ids of every text of the bank.
        pictures: Lessons of pictures, whose sentences are the bank's.
        space: The teachers' joint space.
    """

    def __init__(
        self, texts: TextLessons, rows: list[Ids], pictures: Lessons, space: TeacherSpace
    ) -> None:
        self.texts, self.scale = texts, space.logit_scale.exp()
        self._rows, self._pictures, self._space = rows, pictures, space

    @torch.no_grad()
    def __call__(self, step: int) -> PairBatch:
        """Returns a step's texts and described pictures, as many of each."""
        kept, pictures = self.texts(step), self._pictures
        random = np.random.default_rng((self.texts.recipe.seed, 1, step))
        count = self.texts.recipe.batch
        chosen = torch.from_numpy(random.choice(len(pictures.odds), count, p=pictures.odds))
        column = torch.from_numpy(random.integers(MOST_TEXTS, size=count))
        rows = pictures.texts[chosen, column]
        described = pictures.sentences.vectors[rows].float()
        groups = pictures.groups[chosen]
        related = (groups[:, None] == groups) | (described @ described.T >= pictures.kin)
        ids = pad([torch.from_numpy(self._rows[int(row)]) for row in rows])
        images = self._space.image_head(pictures.views[0][chosen].float())
        return PairBatch(kept, ids, images, ~related)


def tune_text(
    tower: TextTower, lessons: PairLessons, recipe: TextTuningRecipe, folder: Path
) -> TextTower:
    """Returns the tower after learning from texts and described pictures together."""
    # The tower is read twice a step. All threads share autocast's cache of rounded weights, and the
    # image head, which makes the next batch meanwhile, empties it: whether both readings' gradients
    # are summed before or after rounding would be a matter of luck.
    rounded = partial(torch.autocast, "cpu", dtype=torch.bfloat16, cache_enabled=False)

    def loss(model: nn.Module, batch: PairBatch, _step: int) -> Losses:
        with sdpa_kernel(SDPBackend.MATH), rounded():
            kept, texts = model(batch.kept.ids), model(batch.ids)
        kept, texts = (functional.normalize(v.float(), dim=1) for v in (kept, texts))
        losses = distillation(kept, batch.kept.targets, lessons.texts.recipe)
        pairs = contrastive(batch.images, texts, batch.negatives, lessons.scale)
        total = losses["loss"] + recipe.pair_weight * pairs
        return {**losses, "loss": total, "pairs": pairs.detach()}

    tower.requires_grad_(True)
    averaged = train(tower, lessons, loss, recipe.loop, folder)
    assert isinstance(averaged, TextTower)  # the loop returns a copy of what it was given
    averaged.eval().requires_grad_(False)
    return averaged
