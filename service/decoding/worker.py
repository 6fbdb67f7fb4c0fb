"""A process that decodes, and may be ended at any time.

    python -m service.decoding.worker SOCKET DECODER BYTES SECONDS NICENESS LIMITS

It is told what to call (`module:function`), so that starting it imports the decoders and nothing
else; models, stores and transports stay out of reach of a decoder that was taken over.
"""

import importlib
import json
import math
import os
import resource
import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from embedder.decode.limits import Limits
from embedder.errors import MediaError, UndecodableMedia
from embedder.media import Modality
from service.decoding.wire import Broken, Decoded, Line, described

_SIZE = Path("/proc/self/statm")
"""Tells the size of this process's address space in pages, first of all."""


def work(line: Line, decode: Callable[..., Decoded], limits: Limits, bounds: "Bounds") -> None:
    """Decodes what it is sent until the line ends."""

    def pick(rate: float, count: int) -> Sequence[int]:
        line.send({"pick": [rate, count]})
        return [int(number) for number in line.receive()[0]["picked"]]

    line.send({"ready": True})
    while True:
        header, (data,) = line.receive()
        bounds.renew()
        try:
            modality = Modality(header["modality"])
            media = decode(modality, data.tobytes(), limits, pick)
            if header["reducer"]:
                media = named(header["reducer"])(media)
            answer, arrays = described(media)
        except (MediaError, MemoryError) as error:
            answer, arrays = bounds.told(error), []
        line.send(answer, *arrays)


def named(function: str) -> Callable[..., Any]:
    """Returns a function by `module:name`."""
    module, _, name = function.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


class Bounds:
    """Limits of this process, kept by the kernel.

    Args:
        memory: Bytes that decoding may take on top of what the process has by now.
        seconds: Of processor time for one item.
    """

    def __init__(self, memory: int, seconds: float) -> None:
        self._memory, self._seconds = memory, seconds
        for kind in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
            resource.setrlimit(kind, (0, 0))
        if _SIZE.exists():  # only Linux tells it, and only Linux keeps to the limit
            most = int(_SIZE.read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE") + memory
            resource.setrlimit(resource.RLIMIT_AS, (most, most))

    def renew(self) -> None:
        """Gives the next item its processor time: the last resort where nobody is left to wait."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = math.ceil(used.ru_utime + used.ru_stime + self._seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))

    def told(self, error: Exception) -> dict[str, str]:
        """Returns an item's error as it is sent."""
        if isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError):
            rule = f"media must decode within decode_bytes {self._memory} of memory, and need more"
            error = UndecodableMedia(rule)
        return {"error": type(error).__name__, "message": str(error)}


def main(arguments: Sequence[str]) -> None:
    """Runs the process."""
    number, decoder, memory, seconds, niceness, limits = arguments
    os.nice(int(niceness))
    connection = socket.socket(fileno=int(number))
    os.set_inheritable(connection.fileno(), False)
    decode = named(decoder)
    bounds = Bounds(int(memory), float(seconds))
    try:
        work(Line(connection, 1 << 40), decode, Limits(**json.loads(limits)), bounds)
    except Broken:
        return  # the service has ended


if __name__ == "__main__":
    main(sys.argv[1:])
