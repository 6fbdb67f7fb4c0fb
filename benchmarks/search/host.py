"""What an engine's process takes of its machine, and what the machine does for it."""

import ctypes
import gc
import os
from pathlib import Path

_LIBC = ctypes.CDLL(None)

COLLECT_OBJECTS = 10_000
"""New objects after which Python looks for cycles: as many as where `kindred serve` runs."""


def shorten_pauses() -> None:
    """Keeps Python from looking for cycles in what is there already, as `kindred serve` does.

    That takes 30 ms, which would be the slowest answers of whoever makes most objects.
    """
    gc.freeze()
    gc.set_threshold(COLLECT_OBJECTS, *gc.get_threshold()[1:])


def memory() -> int:
    """Returns this process's bytes that no file backs (Linux); what was freed is given back."""
    _LIBC.malloc_trim(0)
    status = Path(f"/proc/{os.getpid()}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024


def disk(folder: Path) -> int:
    """Returns the bytes that the files below a folder take."""
    return sum(file.stat().st_blocks * 512 for file in folder.rglob("*"))


def sync(folder: Path) -> None:
    """Returns when all that was written to the file system of a folder is on disk (Linux).

    Raises:
        OSError: If the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _LIBC.syncfs(descriptor)
    finally:
        os.close(descriptor)
