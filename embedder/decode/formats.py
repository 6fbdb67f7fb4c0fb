"""Which bytes are what, told by the first few: names and types that senders give are no proof."""

from collections.abc import Callable
from dataclasses import dataclass

from embedder.decode.limits import Limits
from embedder.errors import UndecodableMedia
from embedder.media import Modality

_BITMAP_HEADER_SIZES = {12, 40, 52, 56, 64, 108, 124}
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_HEIF_BRANDS = {b"mif1", b"msf1"}
"""Of either: what else the file says it is tells which."""


@dataclass(frozen=True, slots=True)
class Format:
    """A file format that can be decoded.

    Attributes:
        name: As people call it.
        modality: What it holds. Of what may be a film, the sound track.
        matches: Tells from the first 32 bytes whether a file is of this format.
        demuxer: FFmpeg's name of a container that may hold a film.
    """

    name: str
    modality: Modality
    matches: Callable[[bytes], bool]
    demuxer: str = ""


def _starts(*prefixes: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(prefixes)


def _container(kind: bytes, *outer: bytes) -> Callable[[bytes], bool]:
    """Matches the RIFF family: an outer name, a length, an inner name."""
    return lambda head: head.startswith(outer) and head[8:12] == kind


def _is_bitmap(head: bytes) -> bool:
    # "BM" alone would claim every text about a BMW.
    return head.startswith(b"BM") and int.from_bytes(head[14:18], "little") in _BITMAP_HEADER_SIZES


def _brands(head: bytes) -> list[bytes]:
    """Returns what a file of ISO's boxes says it is, its first word first (ISO/IEC 14496-12, 4.3).

    The second of the words is a version.
    """
    if head[4:8] != b"ftyp":
        return []
    size = min(int.from_bytes(head[:4], "big"), len(head))
    return [head[8:12], *(head[start : start + 4] for start in range(16, size, 4))]


def _is_avif(head: bytes) -> bool:
    brands = _brands(head)
    still = brands[:1] and brands[0] in _HEIF_BRANDS
    return bool(_AVIF_BRANDS.intersection(brands if still else brands[:1]))


def _is_heic(head: bytes) -> bool:
    return not _is_avif(head) and bool(
        (_HEIC_BRANDS | _HEIF_BRANDS).intersection(_brands(head)[:1])
    )


def _is_mp4(head: bytes) -> bool:
    return bool(_brands(head)) and not _is_avif(head) and not _is_heic(head)


def _is_mp3(head: bytes) -> bool:
    """Matches an ID3 tag, or a frame header: sync, MPEG version, layer III, bit rate, sample rate.

    Source: ISO/IEC 11172-3, 2.4.1.3. Reserved values are excluded, or text in UTF-16 would match.
    """
    if head.startswith(b"ID3"):
        return True
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE6 != 0xE2:
        return False
    version, bit_rate, sample_rate = head[1] >> 3 & 3, head[2] >> 4, head[2] >> 2 & 3
    return version != 1 and 0 < bit_rate < 15 and sample_rate != 3


def _is_adts(head: bytes) -> bool:
    return len(head) >= 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0


FORMATS: tuple[Format, ...] = (
    Format("JPEG", Modality.IMAGE, _starts(b"\xff\xd8\xff")),
    Format("PNG", Modality.IMAGE, _starts(b"\x89PNG\r\n\x1a\n")),
    Format("WebP", Modality.IMAGE, _container(b"WEBP", b"RIFF")),
    Format("GIF", Modality.IMAGE, _starts(b"GIF87a", b"GIF89a")),
    Format("BMP", Modality.IMAGE, _is_bitmap),
    Format("TIFF", Modality.IMAGE, _starts(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    Format("AVIF", Modality.IMAGE, _is_avif),
    Format("HEIC", Modality.IMAGE, _is_heic),
    Format("WAV", Modality.AUDIO, _container(b"WAVE", b"RIFF", b"RIFX", b"RF64")),
    Format("AIFF", Modality.AUDIO, lambda head: head[:4] == b"FORM" and head[8:11] == b"AIF"),
    Format("FLAC", Modality.AUDIO, _starts(b"fLaC")),
    Format("Ogg", Modality.AUDIO, _starts(b"OggS")),
    Format("MP3", Modality.AUDIO, _is_mp3),
    Format("AAC", Modality.AUDIO, _is_adts),
    Format("MP4", Modality.AUDIO, _is_mp4, demuxer="mp4"),
    Format("WebM", Modality.AUDIO, _starts(b"\x1a\x45\xdf\xa3"), demuxer="matroska"),
)
"""Every format that can be decoded.

MP4 is also M4A and MOV, WebM is also Matroska; Ogg is Vorbis or Opus.
"""


def recognise(data: bytes) -> Format | None:
    """Returns the format of a file from its first bytes, or None."""
    head = bytes(data[:32])
    return next((format for format in FORMATS if format.matches(head)), None)


def sniff(data: bytes) -> Modality | None:
    """Returns what a file holds from its first bytes (32 are enough), or None if it is unknown.

    Text has no mark of its own, so it is None too. A film is a sound as far as these bytes tell:
    `embedder.decode.sense` looks further.
    """
    format = recognise(data)
    return format.modality if format else None


def expect(data: bytes, modality: Modality, limits: Limits) -> Format:
    """Returns the format of a file that must hold this modality.

    Raises:
        MediaTooLarge: If it has too many bytes.
        UndecodableMedia: If it is of no known format of this modality.
    """
    limits.check_bytes(len(data))
    found = recognise(data)
    if found is not None and found.modality is modality:
        return found
    known = ", ".join(format.name for format in FORMATS if format.modality is modality)
    what = f"a {found.name} file" if found else f"{len(data)} bytes that begin with {data[:8]!r}"
    raise UndecodableMedia(f"{modality} must be one of {known}; got {what}")


def expect_film(data: bytes, limits: Limits) -> Format:
    """Returns the format of a file that must be a container of films.

    Raises:
        MediaTooLarge: If it has too many bytes.
        UndecodableMedia: If it is of no such format.
    """
    limits.check_bytes(len(data))
    found = recognise(data)
    if found is not None and found.demuxer:
        return found
    known = ", ".join(format.name for format in FORMATS if format.demuxer)
    what = f"a {found.name} file" if found else f"{len(data)} bytes that begin with {data[:8]!r}"
    raise UndecodableMedia(f"a film must be one of {known}; got {what}")
