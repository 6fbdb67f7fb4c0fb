from pathlib import Path

import numpy as np
import torch

from embedder.models.text_tower import TextShape, TextTower
from embedder.training.lessons import Sentences, picture_lessons
from embedder.training.loop import LoopRecipe
from embedder.training.recipe import SpaceRecipe, TextRecipe, TextTuningRecipe
from embedder.training.shards import ShardItem
from embedder.training.space import TeacherSpace
from embedder.training.text import TextLessons
from embedder.training.text_tuning import PairLessons, tune_text
from embedder.training.texts import PHOTO_TEMPLATES

LABELS, WORDS, END, STOP = ["dog", "cat"], 12, 39, 20


def pair_lessons() -> PairLessons:
    """Two kinds of pictures; each text is its template's id and its label's id."""
    random = np.random.default_rng(0)
    texts = [t.format(x) for x in LABELS for t in PHOTO_TEMPLATES]
    rows = [np.array([1, 2 + i % 10, WORDS + i // 10, END]) for i in range(len(texts))]
    vectors = random.standard_normal((len(texts), 384)).astype(np.float16)
    items = [
        ShardItem(f"x-{i}", "image", "png", "toys", LABELS[i % 2], (), (), None, "", "", Path(), i)
        for i in range(8)
    ]
    features = torch.from_numpy(random.standard_normal((2, 3305)).astype(np.float16)).repeat(4, 1)
    recipe = TextRecipe(batch=6, pool=2)
    pictures = picture_lessons(items, [features], Sentences(texts, vectors), SpaceRecipe())
    kept = TextLessons(rows, vectors, np.array(["label"] * len(rows)), STOP, recipe)
    torch.manual_seed(0)
    return PairLessons(kept, rows, pictures, TeacherSpace().eval().requires_grad_(False))


def test_each_text_stands_beside_a_picture_it_describes() -> None:
    lessons = pair_lessons()
    batch = lessons(3)
    kinds = batch.ids[:, 2]
    same = kinds[:, None] == kinds
    assert not (batch.negatives & same).any()
    assert torch.equal(batch.images @ batch.images.T > 0.999, same)
    assert torch.equal(batch.ids, lessons(3).ids)


def test_a_tower_learns_to_tell_pictures_apart(tmp_path: Path) -> None:
    lessons = pair_lessons()
    tower = TextTower(TextShape(vocabulary=40, context=8, width=16, heads=2, layers=1))
    loop = LoopRecipe(steps=80, learning_rate=1e-2, warmup=2, ema=0.0)
    tuned = tune_text(tower, lessons, TextTuningRecipe(loop, batch=6, pair_weight=20.0), tmp_path)
    batch = lessons(100)
    likeness = tuned(batch.ids) @ batch.images.T
    right = likeness.diagonal()[:, None] > likeness
    assert right[batch.negatives].float().mean() > 0.9


def test_what_other_threads_do_to_autocast_s_cache_changes_no_bit(tmp_path: Path) -> None:
    def tuned(folder: Path, *, emptied: bool) -> TextTower:
        torch.manual_seed(0)
        tower = TextTower(TextShape(vocabulary=40, context=8, width=16, heads=2, layers=1))
        if emptied:  # as by a thread that leaves an autocast of its own
            tower.register_forward_hook(lambda *_: torch.clear_autocast_cache())
        loop = LoopRecipe(steps=4, learning_rate=1e-2, warmup=1, ema=0.0)
        return tune_text(tower, pair_lessons(), TextTuningRecipe(loop, batch=6), folder)

    alone, beside = tuned(tmp_path / "1", emptied=False), tuned(tmp_path / "2", emptied=True)
    for mine, theirs in zip(beside.parameters(), alone.parameters(), strict=True):
        assert torch.equal(mine, theirs)
