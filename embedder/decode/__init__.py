"""Bytes to `Media`, under limits: no files, no network, and only `MediaError` comes out.

limits  what a decoder accepts           border  other people's exceptions become ours
formats which bytes are what             image   Pillow        audio  libsndfile and FFmpeg
video   FFmpeg: what is seen of a film   tracks  whether a file is one, without any of these
"""

from embedder.decode.audio import decode_audio, sound_track
from embedder.decode.formats import FORMATS, Format, recognise, sniff
from embedder.decode.image import decode_image
from embedder.decode.limits import DEFAULT_LIMITS, Limits
from embedder.decode.tracks import has_pictures
from embedder.decode.video import decode_video
from embedder.errors import UndecodableMedia
from embedder.frames import Pick, evenly
from embedder.media import Audio, Image, Modality, Video

__all__ = [
    "DEFAULT_LIMITS",
    "FORMATS",
    "Format",
    "Limits",
    "decode",
    "decode_as",
    "decode_audio",
    "decode_image",
    "decode_video",
    "recognise",
    "sense",
    "sniff",
    "sound_track",
]


def sense(data: bytes) -> Modality | None:
    """Returns what a whole file holds: like `sniff`, but a film is among pictures.

    No decoder looks at it: whoever serves strangers may ask this in any process.

    What is heard of a film is had by asking for it, with `decode_audio` or as `Modality.AUDIO`.
    """
    found = recognise(data)
    if found is None:
        return None
    film = bool(found.demuxer) and has_pictures(data, found.demuxer)
    return Modality.IMAGE if film else found.modality


def decode(
    data: bytes, limits: Limits = DEFAULT_LIMITS, pick: Pick = evenly
) -> Image | Audio | Video:
    """Decodes a picture, a film or a sound, whichever the bytes are.

    Raises:
        UndecodableMedia: If the bytes are none of these, or are damaged.
        MediaError: If they are empty of content or exceed a limit; see the subclasses.
    """
    modality = sense(data)
    if modality is not None:
        return decode_as(modality, data, limits, pick)
    known = ", ".join(format.name for format in FORMATS)
    raise UndecodableMedia(
        f"media must be one of {known}; got {len(data)} bytes that begin with {data[:8]!r}"
    )


def decode_as(
    modality: Modality, data: bytes, limits: Limits = DEFAULT_LIMITS, pick: Pick = evenly
) -> Image | Audio | Video:
    """Decodes what is seen (`IMAGE`) or heard (`AUDIO`) of a file: a film is both.

    Raises:
        MediaError: If there is nothing of the kind, or it is damaged, or exceeds a limit.
    """
    if modality is Modality.AUDIO:
        return decode_audio(data, limits)
    found = recognise(data)
    if found is not None and found.demuxer:
        return decode_video(data, limits, pick)
    return decode_image(data, limits)
