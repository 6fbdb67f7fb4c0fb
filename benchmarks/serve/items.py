"""What clients send: words, photographs made of noise, and ten kinds of what is neither."""

import base64
import functools
import io
import struct
import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import orjson
import PIL.Image
import soundfile

from kindred.v1.content_pb2 import MODALITY_TEXT, Content, Vector
from kindred.v1.embedding_service_pb2 import ON_ERROR_ITEM, ON_ERROR_REQUEST, EmbedRequest

PHOTOS = 64
"""How many different pictures there are; as files, they are all different."""

_SIZE = (480, 360)
_NOUNS = ("dog", "violin", "lighthouse", "train", "orchard", "harbour", "teapot", "glacier")

_NOTHING = Vector(values=[0.0] * 384, modality=MODALITY_TEXT)
_HUGE = (b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0))
_SMALL = (b"IHDR", struct.pack(">IIBBBBB", 32, 32, 8, 2, 0, 0, 0))
_HUGE_COMMENT = (b"zTXt", b"comment\x00\x00" + zlib.compress(bytes(64 * 1024 * 1024), 9))


def words(number: int) -> str:
    """Returns a caption, different for each number, of one of six lengths."""
    more = "".join(f" and a {noun}" for noun in _NOUNS[: number % 6])
    return f"a photo of a {_NOUNS[number // 6 % 8]}{more}, number {number}"


@functools.cache
def photo_bytes(number: int) -> bytes:
    """Returns a JPEG of 480 x 360 pixels of smooth noise, about as many bytes as a photograph."""
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (45, 60, 3), dtype=np.uint8)
    picture = PIL.Image.fromarray(coarse).resize(_SIZE, PIL.Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def _file(number: int) -> bytes:
    # What follows a JPEG's end is ignored, and makes it a file that was not seen before.
    return photo_bytes(number % PHOTOS) + number.to_bytes(8)


def _image(number: int) -> dict[str, str]:
    return _media("image", _file(number))


def _media(kind: str, data: bytes) -> dict[str, str]:
    return {"type": kind, "data": base64.b64encode(data).decode()}


def content(kind: str, number: int) -> object:
    """Returns one content as JSON."""
    return words(number) if kind == "text" else _image(number)


def embedding(kind: str, number: int, batch: int) -> bytes:
    """Returns the body of a request for embeddings."""
    found = [content(kind, number * batch + i) for i in range(batch)]
    return orjson.dumps({"input": found, "encoding_format": "base64"})


def embed_request(kind: str, number: int, batch: int) -> bytes:
    """Returns the message of the same request as `embedding`, as gRPC takes it."""
    contents = [good(kind, each) for each in range(number * batch, (number + 1) * batch)]
    return bytes(EmbedRequest(contents=contents).SerializeToString())


def of_infinity(kind: str, number: int, batch: int) -> bytes:
    """Returns the body of the same request as `embedding`, as Infinity takes it."""
    numbers = [number * batch + i for i in range(batch)]
    if kind == "text":
        found = [words(each) for each in numbers]
    else:
        found = [f"data:image/jpeg;base64,{_image(each)['data']}" for each in numbers]
    modality = {"model": "clip", "modality": kind, "encoding_format": "base64"}
    return orjson.dumps({"input": found, **modality})


def upsert(kind: str, number: int, batch: int) -> bytes:
    """Returns the body of a request to store items."""
    items = [{"content": content(kind, number * batch + i)} for i in range(batch)]
    return orjson.dumps({"items": items})


def good(kind: str, number: int) -> Content:
    """Returns one content as gRPC takes it."""
    return Content(text=words(number)) if kind == "text" else Content(image=_file(number))


def body_of(contents: Sequence[Content]) -> bytes:
    """Returns the body of a request for embeddings; of several, a bad one costs itself alone."""
    found = [_as_json(each) for each in contents]
    on_error = "request" if len(contents) == 1 else "item"
    return orjson.dumps({"input": found, "encoding_format": "base64", "on_error": on_error})


def message_of(contents: Sequence[Content]) -> bytes:
    """Returns the message of the same request as `body_of`, as gRPC takes it."""
    on_error = ON_ERROR_REQUEST if len(contents) == 1 else ON_ERROR_ITEM
    return bytes(EmbedRequest(contents=contents, on_error=on_error).SerializeToString())


def _as_json(content: Content) -> object:
    match content.WhichOneof("content"):
        case "text":
            return content.text
        case "vector":
            return {"type": "vector", "vector": [*content.vector.values], "modality": "text"}
        case kind:
            return _media(kind, getattr(content, kind))


def bad() -> Mapping[str, tuple[Content, str]]:
    """Returns ten contents by name, and the reason of the error that each must be answered with."""
    photo, undecodable = photo_bytes(0), "UNDECODABLE_MEDIA"
    return {
        "truncated JPEG": (Content(image=photo[: len(photo) // 2]), undecodable),
        "900 million pixels": (Content(image=_png(_HUGE)), "TOO_MANY_PIXELS"),
        "bomb in a PNG": (Content(image=_png(_SMALL, _HUGE_COMMENT)), undecodable),
        "empty file": (Content(image=b""), undecodable),
        "text as image": (Content(image=b"this is only a text"), undecodable),
        "image as sound": (Content(audio=photo), undecodable),
        "damaged sound": (Content(audio=b"fLaC" + bytes(range(256))), undecodable),
        "hour of silence": (Content(audio=_silence(seconds=3600)), "AUDIO_TOO_LONG"),
        "white space": (Content(text="   "), "INVALID_MEDIA"),
        "vector of nothing": (Content(vector=_NOTHING), "INVALID_VECTOR"),
    }


def _png(*chunks: tuple[bytes, bytes]) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in (*chunks, (b"IEND", b""))
    )


def _silence(seconds: int) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, np.zeros(seconds * 8000, dtype=np.int16), 8000, format="FLAC")
    return buffer.getvalue()
