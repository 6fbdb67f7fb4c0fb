"""Items that bring services down: each must be embedded or answered with a typed error."""

import io
import struct
import zlib

import numpy as np
import soundfile

from embedder.media import Modality
from service.messages import MediaContent
from tests.samples import audio_bytes, image_bytes, photo, picture, tone


def huge_png(side: int = 30_000) -> bytes:
    """A few bytes that claim to be a picture of 900 million pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1 << 16))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


def hour_of_silence() -> bytes:
    """An hour that compresses to almost nothing."""
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(3600 * 8000, dtype=np.int16), 8000, format="FLAC")
    return buffer.getvalue()


POISON: dict[str, tuple[MediaContent, str]] = {
    "1x1 image": (MediaContent(Modality.IMAGE, image_bytes(picture(size=(1, 1)))), "ok"),
    "truncated JPEG": (
        MediaContent(Modality.IMAGE, image_bytes(photo(size=(640, 480)), "JPEG")[:2000]),
        "UNDECODABLE_MEDIA",
    ),
    "30,000 x 30,000 PNG": (MediaContent(Modality.IMAGE, huge_png()), "TOO_MANY_PIXELS"),
    "empty file": (MediaContent(Modality.IMAGE, b""), "UNDECODABLE_MEDIA"),
    "text named .jpg": (
        MediaContent(Modality.IMAGE, b"this is only a text"),
        "UNDECODABLE_MEDIA",
    ),
    "10 ms of audio": (MediaContent(Modality.AUDIO, audio_bytes(tone(seconds=0.01))), "ok"),
    "an hour of silence": (MediaContent(Modality.AUDIO, hour_of_silence()), "AUDIO_TOO_LONG"),
    "6-channel WAV": (MediaContent(Modality.AUDIO, audio_bytes(tone(channels=6))), "ok"),
    "image as sound": (
        MediaContent(Modality.AUDIO, image_bytes(photo())),
        "UNDECODABLE_MEDIA",
    ),
}
"""By name: the content, and "ok" or the reason of the error it must get."""
