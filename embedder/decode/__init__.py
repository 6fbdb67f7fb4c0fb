"""Bytes to `Media`, under limits: no files, no network, and only `MediaError` comes out.

limits  what a decoder accepts           border  other people's exceptions become ours
formats which bytes are what             image   Pillow        audio  libsndfile and FFmpeg
"""

from embedder.decode.audio import decode_audio
from embedder.decode.formats import FORMATS, Format, recognise, sniff
from embedder.decode.image import decode_image
from embedder.decode.limits import DEFAULT_LIMITS, Limits
from embedder.errors import UndecodableMedia
from embedder.media import Audio, Image, Modality

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "Format",
    "Limits",
    "decode",
    "decode_audio",
    "decode_image",
    "recognise",
    "sniff",
]


def decode(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Image | Audio:
    """Decodes a picture or a sound, whichever the bytes are.

    Raises:
        UndecodableMedia: If the bytes are neither, or are damaged.
        MediaError: If they are empty of content or exceed a limit; see the subclasses.
    """
    modality = sniff(data)
    if modality is Modality.IMAGE:
        return decode_image(data, limits)
    if modality is Modality.AUDIO:
        return decode_audio(data, limits)
    known = ", ".join(format.name for format in FORMATS)
    raise UndecodableMedia(
        f"media must be one of {known}; got {len(data)} bytes that begin with {data[:8]!r}"
    )
