"""The generator's training: what it draws, and that words drive what it learnt from pictures."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedder.conditioning.generator.sampler import Generator, PictureSampling
from embedder.conditioning.generator.shape import GeneratorShape
from embedder.media import Image, Text
from embedder.training.generator import Lessons, as_it_is, as_pictures, make_generator, shares
from embedder.training.generator_photos import Photos, cached_photos
from embedder.training.generator_recipe import GeneratorRecipe, GeneratorStage
from embedder.training.loop import LoopRecipe
from embedder.training.shards import ShardItem, read_items
from tests.embedder.test_evaluate import keys, row, write
from tests.fakes import DIM, FakeEmbedder
from tests.samples import image_bytes

COLOURS = {"red": (200, 40, 40), "blue": (40, 60, 200)}


def stage(size: int, steps: int) -> GeneratorStage:
    loop = LoopRecipe(steps=steps, learning_rate=5e-3, warmup=10, ema=0.97, seed=size)
    return GeneratorStage(loop, size=size, batch=32, time=(-1.0, 1.0))


RECIPE = GeneratorRecipe(
    shape=GeneratorShape(
        dim=DIM, size=16, fine=8, middle=16, width=32, layers=1, heads=2, tokens=1
    ),
    stages=(stage(8, 80), stage(16, 80)),
    noise=0.3,
    parts=1,
)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "1")


def toy(colour: str, seed: int) -> bytes:
    shade = np.random.default_rng(seed).integers(-20, 21, 3) + COLOURS[colour]
    return image_bytes(Image(np.full((20, 24, 3), shade, np.uint8)))


def toys(folder: Path) -> list[ShardItem]:
    """Red and blue pictures to learn from, and one that is held out."""
    taught, held = keys("toys", 40, held_out=False), keys("toys", 1, held_out=True)
    colours = [("red", "blue")[i % 2] for i in range(len(taught))]
    rows = [
        row(key, dataset="toys", media=toy(colour, i))
        for i, (key, colour) in enumerate(zip(taught, colours, strict=True))
    ]
    rows += [row(key, dataset="toys", media=toy("red", 0)) for key in held]
    write(folder, "train-000.parquet", rows)
    return read_items(folder)


def photos(count: int = 12) -> Photos:
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    vectors = random.standard_normal((count, DIM)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Photos(np.arange(count).astype(str), pixels, vectors, space="here")


def test_words_drive_a_generator_that_learnt_from_pictures_alone(tmp_path: Path) -> None:
    embedder, out = FakeEmbedder(), tmp_path / "out"
    path = make_generator(toys(tmp_path / "shards"), embedder, out, RECIPE)
    generator = Generator.load(path, space=embedder.space.id)
    assert generator.file.steps == 160
    words = embedder.embed([Text("red"), Text("blue")] * 2)
    made = generator.sample(words, PictureSampling(steps=8, guidance=1.0))
    expected = [COLOURS["red"], COLOURS["blue"]] * 2
    np.testing.assert_allclose(made.mean((1, 2)), expected, atol=45)


def test_a_run_that_was_stopped_gives_what_it_has(tmp_path: Path) -> None:
    items, embedder = toys(tmp_path / "shards"), FakeEmbedder()
    with pytest.raises(FileNotFoundError, match="checkpoint"):
        as_it_is(tmp_path, RECIPE, embedder.space)
    make_generator(items, embedder, tmp_path, replace(RECIPE, stages=(stage(8, 3),)))
    found = as_it_is(
        tmp_path, replace(RECIPE, stages=(stage(8, 50), stage(16, 80))), embedder.space
    )
    assert (found.steps, found.shape.size) == (3, 8)


def test_held_out_pictures_are_not_learnt_from(tmp_path: Path) -> None:
    items = toys(tmp_path / "shards")
    make_generator(items, FakeEmbedder(), tmp_path, replace(RECIPE, stages=(stage(8, 1),)))
    with np.load(tmp_path / "photos.npz") as arrays:
        assert len(arrays["keys"]) == len(items) - 1


def test_pictures_are_embedded_once_for_a_space_and_a_size(tmp_path: Path) -> None:
    items = toys(tmp_path / "shards")[:3]
    path = tmp_path / "photos.npz"
    first = cached_photos(items, FakeEmbedder(), 16, path)
    expected = FakeEmbedder().embed(
        [Image(np.full((9, 9, 3), p[0, 0], np.uint8)) for p in first.pixels]
    )
    np.testing.assert_allclose(first.vectors, expected, atol=1e-5)
    written = path.stat().st_mtime_ns
    assert cached_photos(items, FakeEmbedder(), 16, path).keys.tolist() == first.keys.tolist()
    assert path.stat().st_mtime_ns == written
    other = cached_photos(items, FakeEmbedder(name="other"), 16, path)
    assert other.space != first.space
    assert cached_photos(items, FakeEmbedder(name="other"), 8, path).pixels.shape == (3, 8, 8, 3)


def test_a_lesson_is_the_same_for_the_same_step() -> None:
    lessons = Lessons(photos(), ["a"] * 12, RECIPE, RECIPE.stages[0])
    first, again, other = lessons(3), lessons(3), lessons(4)
    assert first.pictures.shape == (32, 3, 8, 8)
    for name in ("pictures", "noise", "times"):
        assert torch.equal(getattr(first, name), getattr(again, name))
        assert not torch.equal(getattr(first, name), getattr(other, name))


def test_parts_of_a_lesson_are_the_lesson() -> None:
    lesson = Lessons(photos(), ["a"] * 12, RECIPE, RECIPE.stages[0])(0)
    parts = lesson.parts(4)
    assert [len(part.times) for part in parts] == [8] * 4
    for name in ("pictures", "noise", "times"):
        whole = torch.cat([getattr(part, name) for part in parts])
        assert torch.equal(whole, getattr(lesson, name))
    for name in ("vectors", "levels", "known"):
        whole = torch.cat([getattr(part.heard, name) for part in parts])
        assert torch.equal(whole, getattr(lesson.heard, name))


def test_vectors_bear_the_noise_that_is_told() -> None:
    recipe = replace(RECIPE, stages=(replace(stage(8, 1), batch=4000),), exact=0.25)
    heard = Lessons(photos(1), ["a"], recipe, recipe.stages[0])(0).heard
    exact, levels = heard.levels == 0, heard.levels.numpy()
    assert exact.float().mean().item() == pytest.approx(0.25, abs=0.03)
    assert heard.known.mean().item() == pytest.approx(1 - recipe.dropout, abs=0.03)
    cosines = (heard.vectors @ torch.from_numpy(photos(1).vectors[0])).numpy()
    np.testing.assert_allclose(cosines[exact], 1.0, atol=1e-5)
    # Noise of L2 norm r on a unit vector leaves a cosine of about 1 / sqrt(1 + r^2).
    assert np.abs(cosines - 1 / np.sqrt(1 + levels**2)).mean() < 0.05


def test_sets_are_drawn_by_their_balanced_counts() -> None:
    sets = ["big"] * 9 + ["small"]
    np.testing.assert_allclose(shares(sets, 1.0), np.full(10, 0.1))
    np.testing.assert_allclose(shares(sets, 0.0)[-1], 0.5)
    np.testing.assert_allclose(shares(sets, 0.5)[-1], 1 / (3 + 1))


def test_smaller_pictures_are_means() -> None:
    pixels = np.zeros((1, 4, 4, 3), np.uint8)
    pixels[0, :2, :2] = 255
    found = as_pictures(pixels, 2)
    np.testing.assert_allclose(found[0, 0].numpy(), [[1.0, -1.0], [-1.0, -1.0]])


def test_a_device_with_bf16_learns_too() -> None:
    if not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    from embedder.conditioning.generator.network import Network
    from embedder.training.generator import flow_loss

    lesson = Lessons(photos(), ["a"] * 12, RECIPE, RECIPE.stages[0])(0)
    network = Network(RECIPE.shape).to("cuda")
    flow_loss(network, lesson).backward()  # type: ignore[no-untyped-call]
    assert network.last.weight.grad is not None
    assert torch.isfinite(network.last.weight.grad).all()
