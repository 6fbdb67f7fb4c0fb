"""The generator: its path in closed form where that is known, its file, and what it refuses."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from embedder.conditioning.generator.flow import Flow, integrated
from embedder.conditioning.generator.network import Heard, Network
from embedder.conditioning.generator.sampler import Generator, PictureSampling
from embedder.conditioning.generator.shape import GeneratorShape
from embedder.conditioning.generator.waves import (
    deviations,
    into_waves,
    out_of_waves,
    pooled,
)
from embedder.conditioning.generator.weights import GeneratorFile
from embedder.errors import EncodingFailed, FittedElsewhere, UnfitForTarget, WeightsError

SHAPE = GeneratorShape(
    dim=6, size=16, fine=8, middle=16, width=32, layers=1, heads=2, tokens=1
)  # fmt: skip
QUICK = PictureSampling(steps=2)


def silent(points: Tensor, _times: Tensor, _heard: Heard) -> Tensor:
    """A network that knows nothing of pictures but their spread."""
    return torch.zeros_like(points)


def heard(count: int) -> Heard:
    return Heard(torch.ones(count, 6), torch.zeros(count), torch.ones(count))


def untrained(seed: int = 0) -> GeneratorFile:
    """A generator whose last layers are not silent, as they are before training."""
    torch.manual_seed(seed)
    network = Network(SHAPE)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    tensors = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    return GeneratorFile(SHAPE, "here", "recipe", 7, tensors)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return untrained().save(tmp_path_factory.mktemp("generator") / "demo.safetensors")


@pytest.fixture(scope="module")
def generator(path: Path) -> Generator:
    return Generator.load(path, space="here")


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, 6)).astype(np.float32)


SPECTRUM = 0.4 * torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(5)) + 0.1
"""Of made-up pictures."""


def gaussian(count: int, seed: int) -> Tensor:
    """Pictures of independent Gaussian waves."""
    waves = torch.randn(count, 3, 8, 8, generator=torch.Generator().manual_seed(seed))
    return out_of_waves(SPECTRUM * waves)


def test_waves_are_orthonormal_and_can_be_undone() -> None:
    pictures = torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    waves = into_waves(pictures)
    np.testing.assert_allclose(waves.square().sum(), pictures.square().sum(), rtol=1e-5)
    np.testing.assert_allclose(out_of_waves(waves).numpy(), pictures.numpy(), atol=1e-5)
    grey = into_waves(torch.full((1, 3, 8, 8), 0.5))[0]
    assert grey[0, 0, 0].item() == pytest.approx(0.5 * np.sqrt(3 * 64))
    assert grey.square().sum().item() == pytest.approx(grey[0, 0, 0].item() ** 2)


def test_smaller_pictures_have_the_deviations_that_are_foretold() -> None:
    pictures = gaussian(20_000, 1)
    np.testing.assert_allclose(deviations(pictures).numpy(), SPECTRUM.numpy(), rtol=0.03)
    smaller = torch.nn.functional.avg_pool2d(pictures, 4)
    expected = deviations(smaller).numpy()
    np.testing.assert_allclose(pooled(SPECTRUM, 2).numpy(), expected, rtol=0.03)


@pytest.mark.parametrize("time", [0.0, 0.2, 0.5, 0.9, 1.0])
def test_the_velocity_of_gaussian_pictures_is_the_regression_of_many_of_them(time: float) -> None:
    x = gaussian(20_000, 1)
    e = torch.randn(x.shape, generator=torch.Generator().manual_seed(2))
    z = time * x + (1 - time) * e
    moves, waves = into_waves(x - e), into_waves(z)
    slopes = (moves * waves).mean(0) / waves.square().mean(0)
    found = Flow(silent, SPECTRUM).velocity(z[:2], torch.full((2,), time), heard(2))
    np.testing.assert_allclose(into_waves(found).numpy(), (slopes * waves[:2]).numpy(), atol=0.12)


def test_gaussian_pictures_are_reached_from_noise() -> None:
    noise = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    found = integrated(Flow(silent, SPECTRUM).guided(heard(2), 1.0), noise, 60)
    expected = out_of_waves(SPECTRUM * into_waves(noise))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=0.02)


def test_guidance_goes_beyond_what_was_heard() -> None:
    def telling(points: Tensor, _times: Tensor, heard: Heard) -> Tensor:
        return heard.known.view(-1, 1, 1, 1).expand_as(points) + 2.0

    # At time 1 every wave's unit is 1: what the network says is left as it is.
    at, time = torch.zeros(2, 3, 8, 8), torch.ones(2)
    for scale in (0.0, 1.0, 2.5):
        found = Flow(telling, SPECTRUM).guided(heard(2), scale)(at, time)
        np.testing.assert_allclose(found.numpy(), 2.0 + scale, rtol=1e-5)


def test_the_network_takes_smaller_pictures_too() -> None:
    torch.manual_seed(0)
    network = Network(SHAPE)
    torch.nn.init.normal_(network.last.weight)
    points, times = torch.randn(2, 3, 8, 8), torch.tensor([0.2, 0.7])
    with torch.no_grad():
        found, smaller = network(points, times, heard(2)), network.resized(8)
        assert found.shape == points.shape
        np.testing.assert_array_equal(smaller(points, times, heard(2)).numpy(), found.numpy())


def test_a_vector_that_does_not_count_changes_nothing(generator: Generator) -> None:
    network, points, times = generator._network, torch.ones(1, 3, 16, 16), torch.ones(1)

    def told(value: float, known: float) -> np.ndarray:
        one = Heard(torch.full((1, 6), value), torch.zeros(1), torch.full((1,), known))
        return np.asarray(network(points, times, one).numpy())

    np.testing.assert_array_equal(told(0.1, 0.0), told(0.9, 0.0))
    assert np.abs(told(0.1, 1.0) - told(0.9, 1.0)).max() > 0


def test_the_same_seed_makes_the_same_pictures(generator: Generator) -> None:
    asked = vectors(3)
    first, again = generator.sample(asked, QUICK), generator.sample(asked, QUICK)
    assert first.shape == (3, 16, 16, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(first, again)
    other = generator.sample(asked, PictureSampling(steps=2, seed=1))
    assert (other != first).mean() > 0.5


def test_company_changes_no_picture_and_progress_is_told(generator: Generator) -> None:
    asked, told = vectors(10), list[tuple[int, int]]()
    together = generator.sample(asked, QUICK, lambda *done: told.append(done))
    assert told == [(8, 10), (10, 10)]
    alone = generator.sample(asked[:2], QUICK)
    assert np.abs(together[:2].astype(int) - alone).max() <= 1


def test_noise_on_the_vector_changes_the_picture(generator: Generator) -> None:
    exact = generator.sample(vectors(1), QUICK)
    vague = generator.sample(vectors(1), PictureSampling(steps=2, noise=0.8))
    assert (exact != vague).any()


def test_a_file_gives_back_what_was_saved(path: Path) -> None:
    found, saved = GeneratorFile.read(path), untrained()
    assert (found.shape, found.space, found.recipe, found.steps) == (SHAPE, "here", "recipe", 7)
    assert found.tensors.keys() == saved.tensors.keys()
    for name, tensor in saved.tensors.items():
        np.testing.assert_array_equal(found.tensors[name], tensor.astype(np.float16))


def test_vectors_of_another_space_are_refused(path: Path) -> None:
    with pytest.raises(FittedElsewhere, match="elsewhere"):
        Generator.load(path, space="elsewhere")


def test_a_generator_that_is_not_there_says_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="kindred train --generator --data DIR"):
        Generator.load(tmp_path / "none.safetensors")


def test_tensors_of_another_shape_are_refused(tmp_path: Path) -> None:
    saved = untrained()
    wider = GeneratorShape(**{name: getattr(SHAPE, name) for name in SHAPE.__slots__} | {"dim": 7})
    file = GeneratorFile(wider, saved.space, saved.recipe, saved.steps, saved.tensors)
    with pytest.raises(WeightsError, match="size mismatch"):
        Generator.load(file.save(tmp_path / "wider.safetensors"))


@pytest.mark.parametrize("bad", [vectors(2)[:, :5], vectors(2)[0]])
def test_vectors_of_another_length_are_refused(generator: Generator, bad: np.ndarray) -> None:
    with pytest.raises(UnfitForTarget, match=r"must be \(n, 6\)"):
        generator.sample(bad, QUICK)


def test_a_vector_without_direction_is_refused(generator: Generator) -> None:
    with pytest.raises(EncodingFailed):
        generator.sample(np.zeros((1, 6), np.float32), QUICK)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seed", -1), ("steps", 0), ("steps", 201), ("guidance", 21.0), ("noise", 2)],
)
def test_numbers_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(UnfitForTarget, match=name):
        PictureSampling(**{name: value})  # type: ignore[arg-type]
