"""Brings the teachers' outputs together and makes their joint space of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from embedder.training.alignment import SoundGuides, train_image_text, train_sound
from embedder.training.binding import sound_picture_table
from embedder.training.lessons import Lessons, Sentences, picture_lessons, sound_lessons
from embedder.training.recipe import SpaceRecipe
from embedder.training.shards import ShardItem, is_held_out
from embedder.training.sound_targets import SoundTargets
from embedder.training.space import TeacherSpace, audio_features, image_features
from embedder.training.targets import ImageTargets
from embedder.training.texts import imagenet_names, sound_names

_NAME_TEMPLATES = ("{}", "a photo of a {}", "a picture of a {}")
_SOUND_NAME_TEMPLATES = ("the sound of {}", "{}", "a recording of {}")
_PARTNERS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Outputs:
    """What the teachers say of every item.

    Attributes:
        pictures: The image items.
        views: Of the pictures, as a whole first and then as random crops, in the items' order.
        clips: The sound items.
        heard: Of the clips, in the items' order.
        sentences: The text teacher's vectors.
    """

    pictures: Sequence[ShardItem]
    views: Sequence[ImageTargets]
    clips: Sequence[ShardItem]
    heard: SoundTargets
    sentences: Sentences


def make_space(
    outputs: Outputs, teachers: Path, pairs: Sequence[tuple[str, str]], recipe: SpaceRecipe
) -> TeacherSpace:
    """Returns the joint space, trained on the items that are not held out.

    Args:
        outputs: The teachers' outputs.
        teachers: Folder of the teachers' class names.
        pairs: (sound label, image key): what goes together.
        recipe: The numbers.
    """
    torch.manual_seed(recipe.seed)
    space = TeacherSpace(recipe.dropout, recipe.sound_dropout)
    pictures, lessons = known_pictures(outputs, recipe)
    train_image_text(space, lessons, picture_names(outputs, teachers), recipe)

    rows = [row for row, item in enumerate(outputs.clips) if not is_held_out(item)]
    clips, heard = [outputs.clips[row] for row in rows], outputs.heard
    features = audio_features(heard.mean[rows], heard.max[rows], heard.scores[rows]).half()
    guides = SoundGuides(
        names=class_names(sound_names(teachers), outputs.sentences, _SOUND_NAME_TEMPLATES),
        scores=torch.from_numpy(heard.scores[rows]),
        pictures=_partners(space, lessons.views[0], (clips, pictures), pairs, recipe),
    )
    train_sound(space, sound_lessons(clips, features, outputs.sentences, recipe), guides, recipe)
    return space


def known_pictures(outputs: Outputs, recipe: SpaceRecipe) -> tuple[list[ShardItem], Lessons]:
    """Returns the pictures that are not held out, and the lessons of them."""
    rows = [row for row, item in enumerate(outputs.pictures) if not is_held_out(item)]
    pictures = [outputs.pictures[row] for row in rows]
    views = [image_features(v.v1[rows], v.v2[rows], v.logits[rows]).half() for v in outputs.views]
    return pictures, picture_lessons(pictures, views, outputs.sentences, recipe)


def picture_names(outputs: Outputs, teachers: Path) -> Tensor:
    """Returns the text teacher's vectors of the image teacher's class names, (1000, 384)."""
    return class_names(imagenet_names(teachers), outputs.sentences, _NAME_TEMPLATES)


def class_names(
    names: Sequence[Sequence[str]], sentences: Sentences, templates: Sequence[str]
) -> Tensor:
    """Returns a unit sentence vector for each class: the mean over its synonyms and templates."""
    means = [sentences.ensemble(synonyms, templates).mean(dim=0) for synonyms in names]
    return functional.normalize(torch.stack(means), dim=1)


@torch.inference_mode()
def _partners(
    space: TeacherSpace, features: Tensor, items: tuple[Sequence[ShardItem], Sequence[ShardItem]],
    pairs: Sequence[tuple[str, str]], recipe: SpaceRecipe,
) -> Tensor:  # fmt: skip
    """Returns image vectors of some pictures of what makes each clip's sound, zeros where none."""
    clips, pictures = items
    random = np.random.default_rng(recipe.seed)
    labels = sorted({item.label for item in clips if item.label})
    table = sound_picture_table(labels, clips, pictures, pairs)
    shown = {label: np.flatnonzero(row) for label, row in zip(labels, table, strict=True)}
    partners = torch.zeros(len(clips), _PARTNERS, space.text_map.weight.shape[0])
    for row, item in enumerate(clips):
        if item.label and len(shown[item.label]):
            drawn = random.choice(shown[item.label], _PARTNERS)
            partners[row] = space.image_head(features[drawn].float())
    return partners.clone()
