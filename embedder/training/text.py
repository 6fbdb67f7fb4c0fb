"""Distils the text teacher into the text tower.

Targets are `text_map(MiniLM(text))`, unit vectors of the joint space. The loss has two terms: one minus the
cosine, and a relational one, which asks that the softmax of a text's cosines to all other texts of the batch be
the teacher's own. Some words are held back at first, so that generalisation can be measured on them; a
second, shorter run then sees every word.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn import functional

from embedder.features.text import TextTokenizer
from embedder.models.text_tower import TextShape, TextTower, pad
from embedder.training.loop import LoopRecipe, Losses, train
from embedder.training.recipe import TextRecipe

Ids = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Ids (n, tokens), 0-padded, and their targets, unit vectors (n, dim)."""

    ids: Tensor
    targets: Tensor


class TextLessons:
    """Draws batches of texts of similar length; what a step sees depends on the step alone."""

    def __init__(
        self, rows: Sequence[Ids], targets: NDArray[np.float16], period: int, recipe: TextRecipe
    ) -> None:
        self.rows, self.targets, self.period, self.recipe = rows, targets, period, recipe
        self._lengths = np.array([len(row) for row in rows])

    def __call__(self, step: int) -> TextBatch:
        """Returns the batch of a step: one slice of a pool that is sorted by length."""
        pool, part = divmod(step, self.recipe.pool)
        random = np.random.default_rng((self.recipe.seed, pool))
        size = self.recipe.batch
        drawn = random.choice(len(self.rows), size=size * self.recipe.pool, replace=False)
        drawn = drawn[np.argsort(self._lengths[drawn], kind="stable")]
        order = random.permutation(self.recipe.pool)
        chosen = drawn[order[part] * size : (order[part] + 1) * size]
        stopped = random.random(len(chosen)) < self.recipe.full_stops
        ids = [self._ids(row, full_stop) for row, full_stop in zip(chosen, stopped, strict=True)]
        return TextBatch(pad(ids), torch.from_numpy(self.targets[chosen]).float())

    def _ids(self, row: int, full_stop: bool) -> Tensor:
        """Returns a text's ids, sometimes with a full stop, which should change nothing."""
        ids = self.rows[row]
        if full_stop and ids[-2] != self.period and len(ids) < self.recipe.context:
            ids = np.concatenate([ids[:-1], [self.period], ids[-1:]])
        return torch.from_numpy(ids)


def train_text_tower(tower: TextTower, lessons: TextLessons, steps: int, folder: Path) -> TextTower:
    """Trains a tower on its lessons and returns its averaged weights."""
    recipe = lessons.recipe

    def loss(model: nn.Module, batch: TextBatch, _step: int) -> Losses:
        # On short rows the plain attention's backward pass takes a quarter of the fused one's time.
        with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", dtype=torch.bfloat16):
            vectors = model(batch.ids)
        return distillation(functional.normalize(vectors.float(), dim=1), batch.targets, recipe)

    numbers = LoopRecipe(
        steps=steps,
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
        ema=recipe.ema,
        seed=recipe.seed,
    )
    averaged = train(tower, lessons, loss, numbers, folder)
    if not isinstance(averaged, TextTower):
        raise TypeError(f"the loop must return a TextTower, got {type(averaged).__name__}")
    return averaged


def distillation(vectors: Tensor, targets: Tensor, recipe: TextRecipe) -> Losses:
    """Returns the losses of unit vectors (n, dim) against the teacher's."""
    cosine = (vectors * targets).sum(dim=1).mean()
    ours = vectors @ targets.T / recipe.temperature
    theirs = (targets @ targets.T / recipe.temperature).softmax(dim=1)
    relation = functional.cross_entropy(ours, theirs)
    return {
        "loss": 1 - cosine + recipe.relation_weight * relation,
        "cosine": cosine.detach(),
        "relation": relation.detach(),
    }


def encode_all(tokenizer: TextTokenizer, texts: Sequence[str]) -> list[Ids]:
    """Returns the ids of each text."""
    return [tokenizer.encode(text)[0] for text in texts]


@torch.inference_mode()
def embed_ids(tower: TextTower, rows: Sequence[Ids], batch: int = 512) -> NDArray[np.float32]:
    """Returns unit vectors (n, dim) of id rows, in their order; short rows run together."""
    order = np.argsort([len(row) for row in rows], kind="stable")
    vectors = np.empty((len(rows), tower.output_dim), dtype=np.float32)
    for start in range(0, len(order), batch):
        part = order[start : start + batch]
        ids = pad([torch.from_numpy(rows[row]) for row in part])
        vectors[part] = functional.normalize(tower(ids), dim=1).numpy()
    return vectors


def shape_of(recipe: TextRecipe, dim: int) -> TextShape:
    """Returns the tower's sizes that a recipe asks for."""
    return TextShape(
        vocabulary=recipe.vocabulary,
        context=recipe.context,
        width=recipe.width,
        heads=recipe.heads,
        layers=recipe.layers,
        dim=dim,
    )
