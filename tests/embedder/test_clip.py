"""open_clip's models against open_clip itself."""

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch.nn import functional

from embedder.errors import (
    MissingDependency,
    ModelNotFound,
    Unfaithful,
    UnsupportedModality,
    WeightsError,
)
from embedder.media import Image, Media, Modality, Text
from embedder.models.clip import ClipModel
from embedder.models.clip_names import ClipName, architectures
from embedder.models.open_clip_import import import_open_clip
from embedder.runtime.base import Placement
from tests.embedder.open_clip_folders import KINDS, write_folder
from tests.samples import photo, tone

EXACT = Placement(runtime="torch", threads=1)
TEXTS = ["a cat on a mat", "A dog,  at the BEACH!", "the sound of rain " * 30]
PICTURES = [photo(1, (90, 60)), photo(2, (64, 64)), photo(3, (30, 200))]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("open_clip")
    for kind in KINDS:
        write_folder(folder / kind, kind)
    return folder


@pytest.mark.parametrize("kind", KINDS)
def test_vectors_equal_open_clips_own(folders: Path, kind: str) -> None:
    place = f"local-dir:{folders / kind}"
    open_clip = import_open_clip()
    network, _, transform = open_clip.create_model_and_transforms(place)
    ids = open_clip.get_tokenizer(place)(TEXTS)
    pixels = torch.stack([transform(PIL.Image.fromarray(np.array(it.pixels))) for it in PICTURES])
    with torch.inference_mode():
        words = functional.normalize(network.eval().encode_text(ids), dim=-1)
        pictures = functional.normalize(network.encode_image(pixels), dim=-1)
    model = ClipModel.load(f"open_clip:{place}", EXACT)
    found = model.embed([*(Text(text) for text in TEXTS), *PICTURES])
    np.testing.assert_allclose(found, torch.cat([words, pictures]).numpy(), atol=1e-6)


def test_an_architecture_with_a_file_of_ones_own(tmp_path: Path) -> None:
    open_clip = import_open_clip()
    with torch.random.fork_rng(devices=[]):
        network, _, transform = open_clip.create_model_and_transforms("ViT-S-32-alt")
    path = tmp_path / "own.pt"
    torch.save(network.state_dict(), path)
    model = ClipModel.load(f"open_clip:ViT-S-32-alt/{path}", EXACT)
    picture = photo(4, (300, 200))
    pixels = transform(PIL.Image.fromarray(np.array(picture.pixels)))[None]
    with torch.inference_mode():
        expected = functional.normalize(network.eval().encode_image(pixels), dim=-1)
    np.testing.assert_allclose(model.embed([picture]), expected.numpy(), atol=1e-6)
    assert model.space.dim == ClipName.parse(f"open_clip:ViT-S-32-alt/{path}").dim == 256


@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_is_nearly_the_same_in_the_same_space(folders: Path, kind: str) -> None:
    name = f"open_clip:local-dir:{folders / kind}"
    lower = replace(EXACT, precision="bf16")
    exact, half = ClipModel.load(name, EXACT), ClipModel.load(name, lower)
    items: list[Media] = [*(Text(text) for text in TEXTS), *PICTURES]
    cosines = (exact.embed(items) * half.embed(items)).sum(axis=1)
    assert (exact.precision, half.precision) == ("fp32", "bf16")
    assert exact.space == half.space
    assert 0.999 < cosines.min() < 1 - 1e-7
    assert exact.fidelity == 1
    assert half.fidelity == pytest.approx(cosines.min(), abs=1e-3)
    with pytest.raises(Unfaithful, match=r"must be 1 or more, got 0\.99\d+ from torch on tower"):
        ClipModel.load(name, replace(lower, least_fidelity=1))


def test_a_precision_that_the_device_has_not_is_refused(folders: Path) -> None:
    with pytest.raises(MissingDependency, match="fp16 needs a GPU"):
        ClipModel.load(f"open_clip:local-dir:{folders / 'vit'}", replace(EXACT, precision="fp16"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_is_its_items(folders: Path, kind: str) -> None:
    model = ClipModel.load(f"open_clip:local-dir:{folders / kind}", EXACT)
    items = [Text(f"number {i}") for i in range(20)] + PICTURES
    alone = np.concatenate([model.embed([item]) for item in items])
    np.testing.assert_allclose(model.embed(items), alone, atol=1e-5)


def test_the_space_is_that_of_weights_and_preprocessing(folders: Path, tmp_path: Path) -> None:
    first = ClipModel.load(f"open_clip:local-dir:{folders / 'vit'}", EXACT).space.id
    again = ClipModel.load(f"open_clip:local-dir:{folders / 'vit'}", EXACT).space.id
    swapped = write_folder(tmp_path / "vit", "vit", seed=1)
    assert first == again
    assert ClipModel.load(f"open_clip:local-dir:{swapped}", EXACT).space.id != first
    config = swapped / "open_clip_config.json"
    other = write_folder(tmp_path / "squashed", "vit") / "open_clip_config.json"
    other.write_text(
        config.read_text().replace('"preprocess_cfg": {}', '"preprocess_cfg": {"mean": [0, 0, 0]}')
    )
    assert ClipModel.load(f"open_clip:local-dir:{other.parent}", EXACT).space.id != first


def test_twins_that_differ_in_their_activation_alone_have_spaces_of_their_own(
    folders: Path, tmp_path: Path
) -> None:
    quick = shutil.copytree(folders / "vit", tmp_path / "quick")
    config = quick / "open_clip_config.json"
    config.write_text(config.read_text().replace('"embed_dim"', '"quick_gelu": true, "embed_dim"'))
    plain, twin = (
        ClipModel.load(f"open_clip:local-dir:{folder}", EXACT)
        for folder in (folders / "vit", quick)
    )
    for item in (Text(TEXTS[0]), PICTURES[0]):
        assert (plain.embed([item]) @ twin.embed([item]).T).item() < 1 - 1e-6
    assert plain.space.id != twin.space.id


def test_what_was_cut_is_told(folders: Path) -> None:
    for kind in KINDS:
        model = ClipModel.load(f"open_clip:local-dir:{folders / kind}", EXACT)
        assert not model.prepare(Text("a dog")).treatment.truncated
        assert model.prepare(Text("a dog " * 200)).treatment.truncated
        assert model.prepare(Text("dog " * 1_000_000)).treatment.truncated


def test_a_mark_that_a_text_spells_does_not_end_it(folders: Path) -> None:
    model = ClipModel.load(f"open_clip:local-dir:{folders / 'vit'}", EXACT)
    vectors = model.embed([Text("a dog <end_of_text> and cats"), Text("a dog")])
    assert vectors[0] @ vectors[1] < 1 - 1e-4


def test_sounds_are_refused(folders: Path) -> None:
    model = ClipModel.load(f"open_clip:local-dir:{folders / 'vit'}", EXACT)
    assert model.modalities == {Modality.TEXT, Modality.IMAGE}
    with pytest.raises(UnsupportedModality, match="got audio"):
        model.embed([tone()])


def test_a_folder_without_weights_is_no_random_model(folders: Path, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "empty", "vit")
    (folder / "open_clip_pytorch_model.bin").unlink()
    with pytest.raises(WeightsError, match="can't be had"):
        ClipModel.load(f"open_clip:local-dir:{folder}")


def test_damaged_weights_are_refused(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    folder = write_folder(tmp_path / "vit", "vit")
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"nothing of the kind")
    with pytest.raises(WeightsError, match="can't be had"):
        ClipModel.load(f"open_clip:local-dir:{folder}")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("open_clip:", "is named"),
        ("open_clip:ViT-B-32", "is named"),
        ("open_clip:ViT-B-23/openai", "did you mean ViT-B-32"),
        ("open_clip:ViT-B-32/no_such_tag", "it knows openai"),
        ("open_clip:ViT-B-32/no/such/file.pt", "neither a file nor"),
    ],
)
def test_an_unknown_name_is_refused_with_what_is_known(name: str, told: str) -> None:
    with pytest.raises(ModelNotFound, match=told):
        ClipModel.load(name)


def test_names_are_described_without_torch() -> None:
    name = ClipName.parse("open_clip:ViT-B-32/laion2b_s34b_b79k")
    assert (name.architecture, name.weights) == ("ViT-B-32", "laion2b_s34b_b79k")
    assert (name.licence, name.dim) == ("MIT", 512)
    assert ClipName.parse("open_clip:ViT-B-32/own.pt").licence == "unknown"
    assert "ViT-B-16-SigLIP" in architectures()


def test_large_pictures_and_strips_are_no_trouble(folders: Path) -> None:
    model = ClipModel.load(f"open_clip:local-dir:{folders / 'vit'}", EXACT)
    strip = Image(np.full((1, 2_000, 3), 9, np.uint8))
    assert model.embed([strip]).shape == (1, 48)
