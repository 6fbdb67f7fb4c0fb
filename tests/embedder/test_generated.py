"""The judge of generators, on painters whose faults are known."""

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.base import Vectors
from embedder.conditioning.bridge import Bridges, Choice
from embedder.conditioning.generator.sampler import Generator, PictureSampling
from embedder.evaluate.generated import Maker, evaluate_generated
from tests.embedder.test_evaluate import keys, png, row, write
from tests.fakes import AXES, FakeEmbedder
from tests.samples import audio_bytes, picture, tone

COLOURS = AXES[:3]


class Painter:
    """Paints the colour that a vector points to most, or always the same one.

    Args:
        always: The colour; "" listens.
    """

    def __init__(self, always: str = "") -> None:
        self.always = always

    def sample(
        self, vectors: Vectors, _how: PictureSampling, advance: Callable[[int, int], object]
    ) -> NDArray[np.uint8]:
        told = [self.always or COLOURS[np.argmax(row[: len(COLOURS)])] for row in vectors]
        advance(len(told), len(told))
        return np.stack([picture(colour, (8, 8)).pixels for colour in told])


def maker(painter: Painter) -> Maker:
    return Maker(
        embedder=FakeEmbedder(),
        bridges=Bridges(),
        generator=cast(Generator, painter),
        choice=Choice(),
        sampling=PictureSampling(),
        progress=lambda done, total: None,
    )


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Held-out toys of three colours and two names that none has, captions, and recordings."""
    folder = tmp_path_factory.mktemp("shards")
    held, taught = keys("toys", 6, held_out=True), keys("toys", 2, held_out=False)
    rows = [
        row(key, dataset="toys", label=COLOURS[i % 3], media=png(COLOURS[i % 3]))
        for i, key in enumerate(held)
    ]
    rows += [
        row(key, dataset="toys", label=label, media=png("red"))
        for key, label in zip(taught, ("bell", "drum"), strict=True)
    ]
    write(folder / "train", "train-000.parquet", rows)
    told = [
        row(key, dataset="flickr8k", media=png(colour), captions=[f"{colour} {colour}"])
        for key, colour in zip(keys("told", 3, held_out=True), COLOURS, strict=True)
    ]
    write(folder / "val", "val-000.parquet", told)
    return folder


def test_a_painter_that_listens_is_found_by_all_it_was_told(shards: Path) -> None:
    report = evaluate_generated(maker(Painter()), shards, 6)
    assert report.value("image > made > class", "toys", "top-1") == 1.0
    assert report.value("text > made > text", "val", "R@1") == 1.0
    # Of the five names three are colours, and two no picture can show.
    assert report.value("text > made > class", "toys", "top-1") == pytest.approx(3 / 5)


def test_a_painter_of_one_colour_is_right_by_chance(shards: Path) -> None:
    report = evaluate_generated(maker(Painter("red")), shards, 6)
    assert report.value("image > made > class", "toys", "top-1") == pytest.approx(1 / 3)
    assert report.value("text > made > text", "val", "R@1") == pytest.approx(1 / 3)
    figures = {figure.name: figure for figure in report.figures}
    named = figures["image > made > class", "toys", "top-1"]
    assert (named.ceiling, named.count) == (1.0, 6)
    assert named.chance == pytest.approx(0.2)


def test_sounds_are_judged_by_labels_that_have_photos(tmp_path: Path) -> None:
    clips = [
        row(
            f"clip-{i}",
            modality="audio",
            dataset="esc50",
            fold=4,
            label=label,
            media=audio_bytes(tone(seconds=0.2)),
        )
        for i, label in enumerate(("red", "red", "blue", "unseen"))
    ]
    write(tmp_path / "train", "train-000.parquet", clips)
    table = "sound_label,image_key,basis\nred,x,label\nblue,y,label\n"
    (tmp_path / "train" / "sound_image_pairs.csv").write_text(table)
    report = evaluate_generated(maker(Painter("red")), tmp_path, 10)
    name = "labels with photos"
    assert report.value("audio > made > class", name, "top-1") == pytest.approx(2 / 3)
    figures = {figure.name: figure for figure in report.figures}
    assert figures["audio > made > class", name, "top-1"].chance == pytest.approx(1 / 2)
    # Two of three clips are red: (2/3 + 2/3 + 1/3) / 3.
    assert figures["audio > made > audio", name, "R@1"].chance == pytest.approx(5 / 9)


def test_figures_of_several_sets_are_pooled_by_their_counts(tmp_path: Path) -> None:
    rows = [
        row(key, dataset=dataset, label=label, media=png("red"))
        for dataset, label, count in (("toys", "red", 3), ("cars", "blue", 1))
        for key in keys(dataset, count, held_out=True)
    ]
    rows += [
        row(key, dataset=dataset, label=label, media=png("red"))
        for dataset, label in product(("toys", "cars"), ("red", "green", "blue", "bell", "drum"))
        for key in keys(f"{dataset}-{label}", 1, held_out=False)
    ]
    write(tmp_path, "train-000.parquet", rows)
    report = evaluate_generated(maker(Painter()), tmp_path, 6)
    assert report.value("image > made > class", "toys", "top-1") == 1.0
    assert report.value("image > made > class", "cars", "top-1") == 0.0
    assert report.value("image > made > class", "all sets", "top-1") == pytest.approx(3 / 4)
