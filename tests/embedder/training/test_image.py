"""The image tower's training, piece by piece, against plain readings of each piece."""

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from embedder.errors import WeightsError
from embedder.models.image_tower import ImageShape, ImageTower
from embedder.training.image_maps import (
    MapLoss,
    fit_start,
    folded,
    map_error,
    measure_scales,
    unfold,
    whiten_layers,
)  # fmt: skip
from embedder.training.image_vectors import FoldedTower, StandardisedHead
from embedder.training.teachers.image import (
    FoldedConv,
    MobileNetV2,
    as_quantised,
    read_convolutions,
    same_padding,
)  # fmt: skip
from embedder.training.views import Pictures, ViewRecipe, jittered


def trunk(seed: int) -> MobileNetV2:
    torch.manual_seed(seed)
    tower = ImageTower(ImageShape())
    for name, value in tower.trunk.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.normal_(0, 0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 2.0)
    return folded(tower.trunk).eval()


def images(count: int = 2, size: int = 64) -> Tensor:
    coarse = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    return functional.interpolate(coarse, size=size, mode="bicubic").clamp(-1, 1)


# Convolutions


@pytest.mark.parametrize(("size", "expected"), [(8, (0, 1)), (7, (1, 1)), (14, (0, 1))])
def test_same_padding_at_stride_two(size: int, expected: tuple[int, int]) -> None:
    assert same_padding(size, 3, 2) == expected


@pytest.mark.parametrize("side", [8, 7])
@pytest.mark.parametrize("groups", [1, 4])
def test_a_strided_convolution_is_the_same_in_training(side: int, groups: int) -> None:
    torch.manual_seed(0)
    conv = FoldedConv(torch.randn(4, 4 // groups, 3, 3), torch.randn(4), 2, groups)
    x = torch.randn(2, 4, side, side)
    before, after = same_padding(side, 3, 2)
    padded = functional.pad(x, (before, after, before, after))
    expected = functional.conv2d(padded, conv.weight, conv.bias, 2, groups=groups)
    torch.testing.assert_close(conv.train()(x), expected)
    torch.testing.assert_close(conv.eval()(x), expected)


def test_the_bias_is_what_comes_out_at_the_centre() -> None:
    torch.manual_seed(0)
    conv = FoldedConv(torch.randn(5, 3, 1, 1), torch.randn(5), 1, 1)
    conv.center.normal_()
    out = conv(conv.center[None, :, None, None])
    torch.testing.assert_close(out[0, :, 0, 0], conv.bias)


# The trunk, folded and unfolded


def test_folding_and_unfolding_change_nothing() -> None:
    tower = ImageTower(ImageShape()).eval()
    torch.nn.init.normal_(tower.trunk.bn1.running_mean, 0, 0.1)
    student, x = folded(tower.trunk).eval(), images()
    with torch.inference_mode():
        expected = tower.trunk(x)
    torch.testing.assert_close(student.pooled(x), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(student(x).pooled, expected, rtol=1e-4, atol=1e-5)
    other = ImageTower(ImageShape()).eval()
    unfold(student, other.trunk)
    torch.testing.assert_close(other.trunk(x), expected, rtol=1e-4, atol=1e-5)


def test_white_coordinates_change_nothing_at_first() -> None:
    student, teacher, x = trunk(0), trunk(1), images(8)
    before = student.pooled(x).detach()
    whiten_layers(student, x, teacher(x))
    assert student.convolutions()[0].basis is not None
    torch.testing.assert_close(student.pooled(x), before, rtol=1e-3, atol=1e-4)


def test_a_student_that_reads_the_teacher_s_maps_passes_no_error_on() -> None:
    student, teacher, x = trunk(0), trunk(1), images()
    theirs = teacher(x)
    student.last.load_state_dict(teacher.last.state_dict())
    torch.testing.assert_close(student(x, theirs).last, theirs.last)
    assert not torch.allclose(student(x).last, theirs.last, atol=1e-2)
    inner = teacher.get_submodule("blocks.5.1")
    student.get_submodule("blocks.5.1").load_state_dict(inner.state_dict())
    inside = student(x, theirs).hidden[5][1]
    torch.testing.assert_close(inside, theirs.hidden[5][1])


@torch.no_grad()
def test_the_start_has_the_teacher_s_mean_and_spread() -> None:
    student, teacher, x = trunk(0), trunk(1), images(8)
    theirs = teacher(x)
    fit_start(student, x, theirs)
    mine = student(x, theirs).hidden[3][2]
    torch.testing.assert_close(mine.std((0, 2, 3)), theirs.hidden[3][2].std((0, 2, 3)))
    torch.testing.assert_close(
        mine.mean((0, 2, 3)), theirs.hidden[3][2].mean((0, 2, 3)), rtol=1e-3, atol=1e-3
    )


# Losses


def test_map_error_is_the_plain_one_with_its_gradient() -> None:
    torch.manual_seed(0)
    scale = torch.rand(1, 4, 1, 1)
    mine, theirs = torch.randn(2, 4, 5, 5, requires_grad=True), torch.randn(2, 4, 5, 5)
    plain = ((mine - theirs) * scale).square().mean()
    (expected,) = torch.autograd.grad(plain, mine)
    error = map_error(mine, theirs, scale)
    (gradient,) = torch.autograd.grad(error, mine)
    torch.testing.assert_close(error, plain)
    torch.testing.assert_close(gradient, expected)


def test_the_map_loss_of_the_teacher_itself_is_zero() -> None:
    teacher, x = trunk(1), images()
    maps = teacher(x)
    losses = MapLoss(measure_scales(maps), 0.5)(maps, maps)
    assert losses["maps"].item() == 0
    other = MapLoss(measure_scales(maps), 0.5)(trunk(2)(x), maps)
    assert other["maps"] > 0.5


# The tower


def test_the_tower_that_ships_is_the_one_that_learnt() -> None:
    tower = FoldedTower(trunk(0), ImageTower(ImageShape()).head).eval()
    x = images(size=96)
    with torch.inference_mode():
        expected = tower.head(tower.trunk.pooled(x))
        torch.testing.assert_close(tower.unfolded().eval()(x), expected, rtol=1e-3, atol=1e-4)


def test_the_merged_head_does_what_the_head_in_training_did() -> None:
    torch.manual_seed(0)
    features = 3 + 2 * torch.randn(50, 1280)
    model = StandardisedHead(ImageTower(ImageShape()).head, features, dropout=0.5).eval()
    torch.testing.assert_close(model.merged()(features), model(features), rtol=1e-3, atol=1e-4)
    kept = torch.rand(50, 1280) < 0.5
    thinned = model.mean + 2 * kept * (features - model.mean)
    torch.testing.assert_close(model.merged()(thinned), model(features, kept), rtol=1e-3, atol=1e-4)


# Teachers and views


def test_a_teacher_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none at .*absent\.tflite"):
        read_convolutions(tmp_path / "absent.tflite")


def test_the_teacher_s_scale() -> None:
    pixels = torch.tensor([0.0, 128.0, 255.0])
    torch.testing.assert_close(as_quantised(pixels / 127.5 - 1), (pixels - 128) / 128)


def files(count: int = 5) -> list[bytes]:
    encoded = []
    for i in range(count):
        file = io.BytesIO()
        PIL.Image.new("RGB", (30, 20), (40 * i, 0, 0)).save(file, "PNG")
        encoded.append(file.getvalue())
    return encoded


def test_every_picture_comes_once_an_epoch() -> None:
    pictures = Pictures(files(), seed=3)
    seen = np.concatenate([pictures.indices(step, 2) for step in range(5)])
    assert sorted(seen[:5]) == sorted(seen[5:]) == list(range(5))
    assert pictures.indices(1, 2).tolist() == Pictures(files(), seed=3).indices(1, 2).tolist()


def test_a_step_always_has_the_same_views() -> None:
    recipe, pictures = ViewRecipe(size=16, jitter=0.2), Pictures(files(), seed=3)
    rows = np.array([1, 4])
    first, again = (pictures.views(rows, 7, recipe) for _ in range(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, pictures.views(rows, 8, recipe))
    assert first.shape == (2, 3, 16, 16)


def test_a_whole_view_of_one_colour_keeps_it() -> None:
    view = Pictures(files(), seed=0).views(np.array([4]), 0, ViewRecipe(size=8, area=(1.0, 1.0)))
    expected = torch.tensor([160 / 127.5 - 1, -1.0, -1.0])[None, :, None, None]
    torch.testing.assert_close(view, expected.expand(1, 3, 8, 8))


def test_jitter_stays_in_range_and_near_the_picture() -> None:
    views = np.random.default_rng(0).uniform(-1, 1, (4, 3, 8, 8)).astype(np.float32)
    coloured = jittered(views, 0.1, np.random.default_rng(1))
    assert np.abs(coloured).max() <= 1
    assert np.corrcoef(coloured.ravel(), views.ravel())[0, 1] > 0.9
