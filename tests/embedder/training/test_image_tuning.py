"""The image tower's last stage, on a handful of pictures."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from embedder.models.image_tower import ImageShape, ImageTower
from embedder.training.image import load_image_student, teach_image
from embedder.training.image_maps import folded
from embedder.training.image_recipe import ImageRecipe, ImageTuningRecipe, ImageVectorsRecipe
from embedder.training.image_tuning import MAPS, early_maps, free_later, tune_tower, windows
from embedder.training.image_vectors import FoldedTower, Guidance, Guide, VectorLesson
from embedder.training.lessons import Lessons, Sentences
from embedder.training.loop import LoopRecipe
from embedder.training.shards import ShardItem, read_items
from embedder.training.space import IMAGE_FEATURES, TEXT_FEATURES, TeacherSpace
from embedder.training.views import whole_view
from tests.embedder.test_evaluate import row, write

NAMES = ("one", "two", "three", "four", "five", "six")

RECIPE = ImageTuningRecipe(
    vectors=ImageVectorsRecipe(
        loop=LoopRecipe(steps=2, learning_rate=1e-3, warmup=1, ema=0.0, save_every=1),
        batch=4,
        texts=6,
        dropout=0.3,
    ),
    sample=4,
)


def png(name: str) -> bytes:
    random, file = np.random.default_rng(NAMES.index(name)), io.BytesIO()
    PIL.Image.fromarray(random.integers(256, size=(9, 7, 3), dtype=np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def pictures(tmp_path: Path) -> list[ShardItem]:
    rows = [row(c, dataset="toys", media=png(c), captions=[c]) for c in NAMES]
    write(tmp_path / "train", "train-000.parquet", rows)
    return read_items(tmp_path / "train")


def shipped(tower: FoldedTower) -> ImageTower:
    unfolded = tower.unfolded()
    assert isinstance(unfolded, ImageTower)
    unfolded.eval()
    return unfolded


@pytest.fixture
def tower() -> ImageTower:
    torch.manual_seed(0)
    fresh = ImageTower(ImageShape()).eval()
    return shipped(FoldedTower(folded(fresh.trunk), fresh.head))


@pytest.fixture
def guidance(pictures: list[ShardItem]) -> Guidance:
    torch.manual_seed(1)
    count = len(pictures)
    vectors = functional.normalize(torch.randn(count, TEXT_FEATURES), dim=1)
    lessons = Lessons(
        views=(torch.rand(count, IMAGE_FEATURES).half(),),
        sentences=Sentences(NAMES, vectors.half().numpy()),
        texts=torch.arange(count)[:, None].expand(count, 48),
        groups=torch.arange(count),
        odds=np.full(count, 1 / count),
        labels=vectors,
        answers=torch.arange(count),
        rivals=torch.ones(count, count, dtype=torch.bool),
        mixed=0.0,
        kin=0.9,
    )
    names = functional.normalize(torch.randn(1000, TEXT_FEATURES), dim=1)
    return Guidance(pictures, lessons, TeacherSpace().eval().requires_grad_(False), names)


def weights(tower: ImageTower) -> dict[str, Tensor]:
    return dict(tower.named_parameters())


@pytest.mark.parametrize("blocks", [0, 7, 17])
def test_early_and_late_blocks_make_the_whole(tower: ImageTower, blocks: int) -> None:
    trunk, x = folded(tower.trunk).eval(), torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(trunk.late(trunk.early(x, blocks), blocks), trunk(x).pooled)


def test_freeing_the_later_blocks_changes_nothing_at_first(tower: ImageTower) -> None:
    trunk, x = folded(tower.trunk).eval(), torch.rand(8, 3, 96, 96)
    with torch.no_grad():
        expected, maps = trunk.pooled(x), trunk.early(x, 7)
    free_later(trunk, 7, maps)
    with torch.no_grad():
        torch.testing.assert_close(trunk.pooled(x), expected, rtol=1e-3, atol=1e-4)
    free = [c.weight.requires_grad for c in trunk.convolutions()]
    assert free == [False] * 21 + [True] * 31  # the stem, 2 and 6 x 3 before; 10 x 3 and the last


def test_early_maps_are_those_of_whole_pictures(
    tower: ImageTower, pictures: list[ShardItem], tmp_path: Path
) -> None:
    trunk, path = folded(tower.trunk), tmp_path / "maps.npy"
    maps = early_maps(trunk, pictures, RECIPE, path)
    assert maps.shape == (len(NAMES), 14, 14, 64)
    x = torch.from_numpy(np.stack([whole_view(png(c)) for c in NAMES]))
    with torch.no_grad():
        expected = trunk.early(x, 7)
    found = windows(maps, np.arange(len(NAMES)), 14, np.random.default_rng(0))
    assert functional.cosine_similarity(found.flatten(1), expected.flatten(1)).min() > 0.99
    written = path.stat().st_mtime_ns
    early_maps(trunk, pictures, RECIPE, path)
    assert path.stat().st_mtime_ns == written


def test_a_window_is_a_part_of_the_maps() -> None:
    maps = np.arange(2 * 5 * 5 * 3).reshape(2, 5, 5, 3).astype(np.float16)
    sides = set()
    for seed in range(20):
        window = windows(maps, np.array([1]), 4, np.random.default_rng(seed))
        top, left = np.argwhere(maps[1, :, :, 0] == window[0, 0, 0, 0].item())[0]
        side = window.shape[3]
        part = maps[1, top : top + side, left : left + side]
        np.testing.assert_array_equal(window[0].permute(1, 2, 0), part)
        sides.add(side)
    assert sides == {4, 5}


def test_a_guide_s_parts_hold_every_picture_once() -> None:
    four = torch.arange(4)
    guide = Guide(
        four, four, torch.rand(6, 3), own=four, allowed=four, probabilities=four, kept=four
    )
    first, second = guide.parts(2)
    assert first.x.tolist() == [0, 1]
    assert second.own.tolist() == second.kept.tolist() == [2, 3]
    assert first.texts is second.texts is guide.texts


def test_the_dropout_of_a_step_depends_on_the_step_alone(guidance: Guidance) -> None:
    recipe = replace(RECIPE.vectors, batch=6)
    lesson = VectorLesson(guidance.space, guidance.lessons, guidance.names, recipe)
    first, again, other = (lesson.draw(step, torch.from_numpy).kept for step in (3, 3, 4))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.shape == (6, 1280)
    assert first.float().mean() == pytest.approx(1 - recipe.dropout, abs=0.02)


def test_an_older_run_s_student_is_tuned_in_later_blocks_and_head_alone(
    tower: ImageTower, guidance: Guidance, tmp_path: Path
) -> None:
    torch.save(tower.state_dict(), tmp_path / "student.pt")
    tuned = teach_image(guidance, tmp_path, ImageRecipe(tuned=RECIPE), tmp_path)
    before, after = weights(tower), weights(tuned)
    kept = {name for name in before if torch.allclose(before[name], after[name], atol=1e-6)}
    assert {"trunk.conv_stem.weight", "trunk.blocks.2.0.conv_dw.weight"} <= kept
    assert not kept & {"trunk.blocks.6.0.conv_dw.weight", "trunk.conv_head.weight"}
    assert not kept & {"head.mlp.fc1.weight", "head.mlp.fc2.weight"}
    student = load_image_student(tmp_path / "student.pt")
    assert torch.equal(student.trunk.conv_head.weight, tower.trunk.conv_head.weight)
    assert not (tmp_path / "tuned" / MAPS).exists()


def test_a_stopped_tuning_goes_on_to_the_very_same_weights(
    tower: ImageTower, guidance: Guidance, tmp_path: Path
) -> None:
    whole = tune_tower(tower, guidance, RECIPE, tmp_path / "whole").unfolded()
    half = replace(RECIPE.vectors, loop=replace(RECIPE.vectors.loop, steps=1))
    tune_tower(tower, guidance, replace(RECIPE, vectors=half), tmp_path / "parts")
    parts = tune_tower(tower, guidance, RECIPE, tmp_path / "parts").unfolded()
    for mine, theirs in zip(parts.parameters(), whole.parameters(), strict=True):
        assert torch.equal(mine, theirs)
