"""Sounds, through libsndfile and FFmpeg."""

import contextlib
import io
from collections.abc import Iterator

import av
import av.error
import numpy as np
import soundfile
from av.container import InputContainer
from numpy.typing import NDArray

from embedder.decode.border import foreign_errors
from embedder.decode.formats import expect, expect_film
from embedder.decode.limits import DEFAULT_LIMITS, Limits
from embedder.errors import UndecodableMedia
from embedder.media import Audio, Modality

# What libsndfile can't read, with the one demultiplexer FFmpeg may use for it: left to guess, it
# would accept playlists, which open other files. MP3 is here because libsndfile's decoder writes
# its complaints to the process's stderr, FLAC because libsndfile can't read one that was streamed,
# whose header doesn't say how long it is.
_DEMUXERS = {"FLAC": "flac", "MP3": "mp3", "AAC": "aac", "MP4": "mp4", "WebM": "matroska"}

_BLOCK_FRAMES = 1 << 16

_Block = tuple[NDArray[np.float32], int]
"""Samples of shape (channels, frames), and their rate."""


def decode_audio(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Audio:
    """Decodes a sound, at its own rate and with its own channels; of a film, the first sound track.

    A recording that breaks off is taken as far as it goes: unlike half a picture, it is whole until
    there.

    Raises:
        MediaTooLarge: If the file has too many bytes.
        AudioTooLong: If it lasts too long by its header, or as soon as so much has been decoded.
        InvalidMedia: If it holds a sample that is not finite.
        UndecodableMedia: If the file is of no known format, damaged, or holds no sample.
    """
    name = expect(data, Modality.AUDIO, limits).name
    with foreign_errors(name):
        demuxer = _DEMUXERS.get(name)
        blocks = _ffmpeg(data, demuxer) if demuxer else _sndfile(data, limits)
        return _joined(blocks, limits)


def sound_track(data: bytes, limits: Limits = DEFAULT_LIMITS) -> bytes | None:
    """Returns the sound track of a film as a file of its own, copied bit for bit; None without one.

    Raises:
        UndecodableMedia: If the file is no container of films, or damaged.
        MediaTooLarge: If it has too many bytes.
    """
    found = expect_film(data, limits)
    copy = io.BytesIO()
    with (
        foreign_errors(found.name),
        av.open(io.BytesIO(data), format=found.demuxer, metadata_errors="ignore") as film,
        av.open(copy, "w", format=found.demuxer) as file,
    ):
        if not film.streams.audio:
            return None
        track = file.add_stream_from_template(film.streams.audio[0])
        for packet in film.demux(film.streams.audio[0]):
            if packet.dts is not None:  # the last one only says that there are no more
                packet.stream = track
                file.mux(packet)
    return copy.getvalue()


class _Buffer(io.BytesIO):
    """Bytes in which a step to nowhere stays where it is.

    A damaged file makes libsndfile step before the beginning; an exception in its callback could
    not reach us, and would be printed.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def _sndfile(data: bytes, limits: Limits) -> Iterator[_Block]:
    # In blocks, because a header may claim any length, and a whole read allocates that first.
    with soundfile.SoundFile(_Buffer(data)) as file:
        limits.check_duration(file.frames, file.samplerate, file.channels)
        while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
            yield block.T, file.samplerate


def _ffmpeg(data: bytes, demuxer: str) -> Iterator[_Block]:
    with av.open(io.BytesIO(data), format=demuxer, metadata_errors="ignore") as container:
        if not container.streams.audio:
            raise UndecodableMedia("a film must have a sound track, got none")
        converters: dict[tuple[str, int], av.AudioResampler] = {}
        for frame in _frames(container):
            # What the first frame is, the sound is: a damaged frame may claim anything, and
            # streams may be strung together.
            if not converters:
                layout, rate = frame.layout, frame.sample_rate
            kind = (frame.layout.name, frame.sample_rate)
            if kind not in converters:
                converters[kind] = av.AudioResampler("fltp", layout, rate)
            for converted in converters[kind].resample(frame):
                yield converted.to_ndarray(), rate


def _frames(container: InputContainer) -> Iterator[av.AudioFrame]:
    """Yields what can be decoded.

    Players skip a damaged packet, a few hundredths of a second, and so do we: MP3 and AAC streams
    are often cut in the middle of one.
    """
    for packet in container.demux(container.streams.audio[0]):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def _joined(blocks: Iterator[_Block], limits: Limits) -> Audio:
    """Joins the blocks, and stops reading them as soon as they pass a limit."""
    parts: list[NDArray[np.float32]] = []
    frames, rate = 0, 0
    for samples, rate in blocks:
        parts.append(samples)
        frames += samples.shape[1]
        limits.check_duration(frames, rate, samples.shape[0])
    if not parts:
        raise UndecodableMedia("a sound must have at least one sample, got none")
    return Audio(np.ascontiguousarray(np.concatenate(parts, axis=1)), rate)
