import numpy as np
import pytest

from embedder.base import EmbeddingSpace, Vectors, unit
from embedder.conditioning.bridge import Bridges, Fitted, Known
from embedder.conditioning.density import DensityRecipe
from embedder.conditioning.flow import FlowRecipe
from embedder.conditioning.line import Line
from embedder.evaluate.bridges import ALIKE, COSINE, FRECHET, FRESH, Crossing
from embedder.evaluate.conditioning_card import conditioning_card
from embedder.evaluate.densities import Collection
from embedder.evaluate.metrics import auroc, frechet, uniformity_distance
from embedder.evaluate.report import Report
from embedder.media import Modality

DIM = 6


def test_the_frechet_distance_of_gaussians_is_the_formula_of_their_moments() -> None:
    random = np.random.default_rng(0)
    one = random.standard_normal((200_000, 2)) * [1.0, 3.0]
    two = random.standard_normal((200_000, 2)) * [2.0, 0.5] + [1.0, -2.0]
    # Diagonal covariances: |m|^2 + sum (s1 - s2)^2.
    assert frechet(one, two) == pytest.approx(5 + 1 + 6.25, rel=0.01)
    assert frechet(one, one) == pytest.approx(0, abs=1e-9)


def test_auroc_counts_pairs_and_ties_half() -> None:
    random = np.random.default_rng(0)
    usual, strange = (random.integers(0, top, n) / 1.0 for top, n in ((9, 300), (6, 40)))
    pairs = (strange[:, None] < usual) + 0.5 * (strange[:, None] == usual)
    assert auroc(usual, strange) == pytest.approx(pairs.mean())


def test_the_distance_from_uniform_is_the_largest_gap_of_the_steps() -> None:
    assert uniformity_distance(np.array([0.25, 0.75])) == pytest.approx(0.25)
    assert uniformity_distance(np.array([0.9, 0.9])) == pytest.approx(0.9)


def spread(count: int, seed: int) -> Vectors:
    rows = 0.3 * np.random.default_rng(seed).standard_normal((count, DIM), np.float32)
    rows[:, -1] += 1
    return unit(rows)


def test_a_bridge_that_leads_to_the_very_picture_is_told_to() -> None:
    pictures = spread(400, 0)
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((DIM, DIM)))[0].astype(np.float32)
    line = Line(turn.T, np.zeros(DIM, np.float32))
    bridges = Bridges(Fitted(lines={Modality.TEXT: line}))
    rows = np.arange(400)
    relevant = np.eye(400, dtype=bool)
    crossing = Crossing("text > image", Modality.TEXT, pictures @ turn, pictures, relevant, rows)
    report = Report(tuple(crossing.figures(bridges, Known(pictures))))
    told = {m: report.value("text > image", "linear", m) for m in (COSINE, "R@1", FRECHET, ALIKE)}
    floor = report.value("text > image", FRESH, FRECHET)
    assert told[COSINE] == pytest.approx(1, abs=1e-5)
    assert told["R@1"] == 1
    assert told[ALIKE] == pytest.approx(1, abs=1e-5)
    # What goes with one half against the pictures of the other: the floor itself.
    assert told[FRECHET] == pytest.approx(floor, rel=1e-3)
    assert report.value("text > image", "none", FRECHET) > 10 * floor
    assert "| linear | 1.000 | 100.0% | 100.0% |" in conditioning_card(report)


def test_strangers_in_a_collection_are_found_and_percentiles_are_uniform() -> None:
    quick = DensityRecipe(components=3, flow=FlowRecipe(transforms=1, hidden=8, steps=10))
    collection = Collection(EmbeddingSpace("tests", DIM), spread(600, 0), spread(200, 1), quick)
    away = unit(spread(6, 2) * np.array([1, 1, 1, 1, 1, -1], np.float32))
    report = Report(tuple(collection.figures({"away": away})))
    assert report.value("density", "away", "AUROC, flow, both views") > 0.99
    assert report.value("density", "away", "AUROC, gaussian, both views") > 0.99
    assert report.value("density", "gaussian", "KS of both views") < 1.5
    assert "| away |" in conditioning_card(report)
