"""Films: the right frames, every limit before decoding, and films told from sounds."""

import io
import math

import av
import numpy as np
import pytest

from embedder.decode import (
    Limits,
    decode,
    decode_as,
    decode_audio,
    decode_image,
    decode_video,
    sense,
    sound_track,
)
from embedder.errors import MediaTooLarge, TooManyPixels, UndecodableMedia, VideoTooLong
from embedder.frames import MOST_PICKED, evenly
from embedder.media import Audio, Image, Modality, Video
from tests.embedder.test_decode_audio import ffmpeg_bytes
from tests.samples import audio_bytes, colours, film_bytes, image_bytes, photo, tone

WEBM = ("webm", "libvpx", "libopus")
GREYS = np.repeat(np.arange(25, dtype=np.uint8) * 10, 64 * 48 * 3).reshape(25, 48, 64, 3)
"""Twenty-five frames, each ten lighter than the one before."""


def every(rate: float, count: int) -> range:
    return range(count)


@pytest.mark.parametrize("kind", [("mp4", "libx264", "aac"), WEBM, ("matroska", "mpeg4", "aac")])
def test_frames_are_those_that_were_shown(kind: tuple[str, str, str]) -> None:
    found = decode_video(film_bytes(GREYS, kind=kind), pick=every)
    assert found.count == 25
    assert found.rate == pytest.approx(10)
    assert found.seconds == pytest.approx(2.5)
    assert found.numbers.tolist() == list(range(25))
    np.testing.assert_allclose(found.frames.mean(axis=(1, 2, 3)), np.arange(0, 250, 10), atol=3)


def test_a_codec_that_nobody_knows_is_an_error_of_the_film() -> None:
    unknown = film_bytes(colours("red"), sound=tone()).replace(b"avc1", b"zzzz")
    with pytest.raises(UndecodableMedia, match="must be in a codec that is known"):
        decode_video(unknown)
    assert isinstance(decode_as(Modality.AUDIO, unknown), Audio)


def test_only_picked_frames_are_kept() -> None:
    found = decode_video(film_bytes(GREYS), pick=lambda rate, count: [20, 3, 3, -1, 99])
    assert found.numbers.tolist() == [3, 20]
    np.testing.assert_allclose(found.frames.mean(axis=(1, 2, 3)), [30, 200], atol=3)


def test_usually_one_frame_a_second_is_picked() -> None:
    film = decode_video(film_bytes(colours("red", "green", "blue")))
    assert film.numbers.tolist() == [5, 15, 25]
    assert film.frames.mean(axis=(1, 2)).argmax(axis=1).tolist() == [0, 1, 2]
    assert evenly(30, 3) == [1]
    assert evenly(0.5, 3) == [0, 1, 2]
    long = evenly(30, 30 * 3600)
    assert (len(long), long[0], long[1]) == (MOST_PICKED, 225, 675)


@pytest.mark.parametrize(
    ("limits", "error", "message"),
    [
        (Limits(max_bytes=100), MediaTooLarge, "100 bytes"),
        (Limits(max_pixels=3_000), TooManyPixels, "64 x 48"),
        (Limits(max_video_frames=24), VideoTooLong, "24 frames, got 25"),
        (Limits(max_video_seconds=2.4), VideoTooLong, "2.4 seconds, got 2.5"),
        (Limits(max_video_pixels=76_799), VideoTooLong, "pixels in all its frames"),
    ],
)
@pytest.mark.parametrize("kind", [("mp4", "libx264", "aac"), WEBM])
def test_what_passes_a_limit_is_refused_before_anything_is_decoded(
    limits: Limits,
    error: type[Exception],
    message: str,
    kind: tuple[str, str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = film_bytes(GREYS, kind=kind)
    monkeypatch.setattr("embedder.decode.video._frames", lambda _: pytest.fail("decoded"))
    with pytest.raises(error, match=message):
        decode_video(data, limits)


def test_the_frames_of_a_film_fit_the_memory_of_one_picture() -> None:
    film = decode_video(film_bytes(GREYS), Limits(max_pixels=64 * 48), pick=every)
    count, height, width, _ = film.frames.shape
    assert count == 25
    assert 0.8 * 64 * 48 < count * height * width <= 64 * 48


def test_a_film_is_a_picture_and_a_sound() -> None:
    data = film_bytes(colours("red", "blue"), sound=tone(440, seconds=2, sample_rate=48_000))
    assert sense(data) is Modality.IMAGE
    assert isinstance(decode(data), Video)
    assert isinstance(decode_as(Modality.IMAGE, data), Video)
    heard = decode_as(Modality.AUDIO, data)
    assert isinstance(heard, Audio)
    assert heard.seconds == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize("kind", [("mp4", "libx264", "aac"), WEBM])
def test_a_sound_track_is_copied_out_of_its_film(kind: tuple[str, str, str]) -> None:
    data = film_bytes(GREYS, sound=tone(440, seconds=2.5, sample_rate=48_000), kind=kind)
    track = sound_track(data)
    assert track is not None
    assert len(track) < len(data)
    assert sense(track) is Modality.AUDIO
    whole, alone = decode_audio(data), decode_audio(track)
    assert alone.sample_rate == whole.sample_rate
    np.testing.assert_array_equal(alone.samples, whole.samples)
    assert sound_track(film_bytes(GREYS, kind=kind)) is None


def test_what_is_no_film_stays_what_it_is() -> None:
    song = ffmpeg_bytes(tone(seconds=1, sample_rate=48_000), "mp4", "aac")
    assert sense(song) is Modality.AUDIO
    assert sense(audio_bytes(tone())) is Modality.AUDIO
    assert sense(image_bytes(photo())) is Modality.IMAGE
    assert sense(b"words") is None
    assert isinstance(decode_as(Modality.IMAGE, image_bytes(photo())), Image)
    with pytest.raises(UndecodableMedia, match="moving pictures"):
        decode_video(song)
    with pytest.raises(UndecodableMedia, match="MP4, WebM; got a PNG file"):
        decode_video(image_bytes(photo()))
    with pytest.raises(UndecodableMedia, match="got a MP4 file"):
        decode_image(song)


def test_the_cover_of_a_song_is_no_film() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        cover = file.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 48, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        track = file.add_stream("aac", rate=48_000, layout="mono")
        file.mux(cover.encode(av.VideoFrame.from_ndarray(GREYS[3]).reformat(format="yuvj420p")))
        file.mux(cover.encode())
        wave = av.AudioFrame.from_ndarray(
            np.array(tone(sample_rate=48_000).samples), format="fltp", layout="mono"
        )
        wave.sample_rate = 48_000
        file.mux(track.encode(wave))
        file.mux(track.encode())
    assert sense(buffer.getvalue()) is Modality.AUDIO


@pytest.mark.parametrize("kind", [("mp4", "libx264", "aac"), WEBM])
def test_a_film_that_breaks_off_is_taken_as_far_as_it_goes_or_refused(
    kind: tuple[str, str, str],
) -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
    whole = film_bytes(noise, kind=kind)
    for share in np.linspace(0.05, 0.99, 8):
        try:
            film = decode_video(whole[: math.floor(len(whole) * share)], pick=every)
        except UndecodableMedia:
            continue
        assert 1 <= len(film.frames) <= 20
    for _ in range(10):
        broken = bytearray(whole)
        for place in rng.integers(0, len(whole), 5):
            broken[place] = rng.integers(256)
        try:
            decode_video(bytes(broken), pick=every)
        except (UndecodableMedia, TooManyPixels, VideoTooLong):
            continue
