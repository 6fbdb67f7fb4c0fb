"""What ImageBind's towers read, against the original's steps written out plainly."""

import math

import numpy as np
import PIL.Image
import pytest
from numpy.typing import NDArray

from embedder.features.kaldi import filterbank
from embedder.features.resampling import resample
from embedder.media import Audio, Image
from embedder.models.clip_tokenizer import BEGIN, END, ClipTokenizer
from embedder.models.imagebind.senses import clips, picture
from tests.samples import photo, tone

EMPTY_BAND = (math.log(np.finfo(np.float32).eps) + 4.268) / 9.138
PADDING = 4.268 / 9.138


def noise(seconds: float, channels: int = 1, seed: int = 0, rate: int = 16_000) -> Audio:
    size = (channels, round(seconds * rate))
    return Audio(np.random.default_rng(seed).normal(0, 0.1, size).astype(np.float32), rate)


def slow_filterbank(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Kaldi's filterbank, one frame at a time, in float64."""

    def mel(hertz: NDArray[np.floating] | float) -> NDArray[np.float64]:
        return 1127 * np.log(1 + np.asarray(hertz) / 700)

    edges, at = np.linspace(mel(20), mel(8000), 130), mel(31.25 * np.arange(256))
    triangles = [np.interp(at, edges[i : i + 3], [0, 1, 0], left=0, right=0) for i in range(128)]
    rows = []
    for start in range(0, len(samples) - 399, 160):
        frame = samples[start : start + 400].astype(np.float64)
        frame = frame - frame.mean()
        frame = frame - 0.97 * np.append(frame[0], frame[:-1])
        frame = frame * (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 399))
        power = np.abs(np.fft.rfft(frame, 512))[:256] ** 2
        rows.append(np.log(np.maximum(np.array(triangles) @ power, 1.1920929e-07)))
    return np.array(rows)


def test_the_filterbank_equals_kaldis_formulas() -> None:
    samples = noise(0.06).samples[0]
    np.testing.assert_allclose(filterbank(samples), slow_filterbank(samples), atol=1e-3)


def test_two_seconds_are_198_frames_of_128_bands() -> None:
    assert filterbank(noise(2).samples[0]).shape == (198, 128)


def test_padding_and_the_empty_band_have_the_originals_values() -> None:
    heard = clips(noise(2)).clips
    assert heard.shape == (3, 1, 128, 204)
    np.testing.assert_allclose(heard[..., 198:], PADDING, rtol=1e-6)
    np.testing.assert_allclose(heard[:, 0, 3, :198], EMPTY_BAND, rtol=1e-6)


def test_only_the_first_channel_is_heard() -> None:
    one, other = noise(3, seed=1).samples, noise(3, seed=2).samples
    stereo = Audio(np.concatenate([one, other]), 16_000)
    mono = Audio(one, 16_000)
    # The other channel moves the mean that is taken from both, and nothing else.
    np.testing.assert_allclose(clips(stereo).clips, clips(mono).clips, atol=0.02)


def test_clips_are_the_beginning_the_middle_and_the_end() -> None:
    sound = noise(10)
    heard = clips(sound).clips
    for clip, start in zip(heard, (0, 4, 8), strict=True):
        alone = clips(Audio(sound.samples[:, start * 16_000 : (start + 2) * 16_000].copy(), 16_000))
        np.testing.assert_allclose(clip, alone.clips[0], atol=1e-5)


def test_an_overlapping_clip_finds_what_earlier_ones_have_moved() -> None:
    sound = Audio(noise(3.2).samples + np.float32(0.05), 16_000)
    moved = sound.samples.copy()
    for clip, start in zip(clips(sound).clips, (0, 9_600, 19_200), strict=True):
        part = moved[:, start : start + 32_000]
        part -= part.mean()
        mel = (slow_filterbank(part[0, :8_000]).T + 4.268) / 9.138
        np.testing.assert_allclose(clip[0, :, : mel.shape[1]], mel, atol=1e-3)


def test_the_sender_is_told_what_was_done() -> None:
    short, fitting, long = clips(noise(0.01)), clips(noise(6)), clips(noise(6.1))
    assert (short.padded, short.truncated) == (True, False)
    assert (fitting.padded, fitting.truncated, fitting.resampled) == (False, False, False)
    assert long.truncated
    assert clips(noise(1, rate=44_100)).resampled


def test_the_samples_that_came_are_left_alone() -> None:
    sound = noise(3)
    before = sound.samples.copy()
    clips(sound)
    np.testing.assert_array_equal(sound.samples, before)


def slow_resample(samples: NDArray[np.float32], a: int, b: int) -> NDArray[np.float64]:
    """The windowed sinc of the reference, one output sample at a time."""
    base = 0.99 * min(a, b)
    width = math.ceil(6 * a / base)
    found = []
    for out in range(math.ceil(b * len(samples) / a)):
        piece, phase = divmod(out, b)
        total = 0.0
        for tap in range(-width, width + a):
            at = piece * a + tap
            if 0 <= at < len(samples):
                t = max(-6.0, min(6.0, (tap / a - phase / b) * base))
                sinc = 1.0 if t == 0 else math.sin(math.pi * t) / (math.pi * t)
                total += samples[at] * sinc * math.cos(math.pi * t / 12) ** 2 * base / a
        found.append(total)
    return np.array(found)


@pytest.mark.parametrize(("source", "a", "b"), [(44_100, 441, 160), (8_000, 1, 2), (48_000, 3, 1)])
def test_resampling_equals_the_formula(source: int, a: int, b: int) -> None:
    samples = noise(0.02, rate=source).samples
    found = resample(samples, source, 16_000)
    np.testing.assert_allclose(found[0], slow_resample(samples[0], a, b), atol=1e-5)


def test_odd_rates_do_not_need_gigabytes() -> None:
    found = resample(noise(1, rate=44_101).samples, 44_101, 16_000)
    assert abs(found.shape[1] - 16_000) <= 1


@pytest.mark.parametrize("size", [(640, 427), (427, 640), (224, 224), (225, 301), (30, 20)])
def test_a_picture_is_the_middle_of_its_short_side(size: tuple[int, int]) -> None:
    image = photo(3, size)
    whole = PIL.Image.fromarray(np.array(image.pixels))
    width, height = size
    if width <= height:
        shape = (224, int(224 * height / width))
    else:
        shape = (int(224 * width / height), 224)
    if min(size) != 224:
        whole = whole.resize(shape, PIL.Image.Resampling.BICUBIC)
    left, top = int(round((shape[0] - 224) / 2.0)), int(round((shape[1] - 224) / 2.0))  # noqa: RUF046
    expected = np.asarray(whole)[top : top + 224, left : left + 224].astype(np.float64) / 255
    mean = [0.48145466, 0.4578275, 0.40821073]
    std = [0.26862954, 0.26130258, 0.27577711]
    expected = (expected - mean) / std
    np.testing.assert_allclose(picture(image), expected.transpose(2, 0, 1), atol=1e-6)


def test_a_strip_of_one_pixel_is_no_trouble() -> None:
    strip = Image(np.full((1, 3_000, 3), 7, np.uint8))
    assert picture(strip).shape == (3, 224, 224)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("", []),
        ("A  PHOTO\tof a &amp;amp; cat", [320, 1125, 539, 320, 261, 2368]),
    ],
)
def test_tokens_are_clips_own(text: str, ids: list[int]) -> None:
    found, cut = ClipTokenizer().encode(text)
    assert found.tolist() == [BEGIN, *ids, END]
    assert not cut


def test_tokens_equal_open_clips_on_many_texts() -> None:
    from embedder.models.open_clip_import import import_open_clip

    tokenize = import_open_clip().get_tokenizer("ViT-B-32")
    texts = ["don't stop", "Grüße aus 東京 🙂", "it's 3.14!", "x" * 40, "naïve  café\n", "Ⅷ ½ §"]
    for text in texts:
        found, _ = ClipTokenizer().encode(text)
        expected = tokenize([text])[0].tolist()
        assert found.tolist() == expected[: len(found)]
        assert not any(expected[len(found) :])


def test_an_overlong_text_keeps_its_end_mark() -> None:
    found, cut = ClipTokenizer().encode("dog " * 100)
    assert cut
    assert len(found) == 77
    assert found[-1] == END


@pytest.mark.parametrize("mark", ["<end_of_text>", "<|endoftext|>", "<start_of_text>"])
def test_a_text_that_spells_a_mark_holds_words(mark: str) -> None:
    found, _ = ClipTokenizer().encode(f"a dog {mark} on the beach")
    assert found.tolist().count(END) == 1
    assert found.tolist().count(BEGIN) == 1


def test_a_word_of_a_million_letters_takes_no_time() -> None:
    found, cut = ClipTokenizer().encode("a" * 1_000_000)
    assert cut
    assert len(found) <= 77


def test_a_tone_is_loudest_in_its_band() -> None:
    energies = filterbank(tone(1_000, 0.5, 1.0).samples[0]).mean(0)
    mels = np.linspace(1127 * math.log(1 + 20 / 700), 1127 * math.log(1 + 8000 / 700), 130)[1:-1]
    assert abs(mels[energies.argmax()] - 1127 * math.log(1 + 1_000 / 700)) < 25
