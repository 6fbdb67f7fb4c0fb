"""Films, through FFmpeg: what is seen of them. What is heard, `embedder.decode.audio` takes."""

import contextlib
import io
import math
from collections.abc import Iterator, Sequence
from fractions import Fraction

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.stream import VideoStream
from numpy.typing import NDArray

from embedder.decode.border import foreign_errors
from embedder.decode.formats import expect_film
from embedder.decode.limits import DEFAULT_LIMITS, Limits
from embedder.errors import UndecodableMedia
from embedder.frames import Pick, evenly
from embedder.media import Video

_STILLS = Disposition.attached_pic | Disposition.timed_thumbnails
"""Pictures that are no film: the cover of an album, and chapters."""

_Picture = NDArray[np.uint8]


def decode_video(data: bytes, limits: Limits = DEFAULT_LIMITS, pick: Pick = evenly) -> Video:
    """Decodes those frames of a film that are picked, turned upright.

    Its frames are counted before any is decoded, and what is too long or too large is refused then.
    A film that breaks off is taken as far as it goes.

    Args:
        data: An MP4, MOV, WebM or Matroska file.
        limits: What is accepted; together, the frames have at most the pixels of one picture, and
            larger ones are made smaller.
        pick: Which frames.

    Raises:
        MediaTooLarge: If the file has too many bytes.
        TooManyPixels: If a frame is too large, by the header.
        VideoTooLong: If there are too many seconds, frames, or pixels in all frames.
        UndecodableMedia: If the file is no film, damaged, or shows nothing.
    """
    found = expect_film(data, limits)
    with foreign_errors(found.name):
        with _opened(data, found.demuxer) as container:
            stream = _moving(container)
            size = (stream.codec_context.width, stream.codec_context.height)
            limits.check_pixels(*size)
            rate, count = _measured(container, stream, limits, size)
        picked = sorted({number for number in pick(rate, count) if 0 <= number < count})
        with _opened(data, found.demuxer) as container:
            seen = dict(_seen(container, picked, limits))
        if not seen:
            raise UndecodableMedia("a film must show at least one frame, got none")
        return Video(np.stack(list(seen.values())), np.array(list(seen), np.int64), count, rate)


def _opened(data: bytes, demuxer: str) -> InputContainer:
    container: InputContainer = av.open(io.BytesIO(data), format=demuxer, metadata_errors="ignore")
    return container


def _films(container: InputContainer) -> list[VideoStream]:
    return [it for it in container.streams.video if not it.disposition & _STILLS]


def _moving(container: InputContainer) -> VideoStream:
    films = _films(container)
    if not films:
        raise UndecodableMedia("a film must have moving pictures, got none")
    if films[0].codec_context is None:
        raise UndecodableMedia(
            "the pictures of a film must be in a codec that is known, they are not"
        )
    films[0].thread_type = "AUTO"
    return films[0]


def _measured(
    container: InputContainer, stream: VideoStream, limits: Limits, size: tuple[int, int]
) -> tuple[float, int]:
    """Returns frames a second and how many there are, by the packets: a header may claim anything.

    Raises:
        VideoTooLong: As soon as a limit is passed.
    """
    count, times = 0, []
    for packet in container.demux(stream):
        if not packet.size:
            continue
        count += 1
        limits.check_film(count, 0.0, count * math.prod(size))
        if packet.pts is not None and packet.time_base:
            times.append(packet.pts * packet.time_base)
    if not count:
        raise UndecodableMedia("a film must have at least one frame, got none")
    rate = _rate(stream, times)
    limits.check_film(count, count / rate, count * math.prod(size))
    return rate, count


def _rate(stream: VideoStream, times: Sequence[Fraction]) -> float:
    """Returns frames a second: as the file says, unless its own times say otherwise."""
    said = float(stream.average_rate or 0)
    lasting = float(max(times) - min(times)) if len(times) > 1 else 0.0
    told = (len(times) - 1) / lasting if lasting > 0 else said or 1.0
    return said if said > 0 and abs(said - told) <= 0.1 * told else told


def _seen(
    container: InputContainer, picked: Sequence[int], limits: Limits
) -> Iterator[tuple[int, _Picture]]:
    """Yields the frames with these numbers, all of the size of the first."""
    wanted, shape = set(picked), None
    for number, frame in enumerate(_frames(container)):
        limits.check_pixels(frame.width, frame.height)
        if number in wanted:
            shape = shape or _shrunk(frame.width, frame.height, limits.max_pixels // len(picked))
            pixels = frame.reformat(*shape, format="rgb24").to_ndarray()
            yield number, np.rot90(pixels, round(frame.rotation / 90) % 4)
        if number >= picked[-1]:
            return


def _frames(container: InputContainer) -> Iterator[av.VideoFrame]:
    """Yields what can be decoded, in the order of showing; a damaged packet is passed over."""
    for packet in container.demux(_moving(container)):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def _shrunk(width: int, height: int, most: int) -> tuple[int, int]:
    """Returns a size of the same shape with at most so many pixels."""
    share = min(1.0, math.sqrt(most / (width * height)))
    return max(1, int(width * share)), max(1, int(height * share))
