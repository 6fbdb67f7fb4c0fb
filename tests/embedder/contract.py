"""What every embedder promises: a model's test inherits this and gives an `embedder`."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType

import numpy as np
import pytest

from embedder.base import Embedder, Prepared, Vectors
from embedder.decode import decode
from embedder.errors import AudioTooLong, MediaError, TooManyPixels, UndecodableMedia
from embedder.media import Audio, Media, Modality, Text
from tests.embedder.test_decode_image import png_header
from tests.samples import audio_bytes, image_bytes, photo, picture, tone

BATCH_TOLERANCE = 1e-5
"""How far a vector may move with the batch it is in."""

TEXTS = [
    "dog",
    "a dog on the beach",
    "loud " * 40,
    "Grüße aus 東京 🙂",
    "the sound of rain at night",
]
SOUNDS = [(440.0, 0.5), (3000.0, 0.02), (80.0, 12.0), (1000.0, 1.0), (200.0, 25.0)]


def samples_of(modality: Modality) -> list[Media]:
    """Returns five unlike items, of unlike sizes."""
    match modality:
        case Modality.TEXT:
            return [Text(text) for text in TEXTS]
        case Modality.IMAGE:
            return [photo(seed, (16 + 40 * seed, 200 - 30 * seed)) for seed in range(5)]
        case Modality.AUDIO:
            return [
                tone(hertz, 0.1 + 0.15 * i, seconds, sample_rate=[16_000, 44_100][i % 2])
                for i, (hertz, seconds) in enumerate(SOUNDS)
            ]


ALL_SAMPLES = [item for modality in Modality for item in samples_of(modality)]

POISON: dict[str, tuple[bytes, type[MediaError] | None]] = {
    "a picture of one pixel": (image_bytes(picture("red", (1, 1))), None),
    "a truncated JPEG": (image_bytes(photo(), "JPEG")[:400], UndecodableMedia),
    "a PNG of 30,000 x 30,000": (png_header(30_000, 30_000), TooManyPixels),
    "an empty file": (b"", UndecodableMedia),
    "a text file named .jpg": (b"These are words, whatever the name says.", UndecodableMedia),
    "ten milliseconds": (audio_bytes(tone(seconds=0.01)), None),
    "an hour of silence": (
        audio_bytes(Audio(np.zeros((1, 3600 * 8_000), np.float32), 8_000), "FLAC"),
        AudioTooLong,
    ),
    "six channels": (audio_bytes(tone(channels=6, sample_rate=48_000)), None),
}
"""Files that break servers, and what each must come to: an error, or None for a vector."""


def embed_files(embedder: Embedder, files: Sequence[bytes]) -> list[Vectors | MediaError]:
    """Decodes and prepares each file apart, then encodes the good ones together."""
    outcomes: list[Prepared | MediaError] = []
    for data in files:
        try:
            outcomes.append(embedder.prepare(decode(data)))
        except MediaError as exc:
            outcomes.append(exc)
    vectors = iter(embedder.encode([item for item in outcomes if isinstance(item, Prepared)]))
    return [next(vectors) if isinstance(item, Prepared) else item for item in outcomes]


def vectors_of(outcomes: Sequence[Vectors | MediaError]) -> Vectors:
    """Stacks the vectors, leaving out the errors."""
    return np.stack([each for each in outcomes if not isinstance(each, MediaError)])


GOOD_FILES = [
    audio_bytes(tone(100 + 50 * i, seconds=0.5)) if i % 4 == 0 else image_bytes(photo(i))
    for i in range(15)
]


class EmbedderContract:
    """Inherited by the test of each model.

    Attributes:
        windows: In how many windows the model hears sounds of so many seconds.
    """

    windows: Mapping[float, int] = MappingProxyType({0.01: 1, 5: 1, 25: 3})

    @pytest.fixture(scope="class")
    @classmethod
    def good_vectors(cls, embedder: Embedder) -> Vectors:
        return vectors_of(embed_files(embedder, GOOD_FILES))

    @pytest.mark.parametrize("modality", Modality)
    def test_vectors_are_unit_rows_of_the_space(
        self, embedder: Embedder, modality: Modality
    ) -> None:
        vectors = embedder.embed(samples_of(modality))
        assert vectors.shape == (5, embedder.space.dim)
        assert vectors.dtype == np.float32
        assert vectors.flags.c_contiguous
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)

    @pytest.mark.parametrize("modality", Modality)
    def test_a_batch_is_its_items(self, embedder: Embedder, modality: Modality) -> None:
        items = samples_of(modality)
        alone = np.concatenate([embedder.embed([item]) for item in items])
        np.testing.assert_allclose(embedder.embed(items), alone, atol=BATCH_TOLERANCE, rtol=0)

    def test_order_is_kept_across_modalities(self, embedder: Embedder) -> None:
        order = np.random.default_rng(3).permutation(len(ALL_SAMPLES))
        straight = embedder.embed(ALL_SAMPLES)
        shuffled = embedder.embed([ALL_SAMPLES[i] for i in order])
        np.testing.assert_allclose(shuffled, straight[order], atol=BATCH_TOLERANCE, rtol=0)

    def test_the_same_twice_gives_the_same(self, embedder: Embedder) -> None:
        first, second = embedder.embed(ALL_SAMPLES), embedder.embed(ALL_SAMPLES)
        np.testing.assert_array_equal(first, second)

    def test_large_batches_are_their_items(self, embedder: Embedder) -> None:
        items = [Text(f"number {i}") for i in range(600)]
        found = embedder.embed(items)[[0, 299, 599]]
        alone = embedder.embed([items[0], items[299], items[599]])
        np.testing.assert_allclose(found, alone, atol=BATCH_TOLERANCE, rtol=0)

    def test_unlike_items_differ(self, embedder: Embedder) -> None:
        for modality in Modality:
            vectors = embedder.embed(samples_of(modality))
            cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
            assert cosines.max() < 1 - 1e-6

    def test_threads_get_what_one_thread_gets(self, embedder: Embedder) -> None:
        alone = embedder.embed(ALL_SAMPLES)
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(embedder.embed, [ALL_SAMPLES] * 4))
        for vectors in together:
            np.testing.assert_allclose(vectors, alone, atol=BATCH_TOLERANCE, rtol=0)

    def test_nothing_gives_nothing(self, embedder: Embedder) -> None:
        assert embedder.embed([]).shape == (0, embedder.space.dim)

    def test_treatment_tells_what_was_done(self, embedder: Embedder) -> None:
        short, long = embedder.prepare(Text("a dog")), embedder.prepare(Text("dog " * 1_000))
        assert (short.treatment.truncated, long.treatment.truncated) == (False, True)
        exact = embedder.prepare(tone(seconds=5)).treatment
        assert (exact.resampled, exact.padded) == (False, False)
        other = embedder.prepare(tone(seconds=0.01, sample_rate=44_100)).treatment
        assert (other.resampled, other.padded) == (True, True)
        for seconds, windows in self.windows.items():
            assert embedder.prepare(tone(seconds=seconds)).treatment.windows == windows

    def test_a_book_takes_no_longer_than_its_beginning(self, embedder: Embedder) -> None:
        book = embedder.prepare(Text("It was a dark and stormy night. " * 200_000))
        assert book.treatment.truncated
        assert book.cost <= 1_000

    def test_more_work_costs_more(self, embedder: Embedder) -> None:
        assert all(embedder.prepare(item).cost >= 1 for item in ALL_SAMPLES)
        more_windows = self.windows[25] > self.windows[5]
        long, short = (embedder.prepare(tone(seconds=seconds)).cost for seconds in (25, 5))
        assert long > short if more_windows else long == short
        assert embedder.prepare(Text("a b c d")).cost > embedder.prepare(Text("a")).cost

    def test_every_part_of_a_long_sound_counts(self, embedder: Embedder) -> None:
        quiet = np.zeros((1, 30 * 16_000), np.float32)
        loud = quiet.copy()
        loud[:, -16_000 * 8 :] = tone(1000, 0.9, 8).samples
        vectors = embedder.embed([Audio(quiet, 16_000), Audio(loud, 16_000)])
        assert vectors[0] @ vectors[1] < 1 - 1e-4

    @pytest.mark.parametrize("name", POISON)
    def test_poison_alone(self, embedder: Embedder, name: str) -> None:
        data, expected = POISON[name]
        outcomes = embed_files(embedder, [data])
        if expected is None:
            assert np.linalg.norm(vectors_of(outcomes)) == pytest.approx(1, abs=1e-6)
        else:
            assert type(outcomes[0]) is expected

    @pytest.mark.parametrize("name", POISON)
    def test_poison_in_a_batch_costs_itself_alone(
        self, embedder: Embedder, good_vectors: Vectors, name: str
    ) -> None:
        data, expected = POISON[name]
        outcomes = embed_files(embedder, [*GOOD_FILES[:7], data, *GOOD_FILES[7:]])
        found = outcomes.pop(7)
        assert isinstance(found, MediaError) == (expected is not None)
        np.testing.assert_allclose(vectors_of(outcomes), good_vectors, atol=BATCH_TOLERANCE, rtol=0)
