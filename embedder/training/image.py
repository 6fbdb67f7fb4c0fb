"""The image tower's training: maps block by block, maps end to end, then vectors.

Stages, each of which takes up where its folder left off:

1. `teach_blocks`: every block of the trunk regresses the teacher's maps from the teacher's maps.
2. `teach_chain`: the trunk end to end, with a loss at every map, on the pooled feature and on the logits.
3. `teach_vectors`: trunk and head into the teachers' joint space.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.models.image_tower import ImageShape, ImageTower
from embedder.training.image_maps import MapLoss, fit_start, folded, measure_scales, whiten_filters
from embedder.training.image_vectors import (
    FoldedTower,
    Guide,
    StandardisedHead,
    VectorLesson,
    pooled_features,
)
from embedder.training.loop import Losses, Parts, train
from embedder.training.recipe import ImageMapsRecipe
from embedder.training.shards import ShardItem, read_media
from embedder.training.space import DIM
from embedder.training.teachers.image import ImageTeachers, Maps, MobileNetV2, as_quantised
from embedder.training.views import Pictures


def teach_blocks(
    items: Sequence[ShardItem], teachers: ImageTeachers, folder: Path, recipe: ImageMapsRecipe
) -> MobileNetV2:
    """Stage 1: returns a trunk whose blocks each do what the teacher's do when they read what the teacher's read."""
    torch.manual_seed(recipe.loop.seed)
    student = folded(ImageTower(ImageShape(DIM)).trunk)
    lesson = _MapLesson(items, teachers, recipe, start=student)
    return train(student, lesson.batch, lesson.block_loss, recipe.loop, folder)


def teach_filters(
    student: MobileNetV2,
    items: Sequence[ShardItem],
    teachers: ImageTeachers,
    folder: Path,
    recipe: ImageMapsRecipe,
) -> MobileNetV2:
    """Stage 2: the same lesson again with the spatial filters, the slowest learners, in white coordinates."""
    lesson = _MapLesson(items, teachers, recipe)
    whiten_filters(student, lesson.sample, lesson.taught(lesson.sample))
    return train(student, lesson.batch, lesson.block_loss, recipe.loop, folder)


def teach_chain(
    student: MobileNetV2,
    items: Sequence[ShardItem],
    teachers: ImageTeachers,
    folder: Path,
    recipe: ImageMapsRecipe,
) -> MobileNetV2:
    """Stage 2: returns the trunk after learning to do what the teacher's does, end to end."""
    lesson = _MapLesson(items, teachers, recipe)
    return train(student, lesson.batch, lesson.chain_loss, recipe.loop, folder)


def fit_head(
    trunk: MobileNetV2, items: Sequence[ShardItem], lesson: VectorLesson, folder: Path
) -> nn.Module:
    """Stage 4: returns a head for the frozen trunk."""
    features = pooled_features(trunk, items)
    torch.manual_seed(lesson.recipe.loop.seed)
    model = StandardisedHead(ImageTower(ImageShape(DIM)).head, features, lesson.recipe.dropout)

    def batch(step: int) -> Guide:
        return lesson.draw(step, lambda rows: features[rows])

    return train(model, batch, lesson.loss, lesson.recipe.loop, folder).merged()


def teach_vectors(
    tower: FoldedTower, items: Sequence[ShardItem], lesson: VectorLesson, folder: Path
) -> FoldedTower:
    """Stage 5: returns trunk and head after learning together, at full size."""
    recipe = lesson.recipe
    pictures = Pictures(list(read_media(items)), seed=recipe.loop.seed)

    def batch(step: int) -> Parts[Guide]:
        guide = lesson.draw(step, lambda rows: pictures.views(rows, step, recipe.view))
        return guide.parts(recipe.part)

    return train(tower, batch, lesson.loss, recipe.loop, folder)


def save_image_student(tower: FoldedTower, path: Path) -> None:
    """Writes the tower as it ships, whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(tower.unfolded().state_dict(), part)
    part.replace(path)


def load_image_student(path: Path) -> nn.Module:
    """Returns the tower in eval mode, from what `save_image_student` wrote."""
    tower = ImageTower(ImageShape(DIM))
    tower.load_state_dict(torch.load(path, weights_only=True))
    tower.eval()
    return tower


class _MapLesson:
    """Views of the training pictures and how far the student's maps of them are from the teacher's."""

    def __init__(
        self,
        items: Sequence[ShardItem],
        teachers: ImageTeachers,
        recipe: ImageMapsRecipe,
        start: MobileNetV2 | None = None,
    ) -> None:
        self.teachers, self.recipe = teachers, recipe
        self.pictures = Pictures(list(read_media(items)), seed=recipe.loop.seed)
        indices = self.pictures.indices(0, recipe.sample)
        self.sample = self.pictures.views(indices, 0, recipe.view)
        maps = self.taught(self.sample)
        self.scales = measure_scales(maps)
        if start:
            fit_start(start, self.sample, maps)
        self.errors = MapLoss(self.scales, recipe.hidden_weight)

    def batch(self, step: int) -> Parts[Tensor]:
        """Returns a step's views, a part for each thread."""
        recipe = self.recipe
        indices = self.pictures.indices(step, recipe.part * recipe.parts)
        views = self.pictures.views(indices, step, recipe.view)
        return Parts(torch.split(views, recipe.part))

    def block_loss(self, student: nn.Module, x: Tensor, _step: int) -> Losses:
        """Every block reads the teacher's map."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            taught = self.taught(x)
            losses = self.errors(student(x, taught), taught)
        return {"loss": losses["maps"]} | losses

    def chain_loss(self, student: nn.Module, x: Tensor, _step: int) -> Losses:
        """Every block reads what the one before it made."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            taught = self.taught(x)
            maps: Maps = student(x)
            losses = self.errors(maps, taught)
        mine, theirs = maps.pooled.float(), taught.pooled.float()
        pooled = ((mine - theirs) * self.scales.pooled).square().mean()
        logits = functional.kl_div(
            self.teachers.logits(mine).log_softmax(1),
            self.teachers.logits(theirs).log_softmax(1),
            log_target=True,
            reduction="batchmean",
        )
        recipe = self.recipe
        loss = losses["maps"] + recipe.pooled_weight * pooled + recipe.logit_weight * logits
        cosine = functional.cosine_similarity(mine, theirs).mean()
        return {"loss": loss, "pooled": pooled, "logits": logits, "cosine": cosine} | losses

    @torch.no_grad()
    def taught(self, x: Tensor) -> Maps:
        maps: Maps = self.teachers.v2(as_quantised(x))
        return maps
