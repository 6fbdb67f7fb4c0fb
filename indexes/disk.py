"""Files as the disk has them: written for good, counted while others delete them."""

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def sync(path: Path) -> None:
    """Waits until the bytes of a file, or the names in a folder, would outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size_of(files: Iterable[Path]) -> int:
    """Returns the bytes of files; one that is gone meanwhile has none."""
    size = 0
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            size += file.stat().st_size
    return size


def files_below(folder: Path) -> Iterator[Path]:
    """Yields every file below a folder, and no error where a part of it is gone meanwhile."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)
