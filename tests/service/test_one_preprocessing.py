"""Training, library and service prepare the same bytes to the same arrays, bit for bit."""

from collections.abc import Iterator

import numpy as np
import pytest

from embedder.base import Embedder
from embedder.catalog import load
from embedder.decode import Limits, decode_audio, decode_image
from embedder.features.audio import log_mel, looped, patches
from embedder.media import Media, Modality
from embedder.runtime.base import Placement
from embedder.training.sound_targets import heard
from embedder.training.views import whole_view
from service.decoding.pool import Bounds, DecodePool
from service.intake import Decode, load_of
from service.messages import MediaContent
from tests.samples import audio_bytes, image_bytes, photo, tone

pytestmark = pytest.mark.weights


@pytest.fixture(scope="module")
def mini() -> Embedder:
    return load("kindred-mini", Placement(runtime="torch"))


@pytest.fixture(scope="module")
def decode(mini: Embedder) -> Iterator[Decode]:
    """Decodes and reduces in a process of its own, as the service does."""

    def decoded(modality: Modality, data: bytes) -> Media:
        return pool.decode(modality, data, reducer=mini.reducers.get(modality, ""))

    with DecodePool(1, Bounds(Limits(), memory=2**31, seconds=30.0)) as pool:
        yield decoded


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_pictures(mini: Embedder, decode: Decode, format: str) -> None:
    file = image_bytes(photo(3, (301, 157)), format)
    served = mini.prepare(load_of(MediaContent(Modality.IMAGE, file), Limits(), decode)()).array
    assert np.array_equal(served, mini.prepare(decode_image(file)).array)
    assert np.array_equal(served, whole_view(file))


def test_large_photos(mini: Embedder, decode: Decode) -> None:
    file = image_bytes(photo(3, (2500, 2100)), "JPEG")
    served = mini.prepare(load_of(MediaContent(Modality.IMAGE, file), Limits(), decode)()).array
    assert decode_image(file).pixels.shape == (1050, 1250, 3)
    assert np.array_equal(served, mini.prepare(decode_image(file)).array)
    assert np.array_equal(served, whole_view(file))


@pytest.mark.parametrize("format", ["WAV", "FLAC", "OGG"])
def test_sounds(mini: Embedder, decode: Decode, format: str) -> None:
    file = audio_bytes(tone(523.0, seconds=1.7), format)
    served = mini.prepare(load_of(MediaContent(Modality.AUDIO, file), Limits(), decode)()).array
    assert np.array_equal(served, mini.prepare(decode_audio(file)).array)
    assert np.array_equal(served[0], patches(log_mel(looped(heard(file)))))
