"""The image tower's training: maps layer by layer, maps end to end, then vectors.

The trunk starts from random weights and learns, without labels, to see as MobileNetV2 does; then a
head, and at last head and trunk together, learn to put a picture where the teachers' joint space
has it. `teach_image` runs every stage; each has a folder of its own and takes up where it left off.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from embedder.models.image_tower import ImageShape, ImageTower
from embedder.training.image_maps import MapLesson, fit_start, folded, whiten_layers
from embedder.training.image_recipe import ImageMapsRecipe, ImageRecipe, ImageVectorsRecipe
from embedder.training.image_tuning import MAPS, tune_tower
from embedder.training.image_vectors import (
    V2_POOLED,
    FoldedTower,
    Guidance,
    Guide,
    StandardisedHead,
    VectorLesson,
    pooled_features,
)
from embedder.training.loop import train
from embedder.training.shards import ShardItem
from embedder.training.space import DIM
from embedder.training.teachers.image import ImageTeachers, MobileNetV2


def teach_image(
    guidance: Guidance, teachers: Path, recipe: ImageRecipe, folder: Path
) -> ImageTower:
    """Returns the image tower, trained; run again, it goes on where it was.

    Args:
        guidance: The training pictures and where they belong.
        teachers: Folder of the image teachers' files.
        recipe: The numbers.
        folder: Of checkpoints, logs, `student.pt` and, what ships, `tuned.pt`.
    """
    student, tuned = folder / "student.pt", folder / "tuned.pt"
    if not student.exists():
        save_image_student(_student(guidance, teachers, recipe, folder), student)
    if not tuned.exists():
        tower = load_image_student(student)
        save_image_student(tune_tower(tower, guidance, recipe.tuned, folder / "tuned"), tuned)
    (folder / "tuned" / MAPS).unlink(missing_ok=True)  # a gigabyte that nothing needs any more
    return load_image_student(tuned)


def _student(guidance: Guidance, teachers: Path, recipe: ImageRecipe, folder: Path) -> FoldedTower:
    """Stages 1 to 4: the trunk by maps, the head by vectors."""
    seen = ImageTeachers(teachers)
    trunk = teach_layers(guidance.pictures, seen, recipe.layers, folder / "layers")
    trunk = teach_chain(trunk, guidance.pictures, seen, recipe.chain, folder / "chain")
    head = fit_head(guidance, recipe.head, folder / "head")
    head = adapt_head(head, trunk, guidance, recipe.adapted, folder / "adapted")
    return FoldedTower(trunk, head)


def teach_layers(
    pictures: Sequence[ShardItem], teachers: ImageTeachers, recipe: ImageMapsRecipe, folder: Path
) -> MobileNetV2:
    """Stage 1: from random weights, every layer alone learns to answer as the teacher's does."""
    torch.manual_seed(recipe.loop.seed)
    trunk = folded(ImageTower(ImageShape(DIM)).trunk)
    lesson = MapLesson(pictures, teachers, recipe)
    maps = lesson.taught(lesson.sample)
    fit_start(trunk, lesson.sample, maps)
    whiten_layers(trunk, lesson.sample, maps)
    del maps
    return train(trunk, lesson.batch, lesson.layer_loss, recipe.loop, folder)


def teach_chain(
    trunk: MobileNetV2, pictures: Sequence[ShardItem], teachers: ImageTeachers,
    recipe: ImageMapsRecipe, folder: Path,
) -> MobileNetV2:  # fmt: skip
    """Stage 2: the trunk end to end, with a loss at every map, on pooled feature and logits."""
    lesson = MapLesson(pictures, teachers, recipe)
    return train(trunk, lesson.batch, lesson.chain_loss, recipe.loop, folder)


def fit_head(guidance: Guidance, recipe: ImageVectorsRecipe, folder: Path) -> nn.Module:
    """Stage 3: a head on the teacher's own pooled features, which the trunk's nearly equal."""
    features = guidance.lessons.views[0][:, V2_POOLED].float()
    torch.manual_seed(recipe.loop.seed)
    head = ImageTower(ImageShape(DIM)).head
    model = StandardisedHead(head, features, recipe.dropout)
    return _taught_head(model, features, guidance, recipe, folder)


def adapt_head(
    head: nn.Module,
    trunk: MobileNetV2,
    guidance: Guidance,
    recipe: ImageVectorsRecipe,
    folder: Path,
) -> nn.Module:
    """Stage 4: the head goes on, with the trunk's own features of `recipe.seen` pictures."""
    random = np.random.default_rng(recipe.loop.seed)
    odds = guidance.lessons.odds
    rows = np.sort(random.choice(len(odds), recipe.seen, replace=False, p=odds))
    features = guidance.lessons.views[0][:, V2_POOLED].float()
    features[rows] = pooled_features(trunk, [guidance.pictures[row] for row in rows])
    model = StandardisedHead(head, features, recipe.dropout)
    model.take_up()
    return _taught_head(model, features, guidance, recipe, folder)


def _taught_head(
    model: StandardisedHead, features: Tensor, guidance: Guidance, recipe: ImageVectorsRecipe,
    folder: Path,
) -> nn.Module:  # fmt: skip
    lesson = VectorLesson(guidance.space, guidance.lessons, guidance.names, recipe)

    def batch(step: int) -> Guide:
        return lesson.draw(step, lambda rows: features[rows])

    return train(model, batch, lesson.loss, recipe.loop, folder).merged()


def save_image_student(tower: FoldedTower, path: Path) -> None:
    """Writes the tower as it ships, whole or not at all."""
    part = path.with_suffix(".part")
    torch.save(tower.unfolded().state_dict(), part)
    part.replace(path)


def load_image_student(path: Path) -> ImageTower:
    """Returns the tower in eval mode, from what `save_image_student` wrote."""
    tower = ImageTower(ImageShape(DIM))
    tower.load_state_dict(torch.load(path, weights_only=True))
    tower.eval()
    return tower
