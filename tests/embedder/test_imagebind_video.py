"""Films as ImageBind reads them, against the original's steps written out plainly."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.frames import evenly
from embedder.media import Audio, Media, Video
from embedder.models.imagebind.model import ImageBind
from embedder.models.imagebind.senses import CLIP_MEAN, CLIP_STD
from embedder.models.imagebind.video import clip_frames, film
from tests.embedder.imagebind_weights import reduced, seeded_state, write_checkpoint
from tests.samples import photo, tone


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ImageBind:
    shape = reduced()
    path: Path = tmp_path_factory.mktemp("imagebind") / "w.pth"
    return ImageBind.load(write_checkpoint(path, seeded_state(shape)), shape=shape)


def moving(count: int, size: tuple[int, int], rate: float = 8.0) -> Video:
    frames = np.stack([photo(seed, size).pixels for seed in range(count)])
    return Video(frames, np.arange(count), count, rate)


def plain_frames(rate: int, count: int) -> list[int]:
    duration = Fraction(count, rate)
    latest = max(duration - 2, Fraction(0))
    found = []
    for clip in range(5):
        start = clip * latest / 4
        inside = range(math.ceil(rate * start), min(math.ceil(rate * (start + 2)), count))
        found += [inside[0], inside[-1]]
    return found


@pytest.mark.parametrize(("rate", "count"), [(8, 40), (8, 5), (25, 250), (30, 1), (30, 1_801)])
def test_the_ends_of_five_clips_are_seen(rate: int, count: int) -> None:
    assert clip_frames(rate, count) == plain_frames(rate, count)


def bilinear(plane: NDArray[np.float64], height: int, width: int) -> NDArray[np.float64]:
    """Half-pixel centres, edges held, nothing averaged: each point between its four neighbours."""

    def between(old: int, new: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        at = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
        low = np.minimum(at.astype(np.int64), max(old - 2, 0))
        return low, at - low

    (top, down), (left, right) = between(plane.shape[0], height), between(plane.shape[1], width)
    rows = plane[top] * (1 - down)[:, None] + plane[top + 1] * down[:, None]
    return rows[:, left] * (1 - right) + rows[:, left + 1] * right


@pytest.mark.parametrize("size", [(320, 240), (90, 170), (224, 224)])
def test_views_are_the_originals(size: tuple[int, int]) -> None:
    video = moving(20, size)
    found = film(video)
    assert found.shape == (15, 3, 2, 224, 224)
    width, height = size
    tall = 224 if width >= height else math.floor(height / width * 224)
    wide = 224 if height > width else math.floor(width / height * 224)
    numbers = plain_frames(8, 20)
    for clip, view in [(0, 0), (2, 1), (4, 2)]:
        down, right = tall - 224, wide - 224
        top = (0, math.ceil(down / 2), down)[view] if down > right else math.ceil(down / 2)
        left = math.ceil(right / 2) if down > right else (0, math.ceil(right / 2), right)[view]
        for end in (0, 1):
            frame = video.frames[numbers[2 * clip + end]] / 255
            for channel in range(3):
                plane = bilinear(frame[..., channel], tall, wide)
                plane = plane[top : top + 224, left : left + 224]
                mean, std = CLIP_MEAN[channel, 0, 0], CLIP_STD[channel, 0, 0]
                np.testing.assert_allclose(
                    found[3 * clip + view, channel, end], (plane - mean) / std, atol=1e-4
                )


def test_a_films_raw_vector_is_the_plain_mean_of_its_views(model: ImageBind) -> None:
    video = moving(20, (320, 240))
    views = film(video)
    alone = np.concatenate([model.raw_tensors("vision", view[None, None]) for view in views])
    np.testing.assert_allclose(np.linalg.norm(alone, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(model.raw([video])[0], alone.mean(axis=0), atol=1e-6)
    assert np.linalg.norm(model.raw([video])[0]) < 1


def test_films_and_pictures_share_a_batch(model: ImageBind) -> None:
    items: list[Media] = [photo(1), moving(20, (64, 48)), photo(2), moving(9, (48, 64))]
    together = model.embed(items)
    for item, vector in zip(items, together, strict=True):
        np.testing.assert_allclose(vector, model.embed([item])[0], atol=1e-5)


def test_windows_are_the_parts_cut_out(model: ImageBind) -> None:
    sound = tone(300, seconds=12)
    heard = model.embed_windows(sound)
    assert [window.start for window in heard.windows] == [0, 2.5, 5, 7]
    alone = model.embed([Audio(sound.samples[:, 40_000:120_000].copy(), 16_000)])[0]
    np.testing.assert_allclose(heard.vectors[1], alone, atol=1e-6)
    video = moving(56, (64, 48))
    seen = model.embed_windows(video)
    part = Video(video.frames[16:56].copy(), np.arange(40), 40, 8.0)
    assert [window.start for window in seen.windows] == [0, 2]
    np.testing.assert_allclose(seen.vectors[1], model.embed([part])[0], atol=1e-6)


def test_of_a_film_the_frames_that_are_wanted_are_decoded(model: ImageBind) -> None:
    assert list(model.frames(8.0, 40)) == plain_frames(8, 40)
    assert set(model.window_frames(8.0, 800)) == {*plain_frames(8, 800), *evenly(8.0, 800)}


def test_a_strip_is_seen_in_the_middle() -> None:
    frames = np.zeros((1, 400, 2, 3), np.uint8)
    frames[:, 136:264] = 255  # as much of it as is 64 times as long as it is wide
    views = film(Video(frames, np.array([0]), 1, 1.0))
    assert views.shape == (15, 3, 2, 224, 224)
    np.testing.assert_allclose(
        views[0, :, 0, 0, 0], (1 - CLIP_MEAN.ravel()) / CLIP_STD.ravel(), rtol=1e-5
    )
