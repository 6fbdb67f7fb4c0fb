"""Media to arrays, against slow and plain readings of the definitions."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer

from embedder.errors import InvalidMedia, WeightsError
from embedder.features import audio as features
from embedder.features.image import SIZE, image_input, reduced
from embedder.features.text import BEGIN, END, PAD, TextTokenizer
from embedder.media import Audio, Image, Video
from embedder.training.tokenizer import train_tokenizer
from tests.samples import photo, picture, tone

# Pictures


@pytest.mark.parametrize(("colour", "value"), [("bright", 1.0), ("dark", -1.0)])
def test_white_is_one_and_black_is_minus_one(colour: str, value: float) -> None:
    array = image_input(picture(colour))
    assert array.shape == (3, SIZE, SIZE)
    assert array.dtype == np.float32
    assert (array == value).all()


def test_planes_are_red_green_blue() -> None:
    red, green, blue = image_input(picture("red"))
    assert (red == 1).all()
    assert (green == -1).all()
    assert (blue == -1).all()


def test_the_whole_of_a_wide_picture_is_in_view() -> None:
    pixels = np.zeros((20, 200, 3), np.uint8)
    pixels[:, :10, 0] = pixels[:, -10:, 2] = 255
    red, _, blue = image_input(Image(pixels))
    assert red[:, 0].min() > 0.9
    assert blue[:, -1].min() > 0.9


@pytest.mark.parametrize("size", [(300, 100), (100, 700), (224, 224), (1000, 900), (60, 40)])
def test_reduced_pictures_have_the_same_input_and_are_no_larger(size: tuple[int, int]) -> None:
    image = photo(2, size)
    less = reduced(image)
    assert isinstance(less, Image)
    np.testing.assert_array_equal(image_input(less), image_input(image))
    assert less.pixels.size <= image.pixels.size


def test_reduced_films_keep_their_frames() -> None:
    frames = np.stack([photo(seed, (400, 300)).pixels for seed in range(3)])
    film = Video(frames, np.array([4, 9, 30]), 40, 25.0)
    less = reduced(film)
    assert isinstance(less, Video)
    for smaller, frame in zip(less.frames, frames, strict=True):
        np.testing.assert_array_equal(image_input(Image(smaller)), image_input(Image(frame)))
    assert (list(less.numbers), less.count, less.rate) == ([4, 9, 30], 40, 25.0)


def test_the_filter_is_pillow_s_bicubic() -> None:
    image = photo(3, (300, 100))
    resized = PIL.Image.fromarray(np.array(image.pixels)).resize(
        (SIZE, SIZE), PIL.Image.Resampling.BICUBIC
    )
    expected = np.asarray(resized, np.float64).transpose(2, 0, 1) / 127.5 - 1
    np.testing.assert_allclose(image_input(image), expected, atol=1e-6)


# Sounds


def slow_log_mel(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """YAMNet's front end as its paper and parameters word it, one band at a time."""

    def mel(hertz: float) -> float:
        return float(1127 * np.log(1 + hertz / 700))

    edges = np.linspace(mel(125), mel(7500), 66)
    rows = []
    for start in range(0, len(samples) - 400 + 1, 160):
        window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
        magnitude = np.abs(np.fft.fft(samples[start : start + 400] * window, 512))
        row = []
        for band in range(64):
            low, middle, high = edges[band : band + 3]
            energy = 0.0
            for k in range(1, 257):
                position = mel(k * 16_000 / 512)
                rise, fall = (position - low) / (middle - low), (high - position) / (high - middle)
                energy += max(0.0, min(rise, fall)) * magnitude[k]
            row.append(np.log(energy + 0.001))
        rows.append(row)
    return np.array(rows)


def test_log_mel_is_the_definition() -> None:
    samples = np.random.default_rng(0).uniform(-0.5, 0.5, 2_000).astype(np.float32)
    expected = slow_log_mel(samples)
    found = features.log_mel(samples)
    assert found.shape == expected.shape == (11, 64)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@given(st.integers(1, 500), st.integers(1, 100), st.integers(1, 100))
def test_pieces_cover_everything_and_end_with_the_end(length: int, size: int, hop: int) -> None:
    hop = min(hop, size)
    begin = features.starts(length, size, hop)
    covered = {i for start in begin for i in range(start, min(start + size, length))}
    assert covered == set(range(length))
    assert begin == sorted(set(begin))
    assert begin[-1] == max(length - size, 0)


@pytest.mark.parametrize(
    ("seconds", "windows", "patches"),
    [
        (0.001, 1, 1),
        (0.5, 1, 1),
        (0.975, 1, 1),
        (5, 1, 10),
        (10, 1, 20),
        (10.1, 2, 20),
        (25, 3, 20),
    ],
)
def test_sounds_of_any_length_become_patches(seconds: float, windows: int, patches: int) -> None:
    found = features.prepare_audio(tone(seconds=seconds))
    assert found.patches.shape == (windows, patches, 96, 64)
    assert found.patches.dtype == np.float32
    assert np.isfinite(found.patches).all()
    assert found.looped == (seconds < 0.975)
    assert not found.resampled


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100, 48_000, 96_000])
def test_resampling_keeps_the_sound(sample_rate: int) -> None:
    found = features.mono_16k(tone(440, 0.5, 2, sample_rate))
    expected = tone(440, 0.5, 2).samples[0]
    assert abs(found.size - expected.size) <= 1
    middle = slice(2_000, 30_000)
    np.testing.assert_allclose(found[middle], expected[middle], atol=2e-3)


def test_channels_are_averaged() -> None:
    stereo = np.stack([np.full(100, 0.5), np.full(100, -0.1)]).astype(np.float32)
    np.testing.assert_allclose(features.mono_16k(Audio(stereo, 16_000)), 0.2, atol=1e-6)


def test_less_than_a_sample_is_invalid() -> None:
    with pytest.raises(InvalidMedia, match="at least one sample at 16000 Hz"):
        features.mono_16k(Audio(np.ones((1, 3), np.float32), 1_000_000))


# Texts


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    texts = ["a dog barks at the sea in the rain at night", "the sound of loud waves on a beach"]
    return TextTokenizer(train_tokenizer(texts, 300), context=16)


def test_a_text_is_marked_at_both_ends(tokenizer: TextTokenizer) -> None:
    ids, cut = tokenizer.encode("the sea")
    assert (ids[0], ids[-1], cut) == (1, tokenizer.vocabulary - 1, False)
    assert ids.dtype == np.int64
    assert 0 not in ids


def test_a_long_text_is_cut_but_keeps_its_end_mark(tokenizer: TextTokenizer) -> None:
    ids, cut = tokenizer.encode("sea " * 100)
    assert (ids.size, ids[-1], cut) == (16, tokenizer.vocabulary - 1, True)


@pytest.mark.parametrize(
    ("one", "other"), [("The SEA", "the sea"), ("Café", "cafe"), (" sea", "sea"), ("ﬁre", "fire")]
)
def test_spelling_that_means_nothing_is_lost(
    tokenizer: TextTokenizer, one: str, other: str
) -> None:
    assert tokenizer.encode(one)[0].tolist() == tokenizer.encode(other)[0].tolist()


@pytest.mark.parametrize("mark", [PAD, BEGIN, END])
def test_a_text_that_spells_a_mark_is_text(tokenizer: TextTokenizer, mark: str) -> None:
    ids, _ = tokenizer.encode(mark)
    assert not {0, 1, tokenizer.vocabulary - 1} & set(ids[1:-1].tolist())


@given(text=st.text(min_size=1, max_size=40))
def test_any_text_of_any_script_has_ids(tokenizer: TextTokenizer, text: str) -> None:
    ids, _ = tokenizer.encode(text)
    assert 2 <= ids.size <= 16
    assert ids.max() < tokenizer.vocabulary


def test_another_tokenizer_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.json"
    with pytest.raises(WeightsError, match="must be a file"):
        TextTokenizer.load(path, 16)
    trained = train_tokenizer(["a dog"], 260)
    trained.add_special_tokens(["<more>"])
    trained.save(str(path))
    assert Tokenizer.from_file(str(path)).get_vocab_size() > 0
    with pytest.raises(WeightsError, match="<end> as its last entry"):
        TextTokenizer.load(path, 16)
