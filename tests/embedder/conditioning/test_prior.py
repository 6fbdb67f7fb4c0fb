from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from embedder.base import Vectors, unit
from embedder.conditioning.prior import Prior, Sampling
from embedder.conditioning.velocity import Gaussian, Network, VelocityShape
from embedder.errors import ConditioningError
from embedder.media import Modality
from embedder.training.loop import LoopRecipe
from embedder.training.prior import (
    KINDS,
    Lessons,
    Pairs,
    VelocityNetwork,
    begin_prior,
    matching_loss,
    network_of,
    teach_prior,
)
from embedder.training.prior_recipe import PriorRecipe

DIM = 6
RECIPE = PriorRecipe(
    coordinates=5,
    width=32,
    blocks=1,
    batch=128,
    penalty=1e-6,
    loop=LoopRecipe(steps=150, learning_rate=5e-3, warmup=10, ema=0.9, seed=1),
)


def towards(rows: NDArray[np.floating]) -> Vectors:
    """Returns unit vectors near the last axis whose first coordinates are proportional to these."""
    around = np.zeros((len(rows), DIM), np.float32)
    around[:, : rows.shape[1]] = rows
    around[:, -1] = 1.0
    return unit(around)


def gaussian_pairs(count: int, seed: int = 0) -> Pairs:
    """Returns pairs whose images are a linear answer to the conditions, and Gaussian noise."""
    random = np.random.default_rng(seed)
    said = 0.1 * random.standard_normal((count, 3))
    noise = random.standard_normal((count, 5)) * [0.05, 0.02, 0.03, 0.04, 0.03]
    noise[:, :3] += said
    return Pairs(towards(said), towards(noise))


def two_kinds_pairs(count: int, seed: int = 0) -> Pairs:
    """Returns pairs of which a condition fixes how much its images spread: no one Gaussian's."""
    random = np.random.default_rng(seed)
    sign = random.choice([-1.0, 1.0], size=(count, 1))
    said = 0.2 * sign + 0.01 * random.standard_normal((count, 3))
    spread = np.where(sign > 0, 0.1, 0.01)
    return Pairs(towards(said), towards(spread * random.standard_normal((count, 5))))


@pytest.fixture(scope="module")
def gaussian() -> Prior:
    pairs = gaussian_pairs(20_000)
    return begin_prior({Modality.TEXT: pairs}, pairs.images, RECIPE)


def shown(prior: Prior, conditions: Vectors, how: Sampling) -> NDArray[np.float32]:
    """Returns samples as coordinates beside the last axis."""
    rows = prior.sample(conditions, Modality.TEXT, how)
    return np.asarray(rows[:, :-1] / rows[:, -1:], np.float32)


@pytest.mark.parametrize("steps", [1, 4])
def test_it_begins_as_ridge_regression_with_a_gaussian_around_it(
    gaussian: Prior, steps: int
) -> None:
    said = np.array([[0.1, -0.05, 0.0]])
    conditions = np.repeat(towards(said), 10_000, axis=0)
    rows = shown(gaussian, conditions, Sampling(steps=steps, guidance=1.0))
    np.testing.assert_allclose(rows.mean(axis=0)[:3], said[0], atol=0.005)
    np.testing.assert_allclose(rows.std(axis=0), [0.05, 0.02, 0.03, 0.04, 0.03], rtol=0.08)


def test_training_learns_a_spread_that_depends_on_the_condition(tmp_path: Path) -> None:
    pairs = {Modality.TEXT: two_kinds_pairs(5000)}
    begun = begin_prior(pairs, pairs[Modality.TEXT].images, RECIPE)
    taught = teach_prior(pairs, begun, RECIPE, tmp_path)
    wide, narrow = (np.repeat(towards(np.full((1, 3), s)), 1000, axis=0) for s in (0.2, -0.2))
    spreads = [
        shown(taught, conditions, Sampling(guidance=1.0)).std() for conditions in (wide, narrow)
    ]
    assert abs(spreads[0] - 0.1) < 0.02
    assert spreads[1] < 0.03
    before = [
        shown(begun, conditions, Sampling(guidance=1.0)).std() for conditions in (wide, narrow)
    ]
    np.testing.assert_allclose(before, np.sqrt((0.1**2 + 0.01**2) / 2), rtol=0.1)


def test_the_same_seed_gives_the_same_bits_and_another_one_others(gaussian: Prior) -> None:
    conditions = gaussian_pairs(50, seed=1).conditions
    how = Sampling(steps=3, guidance=1.5, candidates=2, seed=5)
    first, again = (gaussian.sample(conditions, Modality.TEXT, how) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = gaussian.sample(conditions, Modality.TEXT, replace(how, seed=6))
    assert (np.abs(first - other).max(axis=1) > 1e-3).all()
    np.testing.assert_allclose(np.linalg.norm(first, axis=1), 1.0, atol=1e-6)


def test_the_best_of_several_is_the_nearest_to_the_linear_answer(gaussian: Prior) -> None:
    conditions = gaussian_pairs(200, seed=2).conditions
    how = Sampling(candidates=8)
    several = gaussian.samples(conditions, Modality.TEXT, how)
    means = gaussian.lines[Modality.TEXT](conditions)
    dots = np.einsum("ncd,nd->nc", several, means)
    kept = gaussian.sample(conditions, Modality.TEXT, how)
    np.testing.assert_allclose((kept * means).sum(axis=1), dots.max(axis=1), rtol=1e-5)
    assert dots.std(axis=1).min() > 0


def test_guidance_of_gaussians_has_the_moments_of_its_linear_equation(gaussian: Prior) -> None:
    """The oracle solves the equation of means and deviations by itself, in many small steps."""
    conditions = np.repeat(towards(np.array([[0.1, -0.05, 0.0]])), 4000, axis=0)
    w, variance = 1.5, gaussian.variances[Modality.TEXT].astype(np.float64)
    target = gaussian.whitening.white(gaussian.lines[Modality.TEXT](conditions[:1]))[0]
    mean, deviation = np.zeros(len(variance)), np.ones(len(variance))
    for t in (np.arange(2000) + 0.5) / 2000:
        own = (t * variance - (1 - t)) / ((1 - t) ** 2 + t**2 * variance)
        free = (t - (1 - t)) / ((1 - t) ** 2 + t**2)
        mean += (w * (target + own * (mean - t * target)) + (1 - w) * free * mean) / 2000
        deviation += (w * own + (1 - w) * free) * deviation / 2000
    how = Sampling(steps=16, guidance=w)
    white = gaussian.carried(conditions, Modality.TEXT, how)[:, 0]
    np.testing.assert_allclose(white.mean(axis=0), mean, atol=0.06)
    np.testing.assert_allclose(white.std(axis=0), deviation, rtol=0.05)


def test_numpy_and_torch_run_the_same_network() -> None:
    shape = VelocityShape(coordinates=5, dim=DIM, width=16, blocks=2)
    torch.manual_seed(3)
    model = VelocityNetwork(shape)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    network = network_of(model, shape)
    random = np.random.default_rng(3)
    points, conditions = (random.standard_normal((9, n), np.float32) for n in (5, DIM))
    for kind in range(3):
        ours = network(points, 0.3, network.context(conditions, kind))
        with torch.no_grad():
            theirs = model(
                torch.from_numpy(points),
                torch.full((9, 1), 0.3),
                torch.from_numpy(conditions),
                torch.full((9,), kind),
            )
        np.testing.assert_allclose(ours, theirs.numpy(), atol=2e-4)


def test_a_silent_network_says_nothing() -> None:
    shape = VelocityShape(coordinates=5, dim=DIM, width=8, blocks=1)
    random = np.random.default_rng(0)
    tensors = {
        name: random.standard_normal(t.shape, np.float32)
        for name, t in VelocityNetwork(shape).state_dict().items()
    }
    network, points = Network(shape, tensors), np.ones((2, 5), np.float32)
    context = network.context(np.ones((2, DIM), np.float32), 0)
    assert np.abs(network(points, 0.5, context)).max() > 0
    assert np.abs(network.silent()(points, 0.5, context)).max() == 0


def test_the_loss_of_a_silent_network_is_one_where_the_gaussian_is_right(gaussian: Prior) -> None:
    pairs = gaussian_pairs(20_000)
    recipe = replace(RECIPE, batch=20_000, dropped=0.0)
    lesson = Lessons({Modality.TEXT: pairs}, gaussian, recipe)(0)
    loss = matching_loss(VelocityNetwork(gaussian.network.shape), lesson, 0)["loss"].item()
    assert abs(loss - 1.0) < 0.02


def test_a_share_of_the_conditions_is_dropped(gaussian: Prior) -> None:
    pairs = gaussian_pairs(1000)
    recipe = replace(RECIPE, batch=4000, dropped=0.25)
    lesson = Lessons({Modality.TEXT: pairs}, gaussian, recipe)(0)
    none = lesson.kind == len(KINDS)
    assert abs(none.float().mean().item() - 0.25) < 0.03
    assert lesson.mean[none].abs().max() == 0
    assert (lesson.variance[none] == 1).all()


def test_the_known_part_spreads_as_its_formula_says() -> None:
    known = Gaussian(np.zeros(1, np.float32), np.array([0.25], np.float32))
    assert known.spread(0.5) == pytest.approx(np.sqrt(0.25 + 0.25 * 0.25))
    growth = (known.spread(0.5 + 1e-3) - known.spread(0.5 - 1e-3)) / 2e-3
    assert known.spreading(0.5) == pytest.approx(growth, rel=1e-2)


@pytest.mark.parametrize(
    ("field", "value"), [("steps", 0), ("guidance", -1.0), ("candidates", 257), ("seed", -1)]
)
def test_numbers_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConditioningError, match=field):
        Sampling(**{field: value})  # type: ignore[arg-type]
