"""What a container says it holds, read without a decoder: so anywhere, and in no time.

A decoder that looks into a file may hang or crash, so it belongs where it can be ended; this only
follows lengths, a bounded number of them. What is damaged has fewer tracks than it should.
Sources: ISO/IEC 14496-12 (boxes of MP4 and MOV), RFC 8794 and RFC 9559 (EBML and Matroska).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

_MOST_PARTS = 20_000
"""Parts that are looked at: a film has some dozens; so many take a hundredth of a second."""

_FILM, _FILM_OF_MATROSKA = b"vide", 1
_SEGMENT, _CLUSTER, _TRACKS, _TRACK, _KIND = 0x18538067, 0x1F43B675, 0x1654AE6B, 0xAE, 0x83


class _Part(NamedTuple):
    """A box or an element: what it is called, and what is between `start` and `end`."""

    name: int | bytes
    start: int
    end: int


def has_pictures(data: bytes, demuxer: str) -> bool:
    """Tells whether a container says that it holds moving pictures; never raises.

    Args:
        data: The whole file.
        demuxer: Of its format: "mp4" or "matroska".
    """
    return _Mp4(data).is_film() if demuxer == "mp4" else _Matroska(data).is_film()


class _Container:
    """Parts within parts, each of which tells its length; a subclass knows how."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._whole = _Part(0, 0, len(data))
        self._steps = iter(range(_MOST_PARTS))

    def _in(self, outer: _Part, name: int | bytes) -> Iterator[_Part]:
        """Yields the parts of a name, as long as there are steps left."""
        parts = zip(self._steps, self._parts(outer.start, outer.end), strict=False)
        return (part for _, part in parts if part.name == name)

    def _parts(self, start: int, end: int) -> Iterator[_Part]:
        raise NotImplementedError

    def _number(self, start: int, end: int) -> int:
        return int.from_bytes(self._data[start:end])


class _Mp4(_Container):
    def is_film(self) -> bool:
        """Looks for a track of pictures that is not there to illustrate another's chapters."""
        tracks = [
            track for movie in self._in(self._whole, b"moov") for track in self._in(movie, b"trak")
        ]
        chapters = {number for track in tracks for number in self._chapters(track)}
        return any(
            self._data[handler.start + 8 : handler.start + 12] == _FILM
            for track in tracks
            if not chapters.intersection(self._numbers(track))
            for media in self._in(track, b"mdia")
            for handler in self._in(media, b"hdlr")
        )

    def _numbers(self, track: _Part) -> Sequence[int]:
        """Returns the number of a track: its header has it behind two times, short or long."""
        headers = [header.start for header in self._in(track, b"tkhd")]
        places = [at + (20 if self._data[at : at + 1] == b"\1" else 12) for at in headers]
        return [self._number(at, at + 4) for at in places]

    def _chapters(self, track: _Part) -> Iterator[int]:
        """Yields the numbers of the tracks that name and picture the chapters of a track."""
        for references in self._in(track, b"tref"):
            for chapters in self._in(references, b"chap"):
                for _, at in zip(self._steps, range(chapters.start, chapters.end, 4), strict=False):
                    yield self._number(at, at + 4)

    def _parts(self, start: int, end: int) -> Iterator[_Part]:
        while start + 8 <= end:
            size, name, head = self._number(start, start + 4), self._data[start + 4 : start + 8], 8
            if size == 1:  # too long for four bytes
                size, head = self._number(start + 8, start + 16), 16
            elif size == 0:  # to the end
                size = end - start
            if size < head:
                return
            yield _Part(name, start + head, min(end, start + size))
            start += size


class _Matroska(_Container):
    def is_film(self) -> bool:
        """Looks for a track of pictures; a cover is an attachment, and none."""
        return any(
            self._number(kind.start, kind.end) == _FILM_OF_MATROSKA
            for segment in self._in(self._whole, _SEGMENT)
            for tracks in self._in(segment, _TRACKS)
            for track in self._in(tracks, _TRACK)
            for kind in self._in(track, _KIND)
            if kind.end - kind.start <= 8
        )

    def _parts(self, start: int, end: int) -> Iterator[_Part]:
        while start < end:
            at = start + self._length(start)
            behind = at + self._length(at)
            if behind > end:
                return
            name, most = self._number(start, at), (1 << 7 * (behind - at)) - 1
            size = self._number(at, behind) & most
            until = end if size == most else min(end, behind + size)
            yield _Part(name, behind, until)
            # Whoever streams knows no size: what follows the head of such a cluster are its parts.
            start = behind if size == most and name == _CLUSTER else until

    def _length(self, at: int) -> int:
        """Returns how long a number is, by the zeros it begins with; a bad one is past the end."""
        leading = 9 - self._data[at].bit_length() if at < len(self._data) else 9
        return leading if leading <= 8 else len(self._data)
