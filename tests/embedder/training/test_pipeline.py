from pathlib import Path

import numpy as np

from embedder.media import Modality, Text
from embedder.training.pipeline import Workshop, sample_vectors
from embedder.training.recipe import Recipe
from embedder.training.shards import read_items
from tests.embedder.test_evaluate import keys, png, row, write
from tests.fakes import FakeEmbedder
from tests.samples import audio_bytes, tone


def shop(tmp_path: Path, recipe: Recipe) -> Workshop:
    taught, held = keys("toys", 6, held_out=False), keys("toys", 2, held_out=True)
    rows = [row(k, dataset="toys", media=png("red"), captions=["red"]) for k in taught]
    rows += [row(k, dataset="toys", media=png("blue"), captions=["blue"]) for k in held]
    clip = {"modality": "audio", "dataset": "esc50", "media": audio_bytes(tone())}
    rows += [row(f"clip-{i}", fold=1, captions=["loud"], **clip) for i in range(3)]
    write(tmp_path / "train", "train-000.parquet", rows)
    return Workshop(tmp_path, tmp_path, tmp_path, recipe, read_items(tmp_path / "train"))


def test_the_geometry_is_measured_on_training_items_alone(tmp_path: Path) -> None:
    embedder = FakeEmbedder()
    vectors = sample_vectors(embedder, shop(tmp_path, Recipe(samples=100)))
    assert {m: len(rows) for m, rows in vectors.items()} == {
        Modality.IMAGE: 6,
        Modality.AUDIO: 3,
        Modality.TEXT: 9,
    }
    blue = 2  # FakeEmbedder's axis of that name
    assert np.abs(vectors[Modality.IMAGE][:, blue]).max() < 1e-6


def test_as_many_items_are_sampled_as_the_recipe_says(tmp_path: Path) -> None:
    vectors = sample_vectors(FakeEmbedder(), shop(tmp_path, Recipe(samples=2)))
    assert all(len(rows) == 2 for rows in vectors.values())


def test_half_of_the_texts_describe_sounds(tmp_path: Path) -> None:
    vectors = sample_vectors(FakeEmbedder(), shop(tmp_path, Recipe(samples=4)))
    expected = FakeEmbedder().embed([Text("red")] * 2 + [Text("loud")] * 2)
    np.testing.assert_allclose(vectors[Modality.TEXT], expected)
