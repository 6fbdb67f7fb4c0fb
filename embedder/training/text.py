"""Distils the text teacher into the text tower.

Targets are `text_map(MiniLM(text))`, unit vectors of the joint space. The loss has two terms: one
minus the cosine, and a relational one, which asks that the softmax of a text's cosines to all other
texts of the batch be the teacher's own.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from embedder.features.text import TextTokenizer
from embedder.models.text_tower import TextShape, TextTower, pad
from embedder.training.loop import LoopRecipe, Losses, train
from embedder.training.recipe import TextRecipe
from embedder.training.space import DIM, TextMap
from embedder.training.texts import TextBank
from embedder.training.tokenizer import train_tokenizer

Ids = NDArray[np.int64]
_REPORTED = 4000


@dataclass(frozen=True, slots=True)
class TextBatch:
    """Ids (n, tokens), 0-padded, and their targets, unit vectors (n, dim)."""

    ids: Tensor
    targets: Tensor


class TextLessons:
    """Draws batches of texts of similar length; what a step sees depends on the step alone."""

    def __init__(
        self,
        rows: Sequence[Ids],
        targets: NDArray[np.float16],
        kinds: NDArray[np.str_],
        period: int,
        recipe: TextRecipe,
    ) -> None:
        self.rows, self.targets, self.period, self.recipe = rows, targets, period, recipe
        emphasis = dict(recipe.emphasis)
        weights = np.array([emphasis[kind] for kind in kinds])
        self._odds = weights / weights.sum()
        self._lengths = np.array([len(row) for row in rows])

    def __call__(self, step: int) -> TextBatch:
        """Returns the batch of a step: one slice of a pool that is sorted by length."""
        pool, part = divmod(step, self.recipe.pool)
        random = np.random.default_rng((self.recipe.seed, pool))
        size = self.recipe.batch
        count = size * self.recipe.pool
        drawn = random.choice(len(self.rows), count, replace=False, p=self._odds)
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


@dataclass(frozen=True, slots=True, eq=False)
class EncodedBank:
    """The bank of texts as the text tower reads it.

    Attributes:
        bank: The texts.
        tokenizer: Trained on all texts but held-out captions and texts with words held back.
        rows: The ids of each text.
        period: The id of a full stop.
    """

    bank: TextBank
    tokenizer: Tokenizer
    rows: list[Ids]
    period: int

    @classmethod
    def of(cls, bank: TextBank, recipe: TextRecipe) -> "EncodedBank":
        """Trains a tokenizer on the bank and encodes every text with it."""
        known = np.flatnonzero(~held_out_captions(bank) & ~bank.held_back())
        tokenizer = train_tokenizer([bank.texts[i] for i in known], recipe.vocabulary)
        reader = TextTokenizer(tokenizer, recipe.context)
        rows = [reader.encode(text)[0] for text in bank.texts]
        return cls(bank, tokenizer, rows, int(reader.encode("dog.")[0][-2]))

    def lessons(
        self, targets: NDArray[np.float16], chosen: NDArray[np.bool_], recipe: TextRecipe
    ) -> TextLessons:
        """Returns lessons of the chosen texts; `targets` has a row for every text."""
        rows = [self.rows[int(i)] for i in np.flatnonzero(chosen)]
        kinds = np.array(self.bank.kinds)[chosen]
        return TextLessons(rows, targets[chosen], kinds, self.period, recipe)


def held_out_captions(bank: TextBank) -> NDArray[np.bool_]:
    """Tells which texts of a bank are captions that no model may be trained on."""
    return np.array([kind == "held_out_caption" for kind in bank.kinds])


def teach_text(
    texts: EncodedBank,
    vectors: NDArray[np.float16],
    text_map: TextMap,
    recipe: TextRecipe,
    folder: Path,
) -> TextTower:
    """Returns a tower whose vectors are those of the joint space.

    The first run learns the teacher's own space without the words held back, and what it makes of
    them is written to `report.json`. The text map being linear, the tower's last matrix takes it
    in; the second run learns the rest, with every word but no held-out caption.

    Args:
        texts: The texts and their ids.
        vectors: The text teacher's vectors of them, (n, 384).
        text_map: From the teacher's space into the joint one.
        recipe: The numbers.
        folder: Where checkpoints, logs and the report go.
    """
    usable = ~held_out_captions(texts.bank)
    torch.manual_seed(recipe.seed)
    tower = TextTower(text_shape(recipe, DIM))
    first = texts.lessons(vectors, usable & ~texts.bank.held_back(), recipe)
    tower = _run(tower, first, recipe.learning_rate, recipe.steps, folder / "held_back")
    _report(tower, texts, vectors, folder / "report.json")

    tower.text_projection.data.copy_(tower.text_projection @ text_map.weight.T)
    every = texts.lessons(mapped(vectors, text_map), usable, recipe)
    return _run(tower, every, recipe.final_rate, recipe.final_steps, folder / "every_word")


def mapped(vectors: NDArray[np.float16], text_map: TextMap) -> NDArray[np.float16]:
    """Returns the text teacher's vectors in the joint space."""
    return np.asarray(text_map(torch.from_numpy(vectors).float()).half().numpy())


def _run(
    tower: TextTower, lessons: TextLessons, rate: float, steps: int, folder: Path
) -> TextTower:
    """Trains a tower on its lessons and returns its averaged weights."""
    recipe = lessons.recipe

    def loss(model: nn.Module, batch: TextBatch, _step: int) -> Losses:
        # On short rows the plain attention's backward pass takes a quarter of the fused one's time.
        with sdpa_kernel(SDPBackend.MATH), torch.autocast("cpu", dtype=torch.bfloat16):
            vectors = model(batch.ids)
        return distillation(functional.normalize(vectors.float(), dim=1), batch.targets, recipe)

    numbers = LoopRecipe(
        steps=steps, learning_rate=rate, weight_decay=recipe.weight_decay, ema=recipe.ema,
        seed=recipe.seed,
    )  # fmt: skip
    tower.requires_grad_(True)
    averaged = train(tower, lessons, loss, numbers, folder)
    assert isinstance(averaged, TextTower)  # the loop returns a copy of what it was given
    averaged.eval().requires_grad_(False)
    return averaged


def _report(tower: TextTower, texts: EncodedBank, vectors: NDArray[np.float16], path: Path) -> None:
    """Writes the mean cosine to the teacher on texts seen, held out, and of words held back."""
    kinds, held_back = np.array(texts.bank.kinds), texts.bank.held_back()
    sets = {
        "captions": (kinds == "caption") & ~held_back,
        "held-out captions": kinds == "held_out_caption",
        "words": (kinds == "word") & ~held_back,
        "held-back words": (kinds == "word") & held_back,
        "labels": (kinds == "label") & ~held_back,
        "labels of held-back words": (kinds == "label") & held_back,
    }
    cosines = {}
    for name, chosen in sets.items():
        some = np.flatnonzero(chosen)[:_REPORTED]
        ours = embed_ids(tower, [texts.rows[int(i)] for i in some])
        theirs = vectors[some].astype(np.float32)
        cosines[name] = round(float((ours * theirs).sum(axis=1).mean()), 4)
    path.write_text(json.dumps(cosines, indent=1))


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


def text_shape(recipe: TextRecipe, dim: int) -> TextShape:
    """Returns the tower's sizes that a recipe asks for."""
    return TextShape(
        vocabulary=recipe.vocabulary,
        context=recipe.context,
        width=recipe.width,
        heads=recipe.heads,
        layers=recipe.layers,
        dim=dim,
    )
