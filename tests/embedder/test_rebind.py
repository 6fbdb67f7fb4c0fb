"""Binding again, on features that say the label outright."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from embedder.base import Vectors
from embedder.evaluate.rebind import Bench, Ears, exchanged, rebind
from embedder.training.audio_recipe import BindRecipe
from embedder.training.joint import Outputs
from embedder.training.kept import Kept
from embedder.training.lessons import Sentences
from embedder.training.pipeline import Workshop
from embedder.training.recipe import Recipe
from embedder.training.shards import ShardItem
from embedder.training.sound_targets import SoundTargets
from embedder.training.space import TeacherSpace
from embedder.training.targets import ImageTargets
from embedder.training.texts import SOUND_TEMPLATES
from tests.embedder.test_evaluate import keys

LABELS = ["bell", "cat", "drum", "rain", "wind", "wolf"]
SHOWN = LABELS[1:]


def item(key: str, modality: str, label: str, fold: int | None = None) -> ShardItem:
    return ShardItem(
        key=key, modality=modality, format="", dataset="esc50" if fold else "toys", label=label,
        captions=(), synonyms=(), fold=fold, licence="", tier="open", shard=Path(), row=0,
    )  # fmt: skip


class Axes:
    """A text lies on the axis of the label that it names."""

    def texts(self, texts: Sequence[str]) -> Vectors:
        rows = [next(i for i, label in enumerate(LABELS) if label in text) for text in texts]
        return np.eye(len(LABELS), 384, dtype=np.float32)[rows]

    def items(self, items: Sequence[ShardItem]) -> Vectors:
        raise NotImplementedError


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A run over six sounds in folds 1 and 4; five of them have a picture in training."""
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "sound_image_pairs.csv").write_text("sound_label,image_key,basis\n")
    (tmp_path / "yamnet_classes.txt").write_text("\n".join(LABELS))
    clips = [item(f"{f}-{x}-{i}", "audio", x, f) for f in (1, 4) for x in LABELS for i in range(10)]
    taught = keys("taught", 11, held_out=False)
    clips += [item(key, "audio", label) for key, label in zip(taught, LABELS, strict=False)]
    pictures = [item(key, "image", label) for key, label in zip(taught[6:], SHOWN, strict=True)]
    texts = [template.format(label) for label in LABELS for template in SOUND_TEMPLATES]
    count = len(clips)
    known, ones = np.array([clip.key for clip in clips]), np.ones((count, 1024), np.float32)
    image = [np.eye(5, n, dtype=np.float16) for n in (1024, 1280, 1001)]
    outputs = Outputs(
        pictures=pictures,
        views=[ImageTargets(np.array([p.key for p in pictures]), *image)],
        clips=clips,
        heard=SoundTargets(known, ones, ones, np.ones((count, 6), np.float32)),
        sentences=Sentences(texts, Axes().texts(texts).astype(np.float16)),
    )
    recipe = Recipe(bind=BindRecipe(steps=25, batch=32, everyday=0.95))
    shop = Workshop(tmp_path, tmp_path, tmp_path, recipe, [*pictures, *clips])
    return Kept(shop, outputs, TeacherSpace().eval())


def ears(kept: Kept) -> Ears:
    """Features that are the labels, but for some noise."""
    rows = [LABELS.index(str(clip.label)) for clip in kept.outputs.clips]
    random = torch.Generator().manual_seed(0)
    features = torch.eye(6).repeat(1, 200)[rows]
    return Ears(features + 0.1 * torch.rand(features.shape, generator=random), Axes())


def test_folds_change_places() -> None:
    clips = [
        item("a", "audio", "cat", 1),
        item("b", "audio", "cat", 2),
        item("c", "audio", "cat", 4),
    ]
    assert [clip.fold for clip in exchanged(clips, 1)] == [4, 2, 1]
    assert exchanged(clips, 4) == clips


def test_labels_without_a_picture_are_not_asked_of_pictures(kept: Kept) -> None:
    assert Bench.without(4, kept, ears(kept)).shown() == sorted(SHOWN)


def test_every_fold_and_every_binding_is_judged(kept: Kept) -> None:
    report = rebind(kept, ears(kept))
    for fold in (1, 4):
        assert report.value("audio > class", f"esc50, fold {fold}", "top-1") == 1.0
    mean = report.figures[4]
    assert mean.name == ("audio > class", "esc50, leave one fold out", "top-1")
    assert mean.value == 1.0
    assert mean.chance == pytest.approx(1 / 6)
    assert mean.count == 120
    assert report.value("audio > class", "esc50, bound to texts", "top-1") == 1.0
    assert report.value("audio > class", "esc50, bound to both", "top-1") == 1.0
    assert report.value("audio > class", "esc50, bound to pictures", "top-1") < 1.0


def test_a_head_never_sees_the_labels_of_the_fold_that_it_is_judged_on(kept: Kept) -> None:
    # In fold 1 each sound is labelled as the next one: who learnt there errs on fold 4, and back.
    turned = [
        item(c.key, "audio", LABELS[(LABELS.index(str(c.label)) + 1) % 6], 1) if c.fold == 1 else c
        for c in kept.outputs.clips
    ]
    outputs = Outputs(
        kept.outputs.pictures,
        kept.outputs.views,
        turned,
        kept.outputs.heard,
        kept.outputs.sentences,
    )
    other = Kept(kept.shop, outputs, kept.space)
    report = rebind(other, ears(kept))
    assert report.value("audio > class", "esc50, fold 1", "top-1") == 0.0
    assert report.value("audio > class", "esc50, fold 4", "top-1") == 0.0
