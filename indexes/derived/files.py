"""Files of a segment: written whole or not at all, and held against their checksums.

A checksum is the CRC-32 of a file, or of each 4 MiB block of a file that is checked beside serving.
The manifest and other small JSON documents carry their own. What is read is what was written, bit
for bit, or a `StorageError` that names the file.
"""

import json
import shutil
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from indexes.disk import sync
from indexes.errors import StorageError

BLOCK = 4 * 2**20
"""Bytes under one checksum of a file that is checked in blocks."""

Document = Mapping[str, Any]
"""What JSON can say."""


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Gives a folder to fill beside `folder`, which it becomes when all is well, on disk.

    Raises:
        StorageError: If it cannot be written.
    """
    partial = folder.with_name(folder.name + ".partial")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        sync(partial)
        partial.rename(folder)
        sync(folder.parent)
    except OSError as error:
        raise StorageError(f"cannot write the segment {folder.name}: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write(path: Path, pieces: Iterable[NDArray[Any]]) -> dict[str, Any]:
    """Writes arrays one after another; returns size and checksums of the file."""
    checksums, size, crc = [], 0, 0
    with path.open("wb") as file:
        for piece in pieces:
            data = np.ascontiguousarray(piece).view(np.uint8).reshape(-1).data
            file.write(data)
            while data:
                some, data = data[: BLOCK - size % BLOCK], data[BLOCK - size % BLOCK :]
                size, crc = size + len(some), zlib.crc32(some, crc)
                if size % BLOCK == 0:
                    checksums.append(crc)
                    crc = 0
    sync(path)
    if size % BLOCK:
        checksums.append(crc)
    return {"bytes": size, "crc32": checksums}


def read(path: Path, facts: Document) -> NDArray[np.uint8]:
    """Maps a file and checks all of it.

    Raises:
        StorageError: If it is missing or damaged.
    """
    data = mapped(path, facts)
    check(path, data, facts)
    return data


def mapped(path: Path, facts: Document) -> NDArray[np.uint8]:
    """Maps a file, of which only the size is checked.

    Raises:
        StorageError: If it is missing or of another size.
    """
    try:
        data = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:  # ValueError: it is empty
        raise _damaged(path, str(error)) from error
    _require_size(path, len(data), facts)
    return np.asarray(data)


def check(
    path: Path,
    data: NDArray[np.uint8],
    facts: Document,
    each: Callable[[], None] = lambda: None,
) -> None:
    """Compares the bytes of a file with its checksums; calls `each` before every block.

    Raises:
        StorageError: If it is damaged.
    """
    for number, crc in enumerate(facts["crc32"]):
        each()
        if zlib.crc32(data[number * BLOCK : (number + 1) * BLOCK].data) != crc:
            raise _damaged(path, f"the checksum of block {number} differs")


def write_document(path: Path, document: Document) -> None:
    """Writes a JSON document in place of what was there, all of it or nothing.

    Raises:
        StorageError: If it cannot be written.
    """
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(_encoded(document))
        sync(partial)
        partial.replace(path)
        sync(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {_name(path)}: {error.strerror}") from error


def read_document(path: Path) -> dict[str, Any]:
    """Reads a JSON document.

    Raises:
        StorageError: If it is missing or damaged.
    """
    try:
        data = path.read_bytes()
        document = json.loads(data)
        if isinstance(document, dict) and _encoded(_without_checksum(document)) == data:
            return document
    except OSError as error:
        raise _damaged(path, error.strerror or "unreadable") from error
    except ValueError as error:
        raise _damaged(path, "it is not JSON") from error
    raise _damaged(path, "its checksum differs")


def _without_checksum(document: Document) -> Document:
    return {key: value for key, value in document.items() if key != "crc32"}


def _encoded(document: Document) -> bytes:
    """Returns the one way to write a document, its checksum included."""
    crc = zlib.crc32(json.dumps(document, sort_keys=True).encode())
    return json.dumps({**document, "crc32": crc}, sort_keys=True, indent=1).encode()


def _require_size(path: Path, size: int, facts: Document) -> None:
    if size != facts["bytes"]:
        raise _damaged(path, f"it has {size} bytes, not {facts['bytes']}")


def _damaged(path: Path, why: str) -> StorageError:
    return StorageError(f"{_name(path)} is damaged: {why}")


def _name(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"
