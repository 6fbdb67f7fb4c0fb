"""Calibration on made-up vectors whose cosines are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from embedder.base import Background, Vectors, unit
from embedder.evaluate.calibration import Sample, calibration
from embedder.evaluate.metrics import calibration_error
from embedder.evaluate.report import Figure
from embedder.evaluate.source import HeldOut
from embedder.media import Modality
from embedder.training.shards import ShardItem

PAIRS = [(query, item) for query in Modality for item in Modality]


def item(key: str, modality: str, *captions: str, label: str | None = None) -> ShardItem:
    return ShardItem(
        key=key, modality=modality, format="", dataset="any", label=label, captions=captions,
        synonyms=(), fold=None, licence="", tier="open", shard=Path(), row=0,
    )  # fmt: skip


def test_a_standard_normal_has_no_calibration_error() -> None:
    z = np.random.default_rng(0).standard_normal(200_000)
    assert calibration_error(z) == pytest.approx(0.0, abs=2e-3)
    # Moved by one deviation, P(z > t) is off by Phi(t) - Phi(t - 1): its mean over the quantiles
    # of t is P(X < Y + 1) - 1/2 for two standard normals, Phi(1 / sqrt 2) - 1/2.
    assert calibration_error(z + 1.0) == pytest.approx(0.2602, abs=4e-3)
    assert calibration_error(np.full(10, 99.0)) == pytest.approx(0.5)


def test_items_that_share_a_name_are_related() -> None:
    eye = np.eye(2, dtype=np.float32)
    first = Sample(eye, [frozenset({"a", "b"}), frozenset({"c"})])
    second = Sample(eye, [frozenset({"b"}), frozenset({"d"}), frozenset({"c", "x"})])
    assert first.unrelated(second).tolist() == [[False, True, True], [True, True, False]]


class Words:
    """Texts lie where the test says."""

    def __init__(self, places: dict[str, list[float]]) -> None:
        self.places = places

    def texts(self, texts: Sequence[str]) -> Vectors:
        return unit(np.array([self.places[text] for text in texts], dtype=np.float32))

    def items(self, items: Sequence[ShardItem]) -> Vectors:
        raise NotImplementedError


@pytest.fixture
def figures() -> dict[tuple[str, str, str], Figure]:
    """Two pictures and one sound; the background of sounds is one half lower than of pictures."""
    source = Words({"red": [1, 0, 0], "blue": [0, 1, 0], "bell": [0.48, 0.64, 0.6]})
    images = HeldOut(
        (item("r", "image", "red"), item("b", "image", "blue")), source.texts(["red", "blue"])
    )
    sounds = HeldOut((item("s", "audio", "bell"),), unit(np.array([[0, 0, 1]], dtype=np.float32)))
    backgrounds = dict.fromkeys(PAIRS, Background(0.5, 0.5))
    backgrounds[Modality.TEXT, Modality.AUDIO] = Background(0.0, 0.5)
    found = calibration(source, backgrounds, images, sounds, [("bell", "r")])
    return {figure.name: figure for figure in found}


def test_unrelated_pairs_are_told_in_deviations_of_the_background(
    figures: dict[tuple[str, str, str], Figure],
) -> None:
    # The red picture shows what rings: unrelated are red and the blue one, blue and the red one,
    # bell and the blue one.
    cosines = np.array([0, 0, 0.64])
    mean = figures["text > image", "held out, unrelated", "mean of z"]
    assert mean.value == pytest.approx((cosines.mean() - 0.5) / 0.5)
    assert mean.count == 3
    deviation = figures["text > image", "held out, unrelated", "deviation of z"]
    assert deviation.value == pytest.approx(cosines.std() / 0.5)
    assert figures["image > audio", "held out, unrelated", "mean of z"].count == 1


def test_a_mixed_list_begins_with_the_right_kind_where_calibration_helps(
    figures: dict[tuple[str, str, str], Figure],
) -> None:
    # "bell": cosine 0.64 with the blue picture, z 0.28; 0.6 with the sound, z 1.2.
    mixed = "text > image and audio"
    assert figures[mixed, "words about audio", "by cosine"].value == 0.0
    right = figures[mixed, "words about audio", "right kind first, calibrated"]
    assert right.value == 1.0
    assert right.chance == pytest.approx(1 / 3)
    assert figures[mixed, "words about image", "right kind first, calibrated"].value == 1.0


def test_a_model_that_knows_no_background_is_not_judged_on_it() -> None:
    nothing = HeldOut((), np.empty((0, 3), np.float32))
    assert list(calibration(Words({}), {}, nothing, nothing, [])) == []
