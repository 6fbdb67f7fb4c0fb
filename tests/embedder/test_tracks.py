"""Films are told from sounds as FFmpeg tells them, without FFmpeg, and whatever they are."""

import io
import time
from collections.abc import Callable

import av
import numpy as np
import pytest
from av.stream import Disposition

from embedder.decode import recognise, sense
from embedder.decode.tracks import has_pictures
from embedder.media import Modality
from tests.embedder.test_decode_audio import ffmpeg_bytes
from tests.samples import colours, film_bytes, tone

FRAMES = colours("red")
SOUND = tone(seconds=1, sample_rate=48_000)
STILLS = Disposition.attached_pic | Disposition.timed_thumbnails


def remuxed(data: bytes, kind: str, **options: str) -> bytes:
    """Returns the same tracks in another container, or otherwise laid out in it."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(data)) as old, av.open(buffer, "w", kind, options=options) as new:
        tracks = {track.index: new.add_stream_from_template(track) for track in old.streams}
        for packet in old.demux():
            if packet.dts is not None:
                packet.stream = tracks[packet.stream.index]
                new.mux(packet)
    return buffer.getvalue()


FILM = film_bytes(FRAMES, sound=SOUND)
FILES = {
    "MP4": FILM,
    "silent": film_bytes(FRAMES),
    "fragmented": remuxed(FILM, "mp4", movflags="frag_keyframe+empty_moov"),
    "MOV": remuxed(FILM, "mov"),
    "WebM": film_bytes(FRAMES, sound=SOUND, kind=("webm", "libvpx", "libopus")),
    "Matroska": remuxed(FILM, "matroska"),
    "live": remuxed(FILM, "matroska", live="1"),
    "song": ffmpeg_bytes(SOUND, "mp4", "aac"),
    "song in MOV": remuxed(ffmpeg_bytes(SOUND, "mp4", "aac"), "mov"),
    "song in WebM": ffmpeg_bytes(SOUND, "webm", "libopus"),
    "song in Matroska": ffmpeg_bytes(SOUND, "matroska", "aac"),
}


def as_ffmpeg_has_it(data: bytes, demuxer: str) -> bool:
    try:
        with av.open(io.BytesIO(data), format=demuxer, metadata_errors="ignore") as container:
            return any(not track.disposition & STILLS for track in container.streams.video)
    except (av.error.FFmpegError, ValueError):
        return False


def demuxer_of(data: bytes) -> str:
    found = recognise(data)
    return found.demuxer if found else ""


@pytest.mark.parametrize("name", FILES)
def test_agrees_with_ffmpeg(name: str) -> None:
    data = FILES[name]
    assert has_pictures(data, demuxer_of(data)) is as_ffmpeg_has_it(data, demuxer_of(data))
    assert has_pictures(data, demuxer_of(data)) is not name.startswith("song")


def test_pictures_of_chapters_are_no_film() -> None:
    """A track of pictures that the track of sound names as its chapters, as audio books have."""
    box: Callable[[bytes, bytes], bytes] = lambda name, inner: (  # noqa: E731
        (8 + len(inner)).to_bytes(4) + name + inner
    )

    def track(number: int, kind: bytes, *more: bytes) -> bytes:
        header = box(b"tkhd", bytes(12) + number.to_bytes(4) + bytes(60))
        media = box(b"mdia", box(b"hdlr", bytes(8) + kind + bytes(12)))
        return box(b"trak", header + media + b"".join(more))

    names = box(b"tref", box(b"chap", (2).to_bytes(4)))
    kind = box(b"ftyp", b"M4B \0\0\0\0")
    book = kind + box(b"moov", track(1, b"soun", names) + track(2, b"vide"))
    assert sense(book) is Modality.AUDIO
    assert sense(kind + box(b"moov", track(1, b"soun") + track(2, b"vide"))) is Modality.IMAGE
    long = box(b"free", b"\0" * 9) + (1).to_bytes(4) + b"moov"
    inner = track(1, b"vide")
    assert sense(kind + long + (16 + len(inner)).to_bytes(8) + inner) is Modality.IMAGE
    assert sense(kind + (0).to_bytes(4) + b"moov" + inner) is Modality.IMAGE


@pytest.mark.parametrize("name", ["MP4", "fragmented", "WebM", "live", "song"])
def test_damage_costs_an_answer_and_never_raises(name: str) -> None:
    """Seldom it is another answer than FFmpeg's, which believes less: then decoding refuses it."""
    data, rng = FILES[name], np.random.default_rng(1)
    same = 0
    for _ in range(200):
        damaged = bytearray(data[: int(rng.integers(1, len(data)))])
        for place in rng.integers(0, min(len(damaged), 4_000), 4):
            damaged[place] = int(rng.integers(256))
        told = has_pictures(bytes(damaged), demuxer_of(data))
        same += told is as_ffmpeg_has_it(bytes(damaged), demuxer_of(data))
    assert same > 100


@pytest.mark.parametrize(
    "data",
    [
        b"\0\0\0\x08free" * 1_000_000,
        b"\0\0\x40\x08moov" + b"\0\0\0\x08trak" * 1_000_000,
        b"\0\0\0\0moov" * 1_000_000,
    ],
)
def test_a_file_of_nothing_but_parts_takes_no_time(data: bytes) -> None:
    began = time.process_time()
    assert has_pictures(data, "mp4") is False
    assert has_pictures(b"\x18\x53\x80\x67\xff" * 1_000_000, "matroska") is False
    assert has_pictures(b"\x18\x53\x80\x67\xff" + b"\x80\x80" * 4_000_000, "matroska") is False
    assert time.process_time() - began < 2


def test_no_decoder_looks_at_what_is_sensed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header that hangs FFmpeg would hang whoever asks it."""

    def hangs(*_: object, **__: object) -> None:
        pytest.fail("a decoder was asked, and never answers")

    monkeypatch.setattr(av, "open", hangs)
    assert sense(FILES["MP4"]) is Modality.IMAGE
    assert sense(FILES["song in WebM"]) is Modality.AUDIO
