"""The contract's own rules."""

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.base import unit
from embedder.errors import EncodingFailed, InvalidMedia
from embedder.media import Audio, Image, Modality, Text
from tests.fakes import FakeEmbedder


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf, -np.inf])
def test_a_zero_or_infinite_vector_is_refused(bad: float) -> None:
    vectors = np.ones((3, 4), np.float32)
    vectors[1] = bad
    with pytest.raises(EncodingFailed, match="row 1"):
        unit(vectors)


@pytest.mark.parametrize("size", [1e-10, 1.0, 1e30])
def test_any_other_size_becomes_one(size: float) -> None:
    vectors = np.array([[3, 4]], np.float32) * np.float32(size)
    np.testing.assert_allclose(unit(vectors), [[0.6, 0.8]], rtol=1e-6)


def test_a_broken_model_is_refused() -> None:
    class Broken(FakeEmbedder):
        def _encode(
            self, modality: Modality, arrays: Sequence[NDArray[np.generic]]
        ) -> NDArray[np.float32]:
            return np.full_like(super()._encode(modality, arrays), np.nan)

    with pytest.raises(EncodingFailed, match="finite"):
        Broken().embed([Text("a")])


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_text_must_be_visible(text: str) -> None:
    with pytest.raises(InvalidMedia, match="visible"):
        Text(text)


def test_text_must_be_unicode() -> None:
    with pytest.raises(InvalidMedia, match=r"Unicode, got '\\ud83d'"):
        Text("half a smile: \ud83d")


@pytest.mark.parametrize(
    "pixels",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_pixels_must_be_rgb_bytes(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(InvalidMedia, match=r"uint8 of shape \(height, width, 3\)"):
        Image(pixels)


@pytest.mark.parametrize(
    ("samples", "rate", "words"),
    [
        (np.zeros(4, np.float32), 8_000, "float32 of shape"),
        (np.zeros((1, 0), np.float32), 8_000, "float32 of shape"),
        (np.zeros((1, 4), np.float64), 8_000, "float32 of shape"),
        (np.full((1, 4), np.nan, np.float32), 8_000, "finite"),
        (np.zeros((1, 4), np.float32), 0, "sample_rate must be positive, got 0"),
    ],
)
def test_samples_must_be_finite_float32(
    samples: NDArray[np.float32], rate: int, words: str
) -> None:
    with pytest.raises(InvalidMedia, match=words):
        Audio(samples, rate)


def test_media_are_frozen() -> None:
    image, audio = Image(np.zeros((1, 1, 3), np.uint8)), Audio(np.zeros((1, 1), np.float32), 8_000)
    assert not image.pixels.flags.writeable
    assert not audio.samples.flags.writeable
