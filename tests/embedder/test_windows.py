"""Windows of sounds and films, against the parts cut out and embedded alone."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from embedder.base import Embedder, unit
from embedder.errors import InvalidMedia
from embedder.media import Audio, Image, Media, Text, Video
from embedder.models.mini import KindredMini
from embedder.runtime.base import Placement
from embedder.windows import WHOLE, Window, Windowing, cuts
from tests.fakes import FakeEmbedder
from tests.samples import colours, photo, picture, tone


@pytest.fixture(scope="module", params=["kindred-mini", "fake"])
def embedder(request: pytest.FixtureRequest, graphs: Path) -> Embedder:
    if request.param == "fake":
        return FakeEmbedder(gap=0.5)
    return KindredMini.load(how=Placement(threads=1, cache=graphs))


def video(frames: Sequence[Image], rate: float = 1.0) -> Video:
    pixels = np.stack([frame.pixels for frame in frames])
    return Video(pixels, np.arange(len(pixels)), len(pixels), rate)


PHOTOS = [photo(seed) for seed in range(12)]
LONG = Audio(
    np.concatenate([tone(hz, seconds=4).samples for hz in (200, 1_500, 400, 3_000)], axis=1), 16_000
)


@pytest.mark.parametrize(
    ("duration", "how", "expected"),
    [
        (3.0, Windowing(), [(0, 3)]),
        (5.0, Windowing(), [(0, 5)]),
        (6.0, Windowing(), [(0, 5), (1, 6)]),
        (12.5, Windowing(), [(0, 5), (2.5, 7.5), (5, 10), (7.5, 12.5)]),
        (13.0, Windowing(), [(0, 5), (2.5, 7.5), (5, 10), (7.5, 12.5), (8, 13)]),
        (10.0, Windowing(seconds=4), [(0, 4), (2, 6), (4, 8), (6, 10)]),
        (100.0, Windowing(most=4), [(0, 40), (20, 60), (40, 80), (60, 100)]),
    ],
)
def test_windows_overlap_by_half_and_the_last_ends_with_the_whole(
    duration: float, how: Windowing, expected: list[tuple[float, float]]
) -> None:
    found = [(window.start, window.end) for window in how.windows(duration)]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("most", [2, 3, 7, 256])
@pytest.mark.parametrize("duration", [5.001, 17.3, 600, 5_000])
def test_windows_cover_everything_and_are_never_too_many(duration: float, most: int) -> None:
    found = Windowing(most=most).windows(duration)
    assert 2 <= len(found) <= most
    assert (found[0].start, found[-1].end) == (0, duration)
    for before, after in pairwise(found):
        assert before.start < after.start <= before.end + 1e-9


def test_windowing_refuses_what_cuts_nothing() -> None:
    with pytest.raises(ValueError, match=r"seconds must be positive and finite, got 0\.0"):
        Windowing(seconds=0.0)
    with pytest.raises(ValueError, match="most must be at least 2, got 1"):
        Windowing(most=1)


def test_a_windows_vector_is_that_of_the_part_cut_out(embedder: Embedder) -> None:
    found = embedder.embed_windows(LONG)
    assert found.windows[0] == Window(0, 5)
    assert found.windows[-1] == Window(11, 16)
    for window, vector in zip(found.windows, found.vectors, strict=True):
        first, last = round(window.start * 16_000), round(window.end * 16_000)
        alone = embedder.embed([Audio(LONG.samples[:, first:last].copy(), 16_000)])[0]
        np.testing.assert_array_equal(vector, alone)


def test_what_has_no_duration_has_one_window(embedder: Embedder) -> None:
    for item in (Text("a dog " * 500), PHOTOS[0]):
        found = embedder.embed_windows(item)
        assert found.windows == (WHOLE,)
        np.testing.assert_array_equal(found.vectors, embedder.embed([item]))


def test_a_films_vector_is_the_mean_of_its_frames(embedder: Embedder) -> None:
    item = video(PHOTOS[:3])
    others: list[Media] = [PHOTOS[5], Text("a cat"), tone(), video(PHOTOS[3:5])]
    expected = unit(embedder.embed(PHOTOS[:3]).sum(axis=0, keepdims=True))[0]
    np.testing.assert_allclose(embedder.embed([item])[0], expected, atol=1e-6)
    among = embedder.embed([others[0], item, *others[1:]])
    np.testing.assert_allclose(among[1], expected, atol=1e-5)
    np.testing.assert_allclose(among[[0, 2, 3, 4]], embedder.embed(others), atol=1e-5)
    assert embedder.prepare(item).treatment.windows == 3


def test_a_films_windows_are_those_frames(embedder: Embedder) -> None:
    found = embedder.embed_windows(video(PHOTOS), Windowing(seconds=4))
    spans = [(window.start, window.end) for window in found.windows]
    assert spans == [(0, 4), (2, 6), (4, 8), (6, 10), (8, 12)]
    for (start, end), vector in zip(spans, found.vectors, strict=True):
        seen = embedder.embed(PHOTOS[int(start) : int(end)]).sum(axis=0, keepdims=True)
        np.testing.assert_allclose(vector, unit(seen)[0], atol=1e-6)


def test_a_query_finds_the_moment() -> None:
    fake = FakeEmbedder()
    frames = colours(*["blue"] * 10, *["red"] * 5, *["green"] * 7, rate=2)
    film = Video(frames, np.arange(len(frames)), len(frames), 2.0)
    found = fake.embed_windows(film)
    best = found.windows[int((found.vectors @ fake.embed([Text("red")])[0]).argmax())]
    assert best == Window(10, 15)


def test_windows_without_a_frame_are_left_out() -> None:
    sparse = Video(np.stack([picture("red").pixels] * 2), np.array([0, 19]), 20, 1.0)
    assert [window for window, _ in cuts(sparse)] == [Window(0, 5), Window(15, 20)]
    assert sparse.cut(5, 10) is None


@pytest.mark.parametrize(
    ("numbers", "count", "rate", "message"),
    [
        ([0, 0], 2, 1.0, "ascend"),
        ([0], 2, 1.0, "one number each"),
        ([0, 3], 3, 1.0, "count must be more than 3"),
        ([0, 1], 2, 0.0, r"rate must be positive and finite, got 0\.0"),
    ],
)
def test_what_is_no_film_is_refused(
    numbers: list[int], count: int, rate: float, message: str
) -> None:
    frames = np.zeros((2, 4, 4, 3), np.uint8)
    with pytest.raises(InvalidMedia, match=message):
        Video(frames, np.array(numbers), count, rate)
