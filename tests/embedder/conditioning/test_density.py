import builtins
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, Vectors, unit
from embedder.conditioning.density import Density, DensityRecipe, percentile
from embedder.conditioning.flow import FlowRecipe
from embedder.errors import (
    ConditioningError,
    FittedElsewhere,
    MissingDependency,
    TooFewVectors,
    WeightsError,
)

DIM = 12
SPACE = EmbeddingSpace("tests", DIM)
GAUSSIAN = DensityRecipe(kind="gaussian", components=4)
QUICK = DensityRecipe(components=2, flow=FlowRecipe(transforms=2, hidden=32, steps=300))
BRIEF = DensityRecipe(components=2, flow=FlowRecipe(transforms=2, hidden=16, steps=20))


def flat(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Returns Gaussian vectors, wide in the first four directions, narrow in the others."""
    random = np.random.default_rng(seed)
    scales = np.where(np.arange(DIM) < 4, [0.3, 0.2, 0.15, 0.1] + [0.0] * 8, 0.01)
    rows = np.eye(DIM)[-1] + scales * random.standard_normal((count, DIM))
    return np.asarray(rows, np.float32)


def crescent(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Returns vectors on a noisy circle, which no Gaussian describes."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, 2 * np.pi, count)
    rows = 0.005 * random.standard_normal((count, DIM))
    rows[:, 0] += 0.5 * np.cos(angle) + 0.03 * random.standard_normal(count)
    rows[:, 1] += 0.5 * np.sin(angle) + 0.03 * random.standard_normal(count)
    rows[:, -1] += 1.0
    return np.asarray(rows, np.float32)


def distance_to_uniform(percentiles: NDArray[np.float32]) -> float:
    """Returns the statistic of Kolmogorov and Smirnov against uniform in 0..100, times sqrt(n)."""
    found = np.sort(percentiles) / 100
    steps = np.arange(len(found) + 1) / len(found)
    distance = max(np.abs(found - steps[1:]).max(), np.abs(found - steps[:-1]).max())
    return float(distance * np.sqrt(len(found)))


def test_a_gaussian_has_the_density_that_its_formula_says() -> None:
    vectors = flat(4000)
    density = Density.fit(vectors, SPACE, GAUSSIAN)
    some = flat(200, seed=1)
    # The oracle knows the true scales; the fit differs from them by sampling alone.
    z = (some - np.eye(DIM)[-1])[:, :4] / [0.3, 0.2, 0.15, 0.1]
    expected = -0.5 * (np.square(z).sum(axis=1) + 4 * np.log(2 * np.pi))
    np.testing.assert_allclose(density.score(some).log_density, expected, atol=0.6)
    assert abs(density.held_out_log_likelihood + 2 * (1 + np.log(2 * np.pi))) < 0.15


def test_the_residual_is_what_the_components_leave_out() -> None:
    density = Density.fit(flat(4000), SPACE, GAUSSIAN)
    beside = np.eye(DIM, dtype=np.float32)[-1:] + 0.2 * np.eye(DIM, dtype=np.float32)[7:8]
    scores = density.score(beside)
    assert abs(scores.residual[0] - 0.2) < 0.01
    assert scores.residual_percentile[0] < 0.2
    assert scores.density_percentile[0] > 90
    assert scores.percentile[0] < 0.2


@pytest.fixture(scope="module")
def flow() -> Density:
    return Density.fit(crescent(2000), SPACE, QUICK)


@pytest.fixture(scope="module")
def gaussian() -> Density:
    return Density.fit(crescent(2000), SPACE, DensityRecipe(kind="gaussian", components=2))


@pytest.mark.parametrize("kind", ["gaussian", "flow"])
def test_percentiles_of_the_same_kind_are_uniform(
    kind: str, request: pytest.FixtureRequest
) -> None:
    scores = request.getfixturevalue(kind).score(crescent(1000, seed=1))
    for values in (scores.density_percentile, scores.residual_percentile, scores.percentile):
        # 1.95 is the 0.1 % point of the one-sample test; that the reference is a sample of its own
        # widens it by sqrt(1 + 1000 / 500).
        assert distance_to_uniform(values) < 1.95 * np.sqrt(1 + 1000 / 500)


def test_a_flow_learns_what_a_gaussian_cannot(flow: Density, gaussian: Density) -> None:
    assert flow.held_out_log_likelihood > gaussian.held_out_log_likelihood + 0.5
    hole = np.eye(DIM, dtype=np.float32)[-1:]
    assert flow.score(hole).percentile[0] < 2
    assert gaussian.score(hole).density_percentile[0] > 90


@pytest.mark.parametrize("recipe", [GAUSSIAN, BRIEF], ids=["gaussian", "flow"])
def test_the_same_seed_gives_the_same_bits_and_a_file_keeps_them(
    recipe: DensityRecipe, tmp_path: Path
) -> None:
    first, again = (Density.fit(crescent(800), SPACE, recipe) for _ in range(2))
    first.save(tmp_path / "density.safetensors")
    loaded = Density.load(tmp_path / "density.safetensors", SPACE)
    some = crescent(50, seed=2)
    for other in (again, loaded):
        for name in ("log_density", "residual", "percentile"):
            ours, theirs = getattr(first.score(some), name), getattr(other.score(some), name)
            np.testing.assert_array_equal(ours, theirs)
        assert (other.kind, other.fitted, other.recipe) == (first.kind, first.fitted, recipe)


def test_few_vectors_get_a_gaussian_that_says_so() -> None:
    density = Density.fit(flat(60), SPACE)
    assert density.kind == "gaussian"
    assert "60 vectors are too few for a flow" in density.warnings[0]
    assert density.whitening.components < 10


def test_no_more_vectors_are_looked_at_than_the_limit() -> None:
    density = Density.fit(flat(1000), SPACE, DensityRecipe(kind="gaussian", most=200))
    assert density.fitted + density.held_out == 180  # a tenth watches
    assert density.held_out == 50


def test_what_cannot_be_fitted_or_scored_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TooFewVectors, match="at least 20 vectors, got 19"):
        Density.fit(flat(19), SPACE)
    with pytest.raises(ConditioningError, match="kind must be auto, flow or gaussian, got 'kde'"):
        Density.fit(flat(30), SPACE, DensityRecipe(kind="kde"))  # type: ignore[arg-type]
    density = Density.fit(flat(100), SPACE)
    with pytest.raises(FittedElsewhere, match=r"shape \(n, 12\), got \(1, 5\)"):
        density.score(np.ones((1, 5), np.float32))
    density.save(tmp_path / "density.safetensors")
    with pytest.raises(FittedElsewhere, match=r"other; .* was fitted in tests"):
        Density.load(tmp_path / "density.safetensors", EmbeddingSpace("other", DIM))
    with pytest.raises(WeightsError, match="must be a file"):
        Density.load(tmp_path / "nothing", SPACE)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "density.safetensors"
    Density.fit(flat(100), SPACE).save(path)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match="digest"):
        Density.load(path, SPACE)


def test_without_zuko_the_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> object:
        if name.startswith("zuko"):
            raise ModuleNotFoundError("no zuko", name="zuko")
        return real(name, globals, locals, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(MissingDependency, match=r"pip install 'kindred\[density\]'"):
        Density.fit(flat(600), SPACE)


def test_a_percentile_is_the_share_below_with_ties_in_the_middle() -> None:
    ascending = np.array([1, 2, 2, 3], np.float32)
    found = percentile(ascending, np.array([0, 2, 4], np.float32))
    np.testing.assert_allclose(found, [10, 50, 90])


def planted(vectors: Vectors, strangers: Vectors) -> NDArray[np.float32]:
    return unit(np.concatenate([vectors, strangers]))


def test_a_planted_hundredth_is_found() -> None:
    usual, off = crescent(1500), crescent(15, seed=3)
    off[:, 6] += 0.3
    density = Density.fit(planted(usual, off), SPACE, BRIEF)
    scores = density.score(planted(usual, off)).percentile
    assert (scores[1500:, None] < scores[None, :1500]).mean() > 0.99
