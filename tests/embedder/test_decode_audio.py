"""Sounds: every format, rate and channel count, every limit."""

import io
import struct

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from embedder.decode import FORMATS, Limits, decode_audio, recognise, sniff
from embedder.decode.audio import _DEMUXERS
from embedder.errors import AudioTooLong, InvalidMedia, MediaTooLarge, UndecodableMedia
from embedder.media import Audio, Modality
from tests.samples import audio_bytes, image_bytes, photo, tone

SNDFILE = [
    ("WAV", "PCM_16"), ("WAV", "PCM_U8"), ("WAV", "PCM_24"), ("WAV", "FLOAT"), ("WAV", "ULAW"),
    ("WAVEX", "PCM_16"), ("RF64", "PCM_16"), ("AIFF", "PCM_16"), ("FLAC", "PCM_16"),
    ("FLAC", "PCM_24"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", None),
]  # fmt: skip

FFMPEG = [
    ("mp4", "aac"), ("mp4", "alac"), ("adts", "aac"), ("webm", "libopus"),
    ("matroska", "pcm_s16le"), ("mov", "pcm_s16le"), ("mov", "pcm_s24le"),
]  # fmt: skip


def ffmpeg_bytes(audio: Audio, container: str, codec: str, *, film: bool = False) -> bytes:
    """Encodes with FFmpeg what libsndfile can't, beside a moving picture if asked."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        video = file.add_stream("mpeg4", rate=10) if film else None
        if video:
            video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        layout = {1: "mono", 2: "stereo"}[audio.samples.shape[0]]
        stream = file.add_stream(codec, rate=audio.sample_rate, layout=layout)
        if video:
            picture = np.zeros((32, 32, 3), dtype=np.uint8)
            for _ in range(10):
                file.mux(video.encode(av.VideoFrame.from_ndarray(picture)))
            file.mux(video.encode())
        frame = av.AudioFrame.from_ndarray(np.array(audio.samples), format="fltp", layout=layout)
        frame.sample_rate = audio.sample_rate
        file.mux(stream.encode(frame))
        file.mux(stream.encode())
    return buffer.getvalue()


def loudest_hertz(samples: NDArray[np.float32], sample_rate: int) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(samples.size)))
    return float(np.argmax(spectrum) * sample_rate / samples.size)


def assert_heard(found: Audio, sent: Audio, hertz: float, slack: float = 0.06) -> None:
    """The pitch, loudness and duration that went in come out on every channel."""
    assert found.samples.dtype == np.float32
    assert found.samples.shape[0] == sent.samples.shape[0]
    assert abs(found.seconds - sent.seconds) <= slack
    for channel in found.samples:
        assert loudest_hertz(channel, found.sample_rate) == pytest.approx(hertz, abs=3)
        middle = channel[channel.size // 4 : -channel.size // 4]
        assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize(("format", "subtype"), SNDFILE)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_libsndfile_writes(format: str, subtype: str | None, channels: int) -> None:
    sent = tone(440, seconds=1, sample_rate=48_000, channels=channels)
    data = audio_bytes(sent, format, subtype)
    assert sniff(data) is Modality.AUDIO
    assert_heard(decode_audio(data), sent, 440)


@pytest.mark.parametrize(("container", "codec"), FFMPEG)
@pytest.mark.parametrize("channels", [1, 2])
def test_what_ffmpeg_writes(container: str, codec: str, channels: int) -> None:
    sent = tone(440, seconds=1, sample_rate=48_000, channels=channels)
    data = ffmpeg_bytes(sent, container, codec)
    assert sniff(data) is Modality.AUDIO
    assert_heard(decode_audio(data), sent, 440)


def test_of_a_film_the_sound_track_is_taken() -> None:
    sent = tone(440, seconds=1, sample_rate=48_000, channels=2)
    for container in ("mp4", "matroska"):
        assert_heard(decode_audio(ffmpeg_bytes(sent, container, "aac", film=True)), sent, 440)


def test_a_silent_film_is_undecodable() -> None:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        video = file.add_stream("mpeg4", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        file.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), dtype=np.uint8))))
        file.mux(video.encode())
    with pytest.raises(UndecodableMedia, match="sound track"):
        decode_audio(buffer.getvalue())


def test_every_demuxer_belongs_to_a_format() -> None:
    assert set(_DEMUXERS) <= {f.name for f in FORMATS if f.modality is Modality.AUDIO}


@pytest.mark.parametrize("sample_rate", [1_000, 8_000, 11_025, 22_050, 44_100, 96_000, 192_000])
def test_any_rate_is_kept(sample_rate: int) -> None:
    sent = tone(200, sample_rate=sample_rate)
    for format in ("WAV", "FLAC"):
        found = decode_audio(audio_bytes(sent, format))
        assert found.sample_rate == sample_rate
        np.testing.assert_allclose(found.samples, sent.samples, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 2, 3, 6, 8, 32])
def test_any_channel_count_is_kept(channels: int) -> None:
    samples = np.random.default_rng(0).random((channels, 800), dtype=np.float32)
    found = decode_audio(audio_bytes(Audio(samples, 8_000), "WAV", "FLOAT"))
    np.testing.assert_array_equal(found.samples, samples)


def test_mp3_with_a_tag_that_is_no_utf_8() -> None:
    text = b"\0Caf\xe9"
    frame = b"TIT2" + struct.pack(">IH", len(text), 0) + text
    data = b"ID3\3\0\0\0\0\0" + bytes([len(frame)]) + frame + audio_bytes(tone(), "MP3")
    assert_heard(decode_audio(data), tone(), 440, slack=0.1)


def test_a_stream_that_changes_is_heard_as_it_began() -> None:
    first, then = tone(440, sample_rate=16_000), tone(440, sample_rate=48_000, channels=2)
    joined = ffmpeg_bytes(first, "adts", "aac") + ffmpeg_bytes(then, "adts", "aac")
    found = decode_audio(joined)
    assert (found.sample_rate, found.samples.shape[0]) == (16_000, 1)
    assert found.seconds == pytest.approx(2, abs=0.3)
    assert loudest_hertz(found.samples[0], 16_000) == pytest.approx(440, abs=3)


def test_one_sample_is_a_sound() -> None:
    click = Audio(np.full((1, 1), 0.5, np.float32), 8_000)
    assert decode_audio(audio_bytes(click)).samples == 0.5


def test_ten_milliseconds_are_a_sound() -> None:
    assert decode_audio(audio_bytes(tone(seconds=0.01))).samples.shape == (1, 160)


def test_no_sample_is_undecodable() -> None:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros((0, 1), np.float32), 8_000, format="WAV")
    with pytest.raises(UndecodableMedia, match="at least one sample, got none"):
        decode_audio(buffer.getvalue())


def test_samples_that_are_not_finite_are_invalid() -> None:
    buffer = io.BytesIO()
    samples = np.array([0, np.nan, np.inf], np.float32)
    soundfile.write(buffer, samples, 8_000, format="WAV", subtype="FLOAT")
    with pytest.raises(InvalidMedia, match="finite"):
        decode_audio(buffer.getvalue())


@pytest.mark.parametrize("format", ["FLAC", "OGG", "WAV"])
def test_an_hour_of_silence_is_refused(format: str) -> None:
    silence = Audio(np.zeros((1, 3600 * 8_000), np.float32), 8_000)
    data = audio_bytes(silence, format)
    with pytest.raises(AudioTooLong, match=r"at most 600 seconds, got (3600|600)\.\d"):
        decode_audio(data)


@pytest.mark.parametrize(("container", "codec"), [("mp4", "aac"), ("adts", "aac"), ("mp3", "mp3")])
def test_a_stream_is_left_as_soon_as_it_is_too_long(container: str, codec: str) -> None:
    data = ffmpeg_bytes(tone(seconds=20, sample_rate=44_100), container, codec)
    with pytest.raises(AudioTooLong, match=r"at most 3 seconds, got 3\.\d or more"):
        decode_audio(data, Limits(max_seconds=3))


def test_a_length_that_the_header_hides_is_counted() -> None:
    data = bytearray(audio_bytes(tone(seconds=5), "FLAC"))
    data[21:26] = bytes([data[21] & 0xF0, 0, 0, 0, 0])  # STREAMINFO: total samples unknown
    assert decode_audio(bytes(data)).seconds == 5
    with pytest.raises(AudioTooLong, match="at most 3 seconds"):
        decode_audio(bytes(data), Limits(max_seconds=3))


def test_a_length_that_the_header_invents_is_not_believed() -> None:
    """The header claims 37 hours, the file holds a second."""
    data = bytearray(audio_bytes(tone(), "FLAC"))
    data[21:26] = bytes([data[21] & 0xF0, 0x80, 0, 0, 0])
    assert decode_audio(bytes(data)).samples.shape == (1, 16_000)


def test_many_channels_are_bounded_too() -> None:
    data = audio_bytes(tone(channels=6), "FLAC")
    assert decode_audio(data, Limits(max_samples=96_000)).samples.shape == (6, 16_000)
    with pytest.raises(
        AudioTooLong, match=r"at most 95999 samples.*got 96000.*6 channels at 16000"
    ):
        decode_audio(data, Limits(max_samples=95_999))


def test_bytes_are_bounded() -> None:
    data = audio_bytes(tone())
    with pytest.raises(MediaTooLarge, match=f"at most 100 bytes, got {len(data)}"):
        decode_audio(data, Limits(max_bytes=100))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no sound at all",
        "\ufeffUTF-16".encode("utf-16"),
        b"RIFF\x24\0\0\0WAVE",
        b"fLaC",
        b"OggS" + bytes(60),
        b"ID3" + bytes(60),
        b"\xff\xfb\x90\0",
        b"\0\0\0\x18ftypM4A " + bytes(40),
        b"\x1a\x45\xdf\xa3" + bytes(40),
        image_bytes(photo(), "JPEG"),
    ],
)
def test_what_is_no_sound_is_undecodable(data: bytes) -> None:
    with pytest.raises(UndecodableMedia):
        decode_audio(data)


def test_a_playlist_is_not_followed() -> None:
    """FFmpeg would read these and open what they name."""
    for data in (b"#EXTM3U\nhttp://localhost/a.mp3\n", b"ffconcat version 1.0\nfile /etc/passwd\n"):
        assert recognise(data) is None
        with pytest.raises(UndecodableMedia):
            decode_audio(b"ID3" + data)


def test_a_recording_that_breaks_off_is_taken_as_far_as_it_goes() -> None:
    sent = tone(seconds=4, sample_rate=48_000)
    files = [audio_bytes(sent, format) for format in ("WAV", "AIFF", "FLAC", "MP3")]
    files += [ffmpeg_bytes(sent, "adts", "aac"), ffmpeg_bytes(sent, "webm", "libopus")]
    for data in files:
        assert decode_audio(data[: len(data) // 2]).seconds == pytest.approx(2, abs=0.2)


def test_damage_inside_a_stream_costs_a_moment(capfd: pytest.CaptureFixture[str]) -> None:
    """As in any player; and the codecs keep their complaints to themselves."""
    sent = tone(seconds=2)
    for container, codec in (("mp3", "mp3"), ("adts", "aac")):
        data = bytearray(ffmpeg_bytes(sent, container, codec))
        middle = len(data) // 2
        data[middle : middle + 40] = bytes(40)
        assert decode_audio(bytes(data)).seconds == pytest.approx(2, abs=0.3)
        assert decode_audio(bytes(data[:-100])).seconds == pytest.approx(2, abs=0.3)
    assert capfd.readouterr().err == ""
