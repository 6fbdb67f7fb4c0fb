"""The audio tower: a batch changes nothing, and its layers are those of the published network."""

import torch
from torch.nn import functional

from embedder.models.audio_tower import (
    AudioShape,
    AudioTower,
    clip_features,
    conv_units,
    make_stages,
)

SMALL = AudioShape(dim=12, widths=(4, 8, 8), strides=(2, 1, 2))


def tower() -> AudioTower:
    torch.manual_seed(0)
    return AudioTower(SMALL).eval()


@torch.inference_mode()
def test_a_batch_gives_what_each_sound_gives_alone() -> None:
    sounds = torch.randn(3, 5, 96, 64)
    together = functional.normalize(tower()(sounds), dim=1)
    alone = torch.cat([functional.normalize(tower()(sound[None]), dim=1) for sound in sounds])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=0)


@torch.inference_mode()
def test_a_patch_twice_is_a_patch() -> None:
    patch = torch.randn(1, 1, 96, 64)
    torch.testing.assert_close(tower()(patch), tower()(patch.repeat(1, 3, 1, 1)))


@torch.inference_mode()
def test_the_order_of_patches_is_free() -> None:
    sound = torch.randn(1, 6, 96, 64)
    torch.testing.assert_close(tower()(sound), tower()(sound.flip(1)))


def test_features_are_roots_of_mean_and_maximum() -> None:
    features = clip_features(torch.tensor([[[0.0, 4.0], [2.0, 0.0]]]))
    expected = torch.tensor([[1.0, 2.0, 2.0, 4.0]]).add(1e-4).sqrt()
    torch.testing.assert_close(features, expected)


@torch.inference_mode()
def test_padding_at_stride_two_is_tensorflows() -> None:
    """SAME pads an even side at its end: the first output cell sees the first three input cells."""
    stem = make_stages(AudioShape(widths=(1,), strides=(2,)))[0]
    unit = conv_units(stem)[0]
    assert unit.conv.bias is not None
    unit.conv.weight.fill_(0.0)
    unit.conv.weight[0, 0, 0, 0] = 1.0
    unit.conv.bias.fill_(0.0)
    maps = torch.arange(16.0).reshape(1, 1, 4, 4)
    torch.testing.assert_close(stem(maps), maps[:, :, ::2, ::2])


def test_the_body_has_the_published_size() -> None:
    """YAMNet has 3.7 million weights, its classifier of 521 classes included."""
    stages = make_stages(AudioShape())
    weights = sum(p.numel() for p in stages.parameters()) + 1024 * 521 + 521
    assert round(weights / 1e6, 1) == 3.7
    maps = torch.zeros(1, 1, 96, 64)
    for stage in stages:
        maps = stage(maps)
    assert maps.shape == (1, 1024, 3, 2)
