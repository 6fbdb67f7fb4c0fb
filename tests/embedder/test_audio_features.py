"""The log-mel against its published definition, and what happens to long and short sounds."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.errors import InvalidMedia
from embedder.features.audio import (
    PATCH_SAMPLES,
    SAMPLE_RATE,
    WINDOW_SAMPLES,
    log_mel,
    looped,
    mono_16k,
    patches,
    prepare_audio,
    starts,
)
from embedder.media import Audio


def noise(samples: int, channels: int = 1) -> NDArray[np.float32]:
    rng = np.random.default_rng(samples)
    return (0.1 * rng.standard_normal((channels, samples))).astype(np.float32)


def mel(hertz: float) -> float:
    return 1127.0 * math.log(1.0 + hertz / 700.0)


def published_log_mel(samples: NDArray[np.float32], frame: int, band: int) -> float:
    """One cell of YAMNet's spectrogram, summed by hand: no FFT, no matrix."""
    low, high = mel(125.0), mel(7_500.0)
    edges = [low + (high - low) * i / 65 for i in range(66)]
    left, centre, right = edges[band : band + 3]
    n = np.arange(400)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 400)
    piece = samples[160 * frame : 160 * frame + 400].astype(np.float64) * window
    total = 0.0
    for bin_ in range(1, 257):
        position = mel(bin_ * 16_000 / 512)
        weight = min((position - left) / (centre - left), (right - position) / (right - centre))
        if weight > 0:
            total += weight * abs(np.sum(piece * np.exp(-2j * np.pi * bin_ * n / 512)))
    return math.log(total + 0.001)


@pytest.mark.parametrize(("frame", "band"), [(0, 0), (3, 5), (17, 31), (95, 63)])
def test_log_mel_is_the_published_one(frame: int, band: int) -> None:
    samples = noise(PATCH_SAMPLES)[0]
    assert log_mel(samples)[frame, band] == pytest.approx(
        published_log_mel(samples, frame, band), abs=2e-4
    )


def test_a_tone_is_loudest_in_its_own_band() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    spectrum = log_mel(np.sin(2 * np.pi * 1_000 * time).astype(np.float32)).mean(axis=0)
    expected = (mel(1_000) - mel(125)) / (mel(7_500) - mel(125)) * 65 - 1
    assert abs(int(spectrum.argmax()) - expected) <= 1


def test_silence_is_the_logarithm_of_the_offset() -> None:
    spectrum = log_mel(np.zeros(PATCH_SAMPLES, dtype=np.float32))
    np.testing.assert_allclose(spectrum, math.log(0.001), rtol=1e-6)


def test_one_patch_is_96_frames() -> None:
    assert log_mel(noise(PATCH_SAMPLES)[0]).shape == (96, 64)
    assert len(log_mel(noise(PATCH_SAMPLES - 1)[0])) == 95


def test_a_short_sound_is_repeated() -> None:
    short = noise(6_000)[0]
    long = looped(short)
    assert long.size == PATCH_SAMPLES
    np.testing.assert_array_equal(long[6_000:12_000], short)
    assert prepare_audio(Audio(short[None].copy(), SAMPLE_RATE)).looped


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (10, [0]),
        (96, [0]),
        (97, [0, 1]),
        (144, [0, 48]),
        (150, [0, 48, 54]),
        (498, [*range(0, 402, 48), 402]),
    ],
)
def test_pieces_cover_everything_and_end_flush(length: int, expected: list[int]) -> None:
    assert starts(length, 96, 48) == expected


def test_patches_are_cut_from_the_spectrogram() -> None:
    spectrum = log_mel(noise(5 * SAMPLE_RATE)[0])
    cut = patches(spectrum)
    assert cut.shape == (10, 96, 64)
    np.testing.assert_array_equal(cut[1], spectrum[48:144])
    np.testing.assert_array_equal(cut[-1], spectrum[-96:])


def test_a_long_sound_has_windows_of_ten_seconds() -> None:
    samples = noise(25 * SAMPLE_RATE)
    sound = prepare_audio(Audio(samples, SAMPLE_RATE))
    assert sound.patches.shape == (3, 20, 96, 64)
    assert (sound.resampled, sound.looped) == (False, False)
    np.testing.assert_array_equal(sound.patches[2], patches(log_mel(samples[0, -WINDOW_SAMPLES:])))


def test_channels_are_averaged() -> None:
    stereo = noise(SAMPLE_RATE, channels=2)
    np.testing.assert_allclose(mono_16k(Audio(stereo, SAMPLE_RATE)), stereo.mean(axis=0), rtol=1e-6)


def test_resampling_keeps_a_tone_where_it_is() -> None:
    time = np.arange(3 * 44_100) / 44_100
    tone = np.sin(2 * np.pi * 440 * time).astype(np.float32)[None]
    samples = mono_16k(Audio(tone, 44_100))
    assert samples.size == 3 * SAMPLE_RATE
    middle = slice(SAMPLE_RATE, 2 * SAMPLE_RATE)
    expected = np.sin(2 * np.pi * 440 * np.arange(samples.size) / SAMPLE_RATE)
    np.testing.assert_allclose(samples[middle], expected[middle], atol=1e-3)
    assert prepare_audio(Audio(tone, 44_100)).resampled


def test_a_sound_of_no_sample_at_16_khz_is_refused() -> None:
    with pytest.raises(InvalidMedia, match="at least one sample at 16000 Hz, got 1 at 192000 Hz"):
        mono_16k(Audio(np.ones((1, 1), dtype=np.float32), 192_000))
