"""What clients send: words, photographs made of noise, and ten kinds of what is neither."""

import base64
import functools
import io
import struct
import zlib
from collections.abc import Mapping

import numpy as np
import orjson
import PIL.Image

from kindred.v1.content_pb2 import Content
from kindred.v1.embedding_service_pb2 import EmbedRequest

PHOTOS = 64
"""How many different pictures there are; as files, they are all different."""

_SIZE = (480, 360)
_NOUNS = ("dog", "violin", "lighthouse", "train", "orchard", "harbour", "teapot", "glacier")


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
    numbers = range(number * batch, (number + 1) * batch)
    if kind == "text":
        contents = [Content(text=words(each)) for each in numbers]
    else:
        contents = [Content(image=_file(each)) for each in numbers]
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


def huge_png() -> bytes:
    """Returns a small file that claims to be a picture of 900 million pixels."""
    parts = ((b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)), (b"IEND", b""))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def bad() -> Mapping[str, bytes]:
    """Returns ten bodies, each of which must be answered with its own error, by name."""
    photo = photo_bytes(0)
    contents: dict[str, object] = {
        "truncated JPEG": _media("image", photo[: len(photo) // 2]),
        "900 million pixels": _media("image", huge_png()),
        "empty file": _media("image", b""),
        "text as image": _media("image", b"this is only a text"),
        "image as sound": _media("audio", photo),
        "damaged sound": _media("audio", b"fLaC" + bytes(range(256))),
        "no base64": {"type": "image", "data": "!!!"},
        "an address": {"type": "image", "data": "http://localhost/cat.jpg"},
        "white space": "   ",
    }
    bodies = {name: orjson.dumps({"input": each}) for name, each in contents.items()}
    return {**bodies, "half of JSON": b'{"input": ["a'}
