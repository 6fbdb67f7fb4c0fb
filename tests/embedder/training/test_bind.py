"""Binding sounds to a small frozen model, from a shard to vectors in its space."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from embedder.errors import UnsupportedModality, WeightsError
from embedder.media import Media, Modality, Text
from embedder.models.audio_tower import AudioShape, AudioTower
from embedder.models.bound import BoundFile, BoundModel, build_tower
from embedder.models.clip import ClipModel
from embedder.models.mini import WEIGHTS
from embedder.models.mini_towers import build_tower as build_mini
from embedder.models.mini_weights import read_weights
from embedder.runtime.base import Placement
from embedder.training.bind import Found, _info_nce, bind_audio, write
from embedder.training.bind_pairs import BindSenseRecipe
from embedder.training.loop import LoopRecipe
from tests.embedder.open_clip_folders import write_folder
from tests.embedder.training.sound_shards import NAMES, sound, write_sounds
from tests.fakes import FakeEmbedder
from tests.samples import photo, tone

TORCH = Placement(runtime="torch")
QUICK = BindSenseRecipe(
    LoopRecipe(steps=36, learning_rate=2e-3, warmup=5, ema=0.9, seed=1),
    batch=24,
    seconds=0.5,
    temperature=0.05,
)
STAGES = 7
"""Of kindred-mini's fourteen: the later ones take half of the time, and tones need them less."""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> ClipModel:
    folder = write_folder(tmp_path_factory.mktemp("base") / "vit", "vit")
    return ClipModel.load(f"open_clip:local-dir:{folder}", TORCH)


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sounds(tmp_path_factory.mktemp("shards") / "train")


@pytest.fixture(scope="module")
def body() -> AudioTower:
    whole = build_mini(Modality.AUDIO, read_weights(WEIGHTS))
    assert isinstance(whole, AudioTower)
    shape = whole.shape
    body = AudioTower(AudioShape(shape.dim, shape.widths[:STAGES], shape.strides[:STAGES]))
    body.stages.load_state_dict(whole.stages[:STAGES].state_dict())
    return body


@pytest.fixture(scope="module")
def bound(
    base: ClipModel, shards: Path, body: AudioTower, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Found]:
    path = tmp_path_factory.mktemp("bound") / "tones.safetensors"
    return path, bind_audio(base, shards, path, start=body, recipe=QUICK)


def test_held_out_sounds_find_their_texts_ten_times_as_often_as_by_chance(
    bound: tuple[Path, Found],
) -> None:
    _, found = bound
    assert found.texts > 12
    assert found.sounds >= 20
    assert found.first >= 10 * found.chance


def test_the_file_embeds_all_three_modalities_in_the_bases_space(
    bound: tuple[Path, Found], base: ClipModel
) -> None:
    model = BoundModel(base, BoundFile.read(bound[0]), TORCH)
    items: list[Media] = [Text("the sound of a bird"), photo(1), tone(2_000)]
    vectors = model.embed(items)
    assert model.modalities == set(Modality)
    assert vectors.shape == (3, base.space.dim)
    np.testing.assert_array_equal(vectors[:2], base.embed(items[:2]))
    assert model.space.id != base.space.id


def test_what_was_judged_is_what_is_served(bound: tuple[Path, Found], base: ClipModel) -> None:
    model = BoundModel(base, BoundFile.read(bound[0]), TORCH)
    texts = model.embed([Text(f"the sound of a {name}") for name in NAMES])
    random = np.random.default_rng(6)
    sounds = model.embed([sound(place, random) for place in range(len(NAMES))])
    right = (sounds @ texts.T).argmax(1) == np.arange(len(NAMES))
    assert right.mean() >= 10 / len(NAMES)


def test_bound_again_it_goes_on_and_changes_nothing(
    bound: tuple[Path, Found], base: ClipModel, shards: Path, body: AudioTower
) -> None:
    path, found = bound
    before = path.read_bytes()
    assert bind_audio(base, shards, path, start=body, recipe=QUICK) == found
    assert path.read_bytes() == before


def test_the_card_says_what_was_found(bound: tuple[Path, Found]) -> None:
    card = BoundFile.read(bound[0]).card
    assert f"{bound[1].first:.1%}" in card
    assert "open_clip:local-dir:" in card


def test_other_weights_of_the_base_are_refused(bound: tuple[Path, Found], tmp_path: Path) -> None:
    swapped = ClipModel.load(f"open_clip:local-dir:{write_folder(tmp_path / 'vit', 'vit', seed=3)}")
    with pytest.raises(WeightsError, match="other weights or preprocessing"):
        BoundModel(swapped, BoundFile.read(bound[0]))


def test_damaged_files_are_refused(bound: tuple[Path, Found], tmp_path: Path) -> None:
    damaged = tmp_path / "cut.safetensors"
    damaged.write_bytes(bound[0].read_bytes()[:5_000])
    with pytest.raises(WeightsError, match=r"cut\.safetensors"):
        BoundFile.read(damaged)
    with pytest.raises(WeightsError, match="must be a file"):
        BoundFile.read(tmp_path / "none.safetensors")
    file = BoundFile.read(bound[0])
    with pytest.raises(WeightsError, match="must fit"):
        build_tower(replace(file, shape={**file.shape, "dim": 7}))


def test_a_base_without_words_is_refused(shards: Path, tmp_path: Path) -> None:
    blind = FakeEmbedder(modalities=frozenset({Modality.IMAGE, Modality.AUDIO}))
    with pytest.raises(UnsupportedModality, match="must embed text; fake embeds audio, image"):
        bind_audio(blind, shards, tmp_path / "x.safetensors")


def test_a_folder_without_sounds_is_told(
    base: ClipModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileNotFoundError, match=r"must have \*\.parquet, and .* has none"):
        bind_audio(base, tmp_path, tmp_path / "file")
    monkeypatch.setattr("embedder.training.bind.read_items", lambda _: [])
    with pytest.raises(FileNotFoundError, match="must have sounds with captions"):
        bind_audio(base, tmp_path, tmp_path / "file")


def test_a_base_that_hears_gets_another_ear(body: AudioTower, tmp_path: Path) -> None:
    base, path = FakeEmbedder(), tmp_path / "ear.safetensors"
    tower = AudioTower(replace(body.shape, dim=base.space.dim))
    tower.stages.load_state_dict(body.stages.state_dict())
    write(path, tower, base, Found(1, 1, 1.0, 1.0, 1.0))
    model = BoundModel(base, BoundFile.read(path), TORCH)
    items: list[Media] = [tone(2_000), Text("red")]
    found, without = model.embed(items), base.embed(items)
    np.testing.assert_array_equal(found[1], without[1])
    assert float(found[0] @ without[0]) < 0.9


def test_info_nce_is_the_mean_of_both_directions() -> None:
    logits = torch.tensor([[2.0, 0.5, -1.0], [0.0, 1.0, 0.3]])
    right = torch.tensor([[True, False, False], [False, True, True]])
    rows = logits.double().exp()
    ahead = (
        -(
            torch.log(rows[0, 0] / rows[0].sum())
            + (torch.log(rows[1, 1] / rows[1].sum()) + torch.log(rows[1, 2] / rows[1].sum())) / 2
        )
        / 2
    )
    columns = rows / rows.sum(0)
    back = -(columns[0, 0].log() + columns[1, 1].log() + columns[1, 2].log()) / 3
    assert float(_info_nce(logits, right)) == pytest.approx(float((ahead + back) / 2), rel=1e-5)
