"""What binding is worth, beyond the one head that ships: other folds held out, other anchors.

The body, which has learnt to hear without a label, stays as it is; the head alone is bound again,
with the run's recipe and without the labels of what it is then judged on:

* each fold of ESC-50 in its turn held out from the head: the mean is leave-one-fold-out;
* bound to pictures alone, texts alone, or both, and asked for the text of each clip of the fold
  that is always held out. What pictures alone reach is ImageBind's emergent alignment
  (arXiv:2305.05665): no text has ever been shown to that head.

The body's own lessons were the clips that `is_held_out` leaves, unlabelled: of ESC-50 folds 1 to 3.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from embedder.base import Vectors
from embedder.evaluate.pictures import SOUND_TEMPLATES, classes
from embedder.evaluate.report import Figure, Report
from embedder.evaluate.source import HeldOut, VectorSource
from embedder.media import Modality
from embedder.models.audio_tower import ROOT_OFFSET, AudioTower
from embedder.models.mini_towers import build_tower
from embedder.models.mini_weights import read_weights
from embedder.training.anchors import label_names, make_anchors, make_hearings
from embedder.training.audio_recipe import BindRecipe
from embedder.training.binding import Anchors, bind
from embedder.training.hearing import hear
from embedder.training.joint import Outputs
from embedder.training.kept import Kept
from embedder.training.shards import ShardItem, is_held_out
from embedder.training.texts import sound_names

FOLDED = "esc50"
"""The set that comes in folds."""

HELD_OUT_FOLD = 4
"""The fold that `is_held_out` keeps from training."""

_BOUND_TO = {
    "pictures": ("pictures",),
    "texts": ("labels", "rivals", "found", "names"),
    "both": None,
}


@dataclass(frozen=True, slots=True, eq=False)
class Ears:
    """A body that hears, and the texts that its clips are compared with.

    Attributes:
        features: `clip_features` of every clip of the run, in order, (clips, 2 c).
        source: Embeds texts.
    """

    features: Tensor
    source: VectorSource


def students_ears(kept: Kept, weights: Path, source: VectorSource) -> Ears:
    """Returns what the body of the audio tower in a file of weights hears.

    Raises:
        WeightsError: If the file is not one of kindred-mini's.
    """
    tower = cast(AudioTower, build_tower(Modality.AUDIO, read_weights(weights)))
    return Ears(hear(tower.stages, kept.shop.spectrograms(kept.outputs.clips)), source)


def teachers_ears(kept: Kept, source: VectorSource) -> Ears:
    """Returns the sound teacher's ears, whose figures are the ceiling of the student's."""
    heard = torch.from_numpy(np.concatenate([kept.outputs.heard.mean, kept.outputs.heard.max], 1))
    return Ears((heard + ROOT_OFFSET).sqrt(), source)


def rebind(kept: Kept, ears: Ears) -> Report:
    """Returns the figures of heads that are bound again, as the module says."""
    folds = sorted({c.fold for c in kept.outputs.clips if c.dataset == FOLDED and c.fold})
    recipe = kept.shop.recipe.bind
    every = {fold: Bench.without(fold, kept, ears) for fold in folds}
    figures = [f for fold, bench in every.items() for f in bench.named(f"fold {fold}", recipe)]
    return Report((*figures, *_means(figures), *_emergent(every[HELD_OUT_FOLD], recipe)))


@dataclass(frozen=True, eq=False)
class Bench:
    """A split, and everything that a head is bound to and judged by under it.

    Attributes:
        outputs: The teachers' outputs, the clips' folds renumbered so that one is held out.
        kept: The run.
        ears: Whose head it is.
        bound: Vectors of all clips, by the recipe of the head that made them.
    """

    outputs: Outputs
    kept: Kept
    ears: Ears
    bound: dict[BindRecipe, Vectors] = field(default_factory=dict)

    @classmethod
    def without(cls, fold: int, kept: Kept, ears: Ears) -> "Bench":
        """Returns the bench that keeps one fold from the head."""
        return cls(replace(kept.outputs, clips=exchanged(kept.outputs.clips, fold)), kept, ears)

    @cached_property
    def anchors(self) -> Anchors:
        """What the head is bound to."""
        shop, names = self.kept.shop, sound_names(self.kept.shop.teachers)
        return make_anchors(self.outputs, self.kept.space, names, shop.pairs, shop.recipe.bind)

    def named(self, what: str, recipe: BindRecipe, labels: Sequence[str] = ()) -> list[Figure]:
        """Binds a head and returns how well it names the clips of the fold that it never met.

        Args:
            what: Added to the figures' dataset.
            recipe: Of the head.
            labels: Only these are asked for; without any, all are.
        """
        clips = self.outputs.clips
        asked = HeldOut(tuple(clips), self._vectors(recipe)).where(
            lambda item: item.dataset == FOLDED and (not labels or item.label in labels)
        )
        figures = classes(self.ears.source, asked.where(is_held_out), asked.items, SOUND_TEMPLATES)
        return [replace(figure, dataset=f"{FOLDED}, {what}") for figure in figures]

    def _vectors(self, recipe: BindRecipe) -> Vectors:
        """Returns unit vectors of all clips, (clips, dim); a head is bound once for each recipe."""
        if recipe not in self.bound:
            known = torch.tensor([not is_held_out(item) for item in self.outputs.clips])
            hearings = make_hearings(self.ears.features[known], self.outputs, recipe)
            head = bind(hearings, self.anchors, recipe)
            with torch.no_grad():
                self.bound[recipe] = functional.normalize(head(self.ears.features), dim=1).numpy()
        return self.bound[recipe]

    def shown(self) -> list[str]:
        """Returns the labels whose sounds' makers some known picture shows."""
        known = [item for item in self.outputs.clips if not is_held_out(item)]
        folded = {item.label for item in known if item.dataset == FOLDED}
        pairs = zip(label_names(known), self.anchors.partners, strict=True)
        return [label for label, partners in pairs if label in folded and len(partners)]


def exchanged(clips: Sequence[ShardItem], fold: int) -> list[ShardItem]:
    """Returns the clips with a fold in the place of the held-out one, and that one in its place."""
    places = {fold: HELD_OUT_FOLD, HELD_OUT_FOLD: fold}
    return [
        replace(c, fold=places.get(c.fold or 0, c.fold)) if c.dataset == FOLDED else c
        for c in clips
    ]


def _means(figures: Sequence[Figure]) -> Iterator[Figure]:
    """Yields the mean over the folds of each metric."""
    for metric in dict.fromkeys(figure.metric for figure in figures):
        same = [figure for figure in figures if figure.metric == metric]
        value = float(np.mean([figure.value for figure in same]))
        count = sum(figure.count for figure in same)
        dataset = f"{FOLDED}, leave one fold out"
        # Every fold has every label, so that chance is the same in all.
        yield Figure(same[0].direction, dataset, metric, value, same[0].chance, count)


def _emergent(bench: Bench, recipe: BindRecipe) -> Iterator[Figure]:
    """Yields how well heads that met only a part of the anchors name sounds that have pictures."""
    shown = bench.shown()
    for anchors, losses in _BOUND_TO.items():
        weights = tuple((k, w) for k, w in recipe.weights if losses is None or k in losses)
        what = f"bound to {anchors}"
        yield from bench.named(what, replace(recipe, weights=weights), shown)
