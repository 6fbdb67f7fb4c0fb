"""The image tower: padding, shape, and independence of the batch, by values."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from embedder.features.image import SIZE
from embedder.models.image_tower import ImageShape, ImageTower


@pytest.fixture(scope="module")
def tower() -> ImageTower:
    torch.manual_seed(0)
    tower = ImageTower(ImageShape(dim=12))
    tower.eval()
    return tower


def same_by_hand(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """Pads as TensorFlow's SAME does at stride 2 on an even side: nothing before, one row after."""
    padded = torch.zeros(*x.shape[:2], x.shape[2] + 1, x.shape[3] + 1)
    padded[:, :, :-1, :-1] = x
    return functional.conv2d(padded, conv.weight, stride=2, groups=conv.groups)


def test_strided_convolutions_pad_as_tensorflow_does(tower: ImageTower) -> None:
    stem, depthwise = tower.trunk.conv_stem, tower.trunk.blocks[1][0].conv_dw
    picture, maps = torch.randn(1, 3, SIZE, SIZE), torch.randn(1, 96, 16, 16)
    torch.testing.assert_close(stem(picture), same_by_hand(stem, picture))
    torch.testing.assert_close(depthwise(maps), same_by_hand(depthwise, maps))


def test_a_batch_gives_what_its_pictures_give_alone(tower: ImageTower) -> None:
    x = torch.randn(3, 3, SIZE, SIZE)
    with torch.inference_mode():
        together = tower(x)
        alone = torch.cat([tower(picture[None]) for picture in x])
    assert together.shape == (3, 12)
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_the_vector_depends_on_the_whole_picture(tower: ImageTower) -> None:
    x = torch.zeros(5, 3, SIZE, SIZE)
    for i, (row, column) in enumerate([(0, 0), (0, -20), (-20, 0), (-20, -20)]):
        x[i, :, row : row + 20 or None, column : column + 20 or None] = 1.0
    with torch.inference_mode():
        vectors = tower(x)
    assert torch.pdist(vectors).min() > 1e-4


def test_it_is_of_the_planned_size() -> None:
    parameters = sum(p.numel() for p in ImageTower(ImageShape()).parameters())
    assert 3_000_000 < parameters < 5_000_000
