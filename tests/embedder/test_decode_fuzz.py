"""Damaged files: whatever the bytes, a decoder answers with media or with a `MediaError`, soon."""

import time
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from embedder.decode import DEFAULT_LIMITS, FORMATS, Limits, decode
from embedder.errors import MediaError
from embedder.media import Audio, Image, Video
from tests.embedder.test_decode_audio import ffmpeg_bytes
from tests.samples import audio_bytes, image_bytes, photo, tone

SLOWEST_SECONDS = 5.0
TALKATIVE = {"TIFF deflate", "TIFF jpeg"}
"""libtiff writes its complaints to stderr, and Pillow has no switch for that."""
LIMITS = Limits(max_pixels=4_000_000, max_seconds=60)

SEEDS: dict[str, Callable[[], bytes]] = {
    "JPEG": lambda: image_bytes(photo(), "JPEG"),
    "JPEG progressive": lambda: image_bytes(photo(), "JPEG", progressive=True),
    "PNG": lambda: image_bytes(photo(), "PNG"),
    "WebP": lambda: image_bytes(photo(), "WEBP"),
    "GIF": lambda: image_bytes(photo(), "GIF"),
    "BMP": lambda: image_bytes(photo(), "BMP"),
    "TIFF": lambda: image_bytes(photo(), "TIFF"),
    "TIFF deflate": lambda: image_bytes(photo(), "TIFF", compression="tiff_adobe_deflate"),
    "TIFF jpeg": lambda: image_bytes(photo(), "TIFF", compression="jpeg"),
    "AVIF": lambda: image_bytes(photo(), "AVIF"),
    "HEIC": lambda: image_bytes(photo(), "HEIF"),
    "WAV": lambda: audio_bytes(tone(seconds=0.2), "WAV"),
    "AIFF": lambda: audio_bytes(tone(seconds=0.2), "AIFF"),
    "FLAC": lambda: audio_bytes(tone(seconds=0.2), "FLAC"),
    "Ogg Vorbis": lambda: audio_bytes(tone(seconds=0.2), "OGG", "VORBIS"),
    "Ogg Opus": lambda: audio_bytes(tone(seconds=0.2), "OGG", "OPUS"),
    "MP3": lambda: audio_bytes(tone(seconds=0.2), "MP3"),
    "AAC": lambda: ffmpeg_bytes(tone(seconds=0.2, sample_rate=44_100), "adts", "aac"),
    "MP4": lambda: ffmpeg_bytes(tone(seconds=0.2, sample_rate=44_100), "mp4", "aac"),
    "WebM": lambda: ffmpeg_bytes(tone(seconds=0.2, sample_rate=48_000), "webm", "libopus"),
}


def outcome(data: bytes) -> Image | Audio | Video | MediaError:
    try:
        return decode(data, LIMITS)
    except MediaError as exc:
        return exc


def damaged(data: bytes, random: np.random.Generator) -> bytes:
    """Overwrites, cuts and doubles a few places, half of them in front, where headers are."""
    file = bytearray(data)
    for _ in range(random.integers(1, 9)):
        reach = len(file) if random.random() < 0.5 else min(len(file), 200)
        place = int(random.integers(reach))
        match random.integers(5):
            case 0:
                file[place] = random.integers(256)
            case 1:
                file[place : place + 4] = random.choice(
                    [b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff"]
                )
            case 2:
                del file[place : place + int(random.integers(1, 50))]
            case 3:
                file[place:place] = file[place : place + int(random.integers(1, 50))]
            case 4:
                del file[max(place, 12) :]
        if not file:
            break
    return bytes(file)


def test_the_seeds_cover_every_format() -> None:
    assert {name.split()[0] for name in SEEDS} == {format.name for format in FORMATS}


@pytest.mark.parametrize("name", SEEDS)
def test_damage(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """150 damaged copies: media or `MediaError`, each within seconds, nothing printed."""
    seed = SEEDS[name]()
    assert not isinstance(outcome(seed), MediaError)
    random = np.random.default_rng(7)
    for _ in range(150):
        data = damaged(seed, random)
        start = time.perf_counter()
        outcome(data)
        assert time.perf_counter() - start < SLOWEST_SECONDS
    printed = capfd.readouterr()
    if name not in TALKATIVE:
        assert printed.out + printed.err == ""


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=200))
def test_noise(data: bytes) -> None:
    outcome(data)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"II*\0", b"fLaC", b"OggS",
                     b"RIFF\0\0\0\0WAVE", b"RIFF\0\0\0\0WEBP", b"ID3", b"\0\0\0\x18ftypM4A ",
                     b"\x1a\x45\xdf\xa3"]),
    st.binary(max_size=200),
)  # fmt: skip
def test_noise_behind_a_good_beginning(start: bytes, rest: bytes) -> None:
    assert isinstance(outcome(start + rest), MediaError | Image | Audio)


def test_limits_have_generous_defaults() -> None:
    assert DEFAULT_LIMITS.max_pixels >= 48_000_000, "a phone's picture"
    assert DEFAULT_LIMITS.max_seconds >= 300, "a song"
