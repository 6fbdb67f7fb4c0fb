from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, Vectors, unit
from embedder.conditioning.bridge import (
    BridgeName,
    Bridges,
    Choice,
    Fitted,
    Known,
    Purpose,
    nearest_mean,
)
from embedder.conditioning.bridge_file import BUNDLED, find_bridges, load_bridges, save_bridges
from embedder.conditioning.line import Line
from embedder.conditioning.pca import Whitening
from embedder.conditioning.prior import Sampling
from embedder.errors import BridgeNotFitted, ConditioningError, FittedElsewhere, WeightsError
from embedder.media import Modality
from embedder.models.mini import NAME, WEIGHTS
from embedder.models.mini_weights import PREPROCESSING, read_weights
from embedder.training.prior import Pairs, begin_prior
from embedder.training.prior_recipe import PriorRecipe

DIM = 8
SPACE = EmbeddingSpace("tests", DIM)
TEXT, IMAGE, AUDIO = Modality.TEXT, Modality.IMAGE, Modality.AUDIO


def some(count: int, seed: int = 0) -> Vectors:
    return unit(np.random.default_rng(seed).standard_normal((count, DIM), np.float32))


@pytest.fixture(scope="module")
def bridges() -> Bridges:
    pairs = {TEXT: Pairs(some(200), some(200, 1)), AUDIO: Pairs(some(200, 2), some(200, 1))}
    recipe = PriorRecipe(coordinates=6, width=8, blocks=1)
    prior = begin_prior(pairs, some(200, 1), recipe)
    means = {m: some(1, seed)[0] for seed, m in enumerate(Modality)}
    return Bridges(Fitted(means, prior.lines, prior))


def test_ridge_regression_is_the_least_squares_answer_with_penalty_rows() -> None:
    x, y = some(60), some(60, 1)
    line = Line.fit(x, y, 0.5)
    centre, middle = x.mean(axis=0), y.mean(axis=0)
    weight = 0.5 * np.square(x - centre).mean(axis=0).sum() / DIM * len(x)
    rows = np.concatenate([x - centre, np.sqrt(weight) * np.eye(DIM)])
    expected = np.linalg.lstsq(rows, np.concatenate([y - middle, np.zeros((DIM, DIM))]), None)[0]
    np.testing.assert_allclose(line.weights, expected, atol=1e-5)
    np.testing.assert_allclose(line(x[:3]), (x[:3] - centre) @ expected + middle, atol=1e-5)


def test_mean_shift_adds_the_distance_of_the_means(bridges: Bridges) -> None:
    means = bridges.fitted.means
    found = bridges.apply(some(5), TEXT, Choice(BridgeName.MEAN_SHIFT))
    np.testing.assert_allclose(found.vectors, unit(some(5) + means[IMAGE] - means[TEXT]), atol=1e-6)


def test_linear_is_the_fitted_line_made_unit(bridges: Bridges) -> None:
    found = bridges.apply(some(5), AUDIO, Choice(BridgeName.LINEAR))
    np.testing.assert_allclose(found.vectors, unit(bridges.fitted.lines[AUDIO](some(5))), atol=1e-6)


def test_knn_is_a_softmax_mean_of_the_nearest(bridges: Bridges) -> None:
    images, vector = some(30, 3), some(1)
    cosines = (images @ vector[0]).astype(np.float64)
    nearest = np.argsort(-cosines)[:4]
    weights = np.exp(20 * cosines[nearest])
    expected = (weights / weights.sum()) @ images[nearest]
    np.testing.assert_allclose(nearest_mean(vector, images, 4, 20.0)[0], expected, atol=1e-6)
    choice = Choice(BridgeName.KNN, k=4, temperature=20.0)
    found = bridges.apply(vector, TEXT, choice, Known(images))
    np.testing.assert_allclose(found.vectors[0], expected / np.linalg.norm(expected), atol=1e-6)
    everything = nearest_mean(vector, images, 99, 1e-6)[0]
    np.testing.assert_allclose(everything, images.mean(axis=0), atol=1e-5)


def test_strength_goes_part_of_the_way(bridges: Bridges) -> None:
    there = bridges.apply(some(5), TEXT, Choice(BridgeName.LINEAR)).vectors
    half = bridges.apply(some(5), TEXT, Choice(BridgeName.LINEAR, strength=0.5)).vectors
    np.testing.assert_allclose(half, unit(some(5) + there), atol=1e-6)
    none = bridges.apply(some(5), TEXT, Choice(BridgeName.LINEAR, strength=0.0)).vectors
    np.testing.assert_allclose(none, some(5), atol=1e-6)


def test_pictures_stay_where_they_are(bridges: Bridges) -> None:
    found = bridges.apply(some(5), IMAGE, Choice(BridgeName.PRIOR))
    np.testing.assert_allclose(found.vectors, some(5), atol=1e-6)
    assert found.used is BridgeName.NONE


def test_auto_samples_for_a_generator_and_leaves_a_search_alone(bridges: Bridges) -> None:
    made = bridges.apply(some(5), TEXT, Choice(sampling=Sampling(seed=3)))
    assert made.used is BridgeName.PRIOR
    named = Choice(BridgeName.PRIOR, sampling=Sampling(seed=3))
    np.testing.assert_array_equal(made.vectors, bridges.apply(some(5), TEXT, named).vectors)
    sought = bridges.apply(some(5), TEXT, Choice(purpose=Purpose.SEARCH))
    assert (sought.used, sought.warnings) == (BridgeName.NONE, ())
    np.testing.assert_allclose(sought.vectors, some(5), atol=1e-6)


def test_a_space_without_fitted_bridges_shifts_by_the_collections_means_and_says_so() -> None:
    means = {TEXT: some(1)[0], IMAGE: some(1, 1)[0]}
    found = Bridges().apply(some(5), TEXT, None, Known(means=means))
    assert found.used is BridgeName.MEAN_SHIFT
    assert found.warnings == (
        "no prior bridge is fitted for text in this space: took mean_shift",
    )  # fmt: skip
    np.testing.assert_allclose(found.vectors, unit(some(5) + means[IMAGE] - means[TEXT]), atol=1e-6)
    alone = Bridges().apply(some(5), TEXT)
    assert alone.used is BridgeName.NONE
    assert "took none" in alone.warnings[0]


def test_a_bridge_that_is_not_there_is_refused() -> None:
    with pytest.raises(BridgeNotFitted, match="must be one of none, knn in this space, got prior"):
        Bridges().apply(some(1), TEXT, Choice(BridgeName.PRIOR), Known(some(3)))


@pytest.mark.parametrize(("field", "value"), [("strength", 1.5), ("k", 0), ("temperature", 0.0)])
def test_numbers_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(ConditioningError, match=field):
        Choice(**{field: value})  # type: ignore[arg-type]


def test_a_file_keeps_bridges_in_half_precision(bridges: Bridges, tmp_path: Path) -> None:
    path = tmp_path / "bridges.safetensors"
    save_bridges(bridges, SPACE, path)
    loaded = load_bridges(SPACE, path)
    for name in (BridgeName.MEAN_SHIFT, BridgeName.LINEAR, BridgeName.PRIOR):
        ours, theirs = (b.apply(some(9), AUDIO, Choice(name)).vectors for b in (bridges, loaded))
        np.testing.assert_allclose(ours, theirs, atol=5e-3)
    save_bridges(loaded, SPACE, tmp_path / "again.safetensors")
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_bridges_of_another_space_are_refused_or_left_out(bridges: Bridges, tmp_path: Path) -> None:
    path, other = tmp_path / "bridges.safetensors", replace(SPACE, id="other")
    save_bridges(bridges, SPACE, path)
    with pytest.raises(FittedElsewhere, match=r"of the vectors, other; .* in tests"):
        load_bridges(other, path)
    assert find_bridges(other, path).available(TEXT) == (BridgeName.NONE,)


def test_a_damaged_file_is_refused(bridges: Bridges, tmp_path: Path) -> None:
    path = tmp_path / "bridges.safetensors"
    save_bridges(bridges, SPACE, path)
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(WeightsError, match="digest"):
        find_bridges(SPACE, path)


def test_white_coordinates_are_white_and_turn_back() -> None:
    vectors = some(500) * np.linspace(0.2, 2, DIM, dtype=np.float32)
    whitening = Whitening.fit(vectors, DIM)
    turn = np.linalg.qr(np.random.default_rng(0).standard_normal((DIM, DIM)))[0]
    for each in (whitening, whitening.turned(turn)):
        white = each.white(vectors)
        np.testing.assert_allclose(np.cov(white, rowvar=False), np.eye(DIM), atol=1e-3)
        np.testing.assert_allclose(each.vectors(white), vectors, atol=1e-4)
    few = Whitening.fit(vectors, 3)
    values = np.linalg.eigvalsh(np.cov(vectors, rowvar=False))
    left_out = np.square(few.residual(vectors)).sum() / (len(vectors) - 1)
    assert left_out == pytest.approx(values[:-3].sum(), rel=1e-3)


@pytest.mark.weights
def test_the_bundled_bridges_belong_to_the_bundled_weights() -> None:
    weights = read_weights(WEIGHTS)  # the towers themselves take their time
    name = f"{NAME}-{weights.digest[:16]}-p{PREPROCESSING}"
    space = EmbeddingSpace(name, weights.dim)
    bridges = load_bridges(space, BUNDLED)
    vectors: NDArray[np.float32] = unit(
        np.random.default_rng(0).standard_normal((4, space.dim), np.float32)
    )
    for modality in (TEXT, AUDIO):
        found = bridges.apply(vectors, modality)
        assert found.used is BridgeName.PRIOR
        np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=1), 1.0, atol=1e-6)
