"""What a decoder can do to its process, by the word that it is sent: see `test_decoding`."""

import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping

import numpy as np

from embedder.errors import TooManyPixels
from embedder.frames import Pick
from embedder.media import Image, Modality, Video


def _spin() -> None:
    while True:
        pass


def _nibble() -> None:
    held = []
    while True:
        held.append(bytearray(1 << 20))


def _refuse() -> None:
    raise TooManyPixels("the rule, got too many")


def _write() -> None:
    with tempfile.TemporaryFile() as file:
        file.write(b"what")


def hang(*_: object) -> Image:
    """Stands for a decoder that a header leads into a circle."""
    time.sleep(3600)
    raise AssertionError("it has not been ended")


_DEEDS: Mapping[bytes, Callable[[], object]] = {
    b"hang": hang,
    b"spin": _spin,
    b"eat": lambda: np.ones((10**6, 10**6), dtype=np.uint8),
    b"nibble": _nibble,
    b"abort": os.abort,
    b"segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    b"leave": lambda: sys.exit(3),
    b"refuse": _refuse,
    b"write": _write,
}


def halved(image: Image) -> Image:
    """Returns a picture that is half as bright, or ends the process."""
    if image.pixels.max() == len(b"fatal"):
        os.abort()
    return Image(image.pixels // 2)


def decode(modality: Modality, data: bytes, limits: object, pick: Pick) -> Image | Video:
    """Does what it is told, and returns a film, its own priority in pixels, or a plain picture."""
    _DEEDS.get(data, lambda: None)()
    if data == b"nice":
        return Image(np.full((2, 3, 3), os.nice(0), dtype=np.uint8))
    if data != b"film":
        return Image(np.full((2, 3, 3), len(data), dtype=np.uint8))
    numbers = np.array(pick(25.0, 100), dtype=np.int64)
    return Video(np.zeros((len(numbers), 2, 3, 3), dtype=np.uint8), numbers, 100, 25.0)
