"""`kindred generate`, on a real file of an untrained generator; only the model is a fake."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from numpy.typing import NDArray

from embedder.conditioning.generator.network import Network
from embedder.conditioning.generator.shape import GeneratorShape
from embedder.conditioning.generator.weights import GeneratorFile
from service.cli.generate import grid, zoomed
from tests.fakes import DIM, FakeEmbedder
from tests.samples import audio_bytes, image_bytes, picture, tone
from tests.service.test_cli import kindred

SHAPE = GeneratorShape(
    dim=DIM, size=16, fine=8, middle=16, width=32, layers=1, heads=2, tokens=1
)  # fmt: skip


def weights(folder: Path, space: str) -> Path:
    """Writes a generator that has learnt nothing, and yet listens."""
    torch.manual_seed(0)
    network = Network(SHAPE)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return GeneratorFile(SHAPE, space, "recipe", 0, tensors).save(folder / "demo.safetensors")


def pixels(path: Path) -> NDArray[np.uint8]:
    with PIL.Image.open(path) as opened:
        return np.asarray(opened)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return weights(tmp_path, FakeEmbedder().space.id)


def test_words_pictures_and_sounds_become_one_picture(tmp_path: Path, demo: Path) -> None:
    (tmp_path / "red.png").write_bytes(image_bytes(picture("red")))
    (tmp_path / "loud.wav").write_bytes(audio_bytes(tone()))
    media = ("--image", tmp_path / "red.png", "--audio", tmp_path / "loud.wav")
    out = tmp_path / "out.png"
    asked = ("generate", "--text", "red", *media, "--steps", "2", "--weights", demo, "-o", out)
    done = kindred(*asked, "--seed", "3")
    assert done.exit_code == 0, done.output
    assert "seed 3" in done.stderr
    first = pixels(out)
    assert first.shape == (16, 16, 3)
    kindred(*asked, "--seed", "3")
    np.testing.assert_array_equal(pixels(out), first)
    kindred(*asked, "--seed", "4")
    assert (pixels(out) != first).any()


def test_several_pictures_come_as_a_grid(tmp_path: Path, demo: Path) -> None:
    out = tmp_path / "out.png"
    some = ("--count", "3", "--steps", "1", "--zoom", "2", "--weights", demo, "-o", out)
    done = kindred("generate", "--text", "red", *some)
    assert done.exit_code == 0, done.output
    assert pixels(out).shape == (2 * (16 + 2 + 16), 2 * (16 + 2 + 16), 3)


def test_a_grid_holds_each_picture_in_its_place() -> None:
    pictures = np.arange(3, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    sheet = grid(pictures)
    assert sheet.shape == (10, 10, 3)
    assert [int(sheet[at].mean()) for at in ((0, 0), (0, 6), (6, 0), (6, 6))] == [0, 1, 2, 255]
    np.testing.assert_array_equal(zoomed(sheet, 2)[::2, 1::2], sheet)


def test_without_weights_the_error_says_what_makes_them(tmp_path: Path) -> None:
    none = tmp_path / "none.safetensors"
    done = kindred("generate", "--text", "red", "--weights", none, "-o", tmp_path / "out.png")
    assert done.exit_code != 0
    assert "kindred train --generator --data DIR --out DIR" in done.stderr


def test_a_generator_of_another_space_is_refused(tmp_path: Path) -> None:
    other = weights(tmp_path, "elsewhere")
    done = kindred("generate", "--text", "red", "--weights", other, "-o", tmp_path / "out.png")
    assert done.exit_code == 2
    assert "elsewhere" in done.stderr


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "--text, --image or --audio"),
        (("--text", "red", "--bridge", "stairs"), "stairs"),
        (("--text", "red", "--steps", "0"), "steps must be 1 to 200"),
        (("--text", " "), "visible character"),
    ],
)
def test_wrong_use_is_refused(
    tmp_path: Path, demo: Path, asked: tuple[str, ...], said: str
) -> None:
    done = kindred("generate", *asked, "--weights", demo, "-o", tmp_path / "out.png")
    assert done.exit_code in (1, 2)
    assert said in done.stderr
    assert not (tmp_path / "out.png").exists()
