"""From what was sent to what a model takes: the edge where bytes become media, under limits."""

import hashlib
from collections.abc import Callable

from embedder.decode import Limits, recognise, sense
from embedder.errors import UndecodableMedia
from embedder.media import Media, Modality, Text
from service.batching import Load
from service.decoding.pool import Bounds
from service.errors import InvalidRequest, TooManyItems
from service.messages import (
    BrokenContent,
    Content,
    ItemContent,
    MediaContent,
    TextContent,
    VectorContent,
)
from service.settings import Settings

_MIME_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WebP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
    "TIFF": "image/tiff",
    "AVIF": "image/avif",
    "HEIC": "image/heic",
    "WAV": "audio/wav",
    "AIFF": "audio/aiff",
    "FLAC": "audio/flac",
    "Ogg": "audio/ogg",
    "MP3": "audio/mpeg",
    "AAC": "audio/aac",
    "MP4": "audio/mp4",
    "WebM": "audio/webm",
}
TEXT_TYPE = "text/plain"
UNKNOWN_TYPE = "application/octet-stream"


def limits_of(settings: Settings) -> Limits:
    """Returns the decoder's limits."""
    return Limits(
        max_bytes=settings.max_item_bytes,
        max_pixels=settings.max_pixels,
        max_seconds=settings.max_audio_seconds,
        max_video_seconds=settings.max_video_seconds,
        max_video_frames=settings.max_video_frames,
        max_video_pixels=settings.max_video_pixels,
    )


def bounds_of(settings: Settings) -> Bounds:
    """Returns what decoding one item may cost its process."""
    return Bounds(limits_of(settings), settings.decode_bytes, settings.decode_seconds)


def check_count(count: int, limit: int) -> None:
    """Makes sure that a request holds something, and not too much.

    Raises:
        InvalidRequest: If it holds nothing.
        TooManyItems: If it holds more than the limit.
    """
    if count < 1:
        raise InvalidRequest("a request must hold at least one item, got none")
    if count > limit:
        raise TooManyItems(f"a request may hold at most {limit} items, got {count}")


Decode = Callable[[Modality, bytes], Media]
"""Decodes what is seen or heard of a file, under limits; it may raise `MediaError`."""


def load_of(content: TextContent | MediaContent, limits: Limits, decode: Decode) -> Load:
    """Returns what decodes the content, to be called in a thread; it raises `MediaError`."""
    if isinstance(content, TextContent):
        return lambda: _text(content.text, limits)
    if content.modality is Modality.TEXT:
        return lambda: _text(_decoded(content.data), limits)
    return lambda: decode(content.modality, content.data)


def _text(text: str, limits: Limits) -> Media:
    limits.check_bytes(len(text.encode()))
    return Text(text)


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise UndecodableMedia(f"text must be UTF-8: {error}") from error


def file_content(data: bytes) -> Content:
    """Returns an uploaded file as content: a picture, a film's pictures or a sound, else text.

    Raises:
        UndecodableMedia: If it is neither a known format nor UTF-8.
    """
    modality = sense(data)
    return MediaContent(modality, data) if modality else TextContent(_decoded(data))


def raw(content: Content) -> bytes | None:
    """Returns the bytes that are kept beside the vector; a vector or another item has none."""
    match content:
        case TextContent():
            return content.text.encode()
        case MediaContent():
            return content.data
        case ItemContent() | VectorContent() | BrokenContent():
            return None


def digest(content: Content) -> str:
    """Returns 32 hexadecimal digits that name this content, for items sent without an id."""
    match content:
        case ItemContent():
            named = content.id.encode()
        case VectorContent():
            named = content.vector.tobytes()
        case TextContent() | MediaContent() | BrokenContent():
            named = raw(content) or b""
    return hashlib.sha256(named).hexdigest()[:32]


def key_of(content: TextContent | MediaContent) -> bytes:
    """Returns what contents that are embedded alike have in common."""
    kind = Modality.TEXT if isinstance(content, TextContent) else content.modality
    return f"{kind}:".encode() + hashlib.sha256(raw(content) or b"").digest()


def mime_type(data: bytes, modality: Modality) -> str:
    """Returns the MIME type of stored content, told by its bytes and never by its sender."""
    if modality is Modality.TEXT:
        return TEXT_TYPE
    found = recognise(data)
    if found is None:
        return UNKNOWN_TYPE
    kind = _MIME_TYPES[found.name]
    return kind.replace("audio/", "video/") if modality is Modality.IMAGE else kind


def is_film(content: MediaContent) -> bool:
    """Tells whether it is what is seen of a film."""
    found = recognise(content.data)
    return content.modality is Modality.IMAGE and found is not None and bool(found.demuxer)


def has_duration(content: MediaContent) -> bool:
    """Tells whether it is a sound or a film."""
    return content.modality is Modality.AUDIO or is_film(content)
