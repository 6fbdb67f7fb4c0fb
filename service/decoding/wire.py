"""Messages between the service and its decoding processes: a JSON header, then arrays as they are.

No pickles: a decoder that was taken over may answer anything, and a pickle is a program.
"""

import json
import math
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from embedder.media import Audio, Image, Video

_LENGTHS = struct.Struct("!II")
_MOST_HEADER = 1 << 20
_DTYPES = ("|u1", "<f4", "<i8")


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The sound track of a film, as a file of its own; of no bytes, if it has none."""

    file: NDArray[np.uint8]


Decoded = Image | Audio | Video
_KINDS: Mapping[str, type[Decoded | Track]] = {
    kind.__name__: kind for kind in (Image, Audio, Video, Track)
}


class Broken(Exception):
    """The other side has ended, or does not keep to the protocol."""


class Line:
    """One end of the connection.

    Args:
        connection: A connected socket of bytes.
        most_bytes: Of one array; a larger one breaks the line.
    """

    def __init__(self, connection: socket.socket, most_bytes: int) -> None:
        self._connection = connection
        self._most_bytes = most_bytes
        self._until = math.inf

    def expire(self, seconds: float | None) -> None:
        """Lets what is said from now on take so long in all; later it is a TimeoutError."""
        self._until = math.inf if seconds is None else time.monotonic() + seconds

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()

    def send(self, header: Mapping[str, Any], *parts: Any) -> None:  # noqa: ANN401 - any buffers
        """Says something.

        Raises:
            Broken: If nobody listens.
            TimeoutError: If it takes too long.
        """
        views = [memoryview(part).cast("B") for part in parts]
        told = json.dumps({**header, "sizes": [view.nbytes for view in views]}).encode()
        try:
            self._patient().sendall(_LENGTHS.pack(len(told), len(parts)) + told)
            for view in views:
                self._patient().sendall(view)
        except (BrokenPipeError, ConnectionError) as error:
            raise Broken(str(error)) from error

    def receive(self) -> tuple[dict[str, Any], list[NDArray[np.uint8]]]:
        """Hears something: the header, and its parts as bytes.

        Raises:
            Broken: If nothing comes any more, or nonsense.
            TimeoutError: If it takes too long.
        """
        length, count = _LENGTHS.unpack(self._read(_LENGTHS.size).data)
        if length > _MOST_HEADER:
            raise Broken(f"a header must have at most {_MOST_HEADER} bytes, got {length}")
        header = json.loads(self._read(length).tobytes())
        sizes = header.pop("sizes")
        if len(sizes) != count or not all(0 <= size <= self._most_bytes for size in sizes):
            raise Broken(f"parts must have at most {self._most_bytes} bytes, got {sizes}")
        return header, [self._read(size) for size in sizes]

    def _read(self, size: int) -> NDArray[np.uint8]:
        data = np.empty(size, dtype=np.uint8)
        view, done = data.data, 0
        try:
            while done < size:
                if not (got := self._patient().recv_into(view[done:])):
                    raise Broken("the other side has ended")
                done += got
        except ConnectionError as error:
            raise Broken(str(error)) from error
        return data

    def _patient(self) -> socket.socket:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._connection.settimeout(None if left == math.inf else left)
        return self._connection


def described(media: Decoded | Track) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Returns decoded media as a header and arrays."""
    values = {field.name: getattr(media, field.name) for field in fields(media)}
    arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
    header = {
        "media": type(media).__name__,
        "numbers": {name: value for name, value in values.items() if name not in arrays},
        "arrays": [[name, array.dtype.str, array.shape] for name, array in arrays.items()],
    }
    return header, [np.ascontiguousarray(array) for array in arrays.values()]


def restored(header: Mapping[str, Any], parts: Sequence[NDArray[np.uint8]]) -> Decoded | Track:
    """Returns what `described` took apart.

    Raises:
        Broken: If the header is nonsense.
        InvalidMedia: If the arrays are not such media.
    """
    try:
        arrays: dict[str, Any] = {
            name: part.view(_DTYPES[_DTYPES.index(dtype)]).reshape(shape)
            for (name, dtype, shape), part in zip(header["arrays"], parts, strict=True)
        }
        return _KINDS[header["media"]](**header["numbers"], **arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise Broken(f"an answer must describe media: {error}") from error
