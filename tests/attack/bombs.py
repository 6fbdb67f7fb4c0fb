"""Small files that become large ones, and small requests that take long."""

import base64
import gzip
import io
import struct
import time
import zlib
from collections.abc import Callable, Iterator, Mapping

import httpx
import numpy as np
import orjson
import PIL.Image
import soundfile

from tests.attack.outcome import Outcome
from tests.attack.victim import victim
from tests.samples import colours, film_bytes, image_bytes, picture
from tests.service.poison import hour_of_silence, huge_png

MIB = 1024 * 1024
MOST_MEMORY = 700
"""MiB by which the server may grow: a picture of `max_pixels`, a body of `max_body_bytes`."""

MOST_MORE = 150
"""MiB by which it may grow when the same comes again."""

JSON = {"content-type": "application/json"}
MOST_SECONDS = 35.0
"""`decode_seconds` and a little."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png_with(kind: bytes, head: bytes, count: int = 1) -> bytes:
    """Returns a good picture with text or a profile that inflates to 256 MiB."""
    inflated = zlib.compressobj(9)
    packed = b"".join(inflated.compress(bytes(MIB)) for _ in range(256)) + inflated.flush()
    good = image_bytes(picture())
    return good[:33] + _chunk(kind, head + packed) * count + good[33:]


def _saved(format: str, size: tuple[int, int], **options: object) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.new("L", size).save(buffer, format, **options)
    return buffer.getvalue()


def _gif_of(frames: int, side: int) -> bytes:
    buffer = io.BytesIO()
    pictures = [PIL.Image.new("P", (side, side), n % 256) for n in range(frames)]
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:])
    return buffer.getvalue()


def _claims(data: bytes, place: int, value: bytes) -> bytes:
    """Returns a file whose header says something else."""
    return data[:place] + value + data[place + len(value) :]


def _mp4_with_huge_box() -> bytes:
    film = film_bytes(colours("red"))
    return film.replace(b"stsz", b"stsz" + b"\0\0\0\0\0\0\0\0\x7f\xff\xff\xff", 1)


def _mp4_that_claims(size: bytes) -> bytes:
    film = film_bytes(colours("red"))
    at = film.index(b"avc1") + 4 + 24
    return _claims(film, at, size)


def _silence(format: str, rate: int, seconds: int, channels: int = 1) -> bytes:
    buffer = io.BytesIO()
    with soundfile.SoundFile(buffer, "w", rate, channels, format=format) as file:
        for _ in range(seconds):
            file.write(np.zeros((rate, channels), np.int16))
    return buffer.getvalue()


def _tiff_of(pages: int, side: int) -> bytes:
    buffer = io.BytesIO()
    made = [PIL.Image.new("1", (side, side)) for _ in range(pages)]
    made[0].save(buffer, "TIFF", save_all=True, append_images=made[1:], compression="group4")
    return buffer.getvalue()


def _wav_that_claims() -> bytes:
    wav = _silence("WAV", 8000, 1)
    return _claims(wav, 40, b"\xf0\xff\xff\x7f")


MEDIA: Mapping[str, Callable[[], bytes]] = {
    "PNG of 900 million pixels": huge_png,
    "PNG of 60 million pixels": lambda: _saved("PNG", (10_000, 6_000)),
    "PNG with 256 MiB in zTXt": lambda: _png_with(b"zTXt", b"a\0\0"),
    "PNG with 256 MiB in iTXt": lambda: _png_with(b"iTXt", b"a\0\1\0\0\0"),
    "PNG with 256 MiB in iCCP": lambda: _png_with(b"iCCP", b"a\0\0"),
    "PNG with 50 zTXt": lambda: _png_with(b"zTXt", b"a\0\0", count=50),
    "WebP of 16,383 pixels a side": lambda: _saved("WEBP", (16_383, 16_383)),
    "TIFF of 200 pages": lambda: _tiff_of(200, 2_000),
    "TIFF of 400 million pixels": lambda: _tiff_of(1, 20_000),
    "GIF of 2,000 frames": lambda: _gif_of(2_000, 500),
    "GIF that claims 65,535 a side": lambda: _claims(_saved("GIF", (9, 9)), 6, b"\xff" * 4),
    "MP4 with 2 billion samples": _mp4_with_huge_box,
    "MP4 that claims 65,535 a side": lambda: _mp4_that_claims(b"\xff" * 4),
    "an hour of silence in FLAC": hour_of_silence,
    "ten hours of silence in Ogg": lambda: _silence("OGG", 8_000, 36_000),
    "FLAC of 8 channels": lambda: _silence("FLAC", 192_000, 20, channels=8),
    "WAV that claims 2 GiB": _wav_that_claims,
    "gzip of 1 GiB": lambda: gzip.compress(bytes(1024 * MIB), 1),
}


def _bodies() -> Mapping[str, tuple[bytes, Mapping[str, str]]]:
    """Returns requests for embeddings that are themselves the bomb, with their headers."""
    plain, deep = JSON, 100_000
    return {
        **{name: (body, plain) for name, body in _many().items()},
        "JSON 100,000 arrays deep": (b"[" * deep, plain),
        "JSON 100,000 objects deep": (b'{"input":' * deep, plain),
        "JSON 100,000 deep and closed": (b'{"input":' + b"[" * deep + b"]" * deep + b"}", plain),
        "JSON of a million keys": (
            b'{"input": "a",' + b",".join(b'"%d":1' % n for n in range(1_000_000)) + b"}",
            plain,
        ),
        "JSON with a number of a million digits": (b'{"input": ' + b"9" * 1_000_000 + b"}", plain),
        "a text of 30 MiB": (b'{"input": "' + b"a " * (15 * MIB) + b'"}', plain),
        "a text of 5 million marks on one letter": (
            b'{"input": "a' + "\u0301".encode() * 5_000_000 + b'"}',
            plain,
        ),
        "a million texts": (b'{"input": [' + b",".join([b'"a"'] * 1_000_000) + b"]}", plain),
        "gzip as the encoding of a body": (
            gzip.compress(b" " * (512 * MIB), 1),
            {**plain, "content-encoding": "gzip"},
        ),
        "a form of 20,000 parts": (
            b"".join(
                b'--x\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n'
                for _ in range(20_000)
            )
            + b"--x--\r\n",
            {"content-type": "multipart/form-data; boundary=x"},
        ),
    }


def _many() -> Mapping[str, bytes]:
    """Returns bodies of very many values, most of them mistakes."""
    keys = b",".join(b'"%d":1' % n for n in range(1_000_000))
    return {
        "a million mistakes": b'{"input": [' + b"[]," * 999_999 + b"[]]}",
        "126 MiB of lists": b'{"input": [' + b"[]," * (42 * MIB) + b"[]]}",
        "a million keys of a content": b'{"input": {"type": "text", ' + keys + b"}}",
        "a million numbers as one": b'{"input": "a", "dimensions": [' + b"1," * 1_000_000 + b"1]}",
    }


def attack(seconds: float) -> Outcome:
    """Sends each bomb twice, files as a picture and as a sound; `seconds` is not used."""
    outcome, bombs = Outcome(), dict(_all())
    with victim() as server, httpx.Client(base_url=server.http, timeout=120) as http:
        sizes = [server.memory]
        for _ in range(2):
            for name, (body, headers) in bombs.items():
                _send(http, outcome, name, body, headers)
            sizes.append(server.memory)
        told = f"memory {sizes[0]} -> {sizes[1]} -> {sizes[2]} MiB"
        outcome.note(f"({told})")
        outcome.expect(sizes[1] - sizes[0] < MOST_MEMORY, told)
        outcome.expect(sizes[2] - sizes[1] < MOST_MORE, told)
        illness = server.illness()
        outcome.expect(not illness, illness)
    return outcome


def _all() -> Iterator[tuple[str, tuple[bytes, Mapping[str, str]]]]:
    """Yields the name of each request, its body and its headers."""
    for name, make in MEDIA.items():
        data = base64.b64encode(make()).decode()
        for kind in ("image", "audio"):
            body = orjson.dumps({"input": [{"type": kind, "data": data}]})
            yield f"{name} as {kind}", (body, JSON)
    yield from _bodies().items()


def _send(
    http: httpx.Client,
    outcome: Outcome,
    name: str,
    body: bytes,
    headers: Mapping[str, str],
) -> None:
    began = time.monotonic()
    try:
        answer = http.post("/v1/embeddings", content=body, headers=headers)
        reason = answer.json().get("error", {}).get("reason", "answers")
        outcome.expect(answer.status_code < 500, f"{name}: {answer.status_code} {reason}")
    except httpx.WriteError:  # the server said no before all of it was sent, and closed
        reason = "connections closed"
    outcome.note(reason)
    took = time.monotonic() - began
    outcome.expect(took < MOST_SECONDS, f"{name} took {took:.0f} s")
