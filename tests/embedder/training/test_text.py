from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from embedder.models.text_tower import TextShape, TextTower
from embedder.training.recipe import TextRecipe
from embedder.training.text import TextLessons, distillation, embed_ids

RECIPE = TextRecipe(batch=4, pool=3, full_stops=0.5, context=8)
END, STOP = 19, 7


def rows() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [
        np.array([1, *random.integers(8, 19, size=length), END])
        for length in random.integers(1, 7, size=40)
    ]


def lessons() -> TextLessons:
    vectors = np.random.default_rng(1).standard_normal((40, 6)).astype(np.float16)
    return TextLessons(rows(), vectors, np.array(["word"] * 40), STOP, RECIPE)


def test_kinds_are_drawn_as_often_as_their_emphasis_says() -> None:
    recipe = replace(RECIPE, emphasis=(("word", 1.0), ("name", 9.0)))
    kinds = np.array(["word", "name"] * 20)
    vectors = np.zeros((40, 1), np.float16)
    vectors[1::2] = 1.0
    source = TextLessons(rows(), vectors, kinds, STOP, recipe)
    named = np.mean([source(step).targets.mean().item() for step in range(300)])
    assert 0.75 < named < 0.95


def test_a_step_sees_the_same_batch_in_every_run() -> None:
    for step in (0, 5):
        first, second = lessons()(step), lessons()(step)
        assert torch.equal(first.ids, second.ids)
        assert torch.equal(first.targets, second.targets)
    assert not torch.equal(lessons()(0).targets, lessons()(1).targets)


def test_a_pool_shows_no_text_twice() -> None:
    source = lessons()
    targets = torch.cat([source(step).targets for step in range(RECIPE.pool)])
    assert len({tuple(row.tolist()) for row in targets}) == RECIPE.batch * RECIPE.pool


def test_a_full_stop_goes_before_the_end_mark_and_never_beyond_the_context() -> None:
    source = lessons()
    seen = [row[row > 0].tolist() for step in range(30) for row in source(step).ids]
    assert all(row[-1] == END and row.count(END) == 1 and len(row) <= 8 for row in seen)
    stopped = [row for row in seen if row[-2] == STOP]
    assert 0 < len(stopped) < len(seen)


def test_the_teacher_itself_has_the_least_loss() -> None:
    torch.manual_seed(0)
    targets = functional.normalize(torch.randn(16, 8), dim=1)
    best = distillation(targets, targets, RECIPE)
    assert best["cosine"] == pytest.approx(1.0)
    worse = distillation(functional.normalize(targets + torch.randn(16, 8), dim=1), targets, RECIPE)
    assert worse["loss"] > best["loss"]
    assert worse["relation"] > best["relation"]


def test_embedding_rows_of_many_lengths_equals_embedding_each_alone() -> None:
    torch.manual_seed(0)
    shape = TextShape(vocabulary=20, context=8, width=16, heads=2, layers=1, dim=6)
    tower = TextTower(shape).eval()
    together = embed_ids(tower, rows(), batch=7)
    alone = np.concatenate([embed_ids(tower, [row]) for row in rows()])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1.0, atol=1e-5)
