"""Files of derived graphs: each is one NumPy archive, whole or not there, with checksums.

A file's name holds all that it depends on, so nothing is ever out of date. A folder that can't be
written, or a damaged file, costs the time of deriving again and nothing else. When a file was last
changed tells when it was last read.
"""

import contextlib
import logging
import os
import shutil
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

log = logging.getLogger(__name__)

_BEGAN = time.time() - 1
"""When this process did, near enough: file systems tell the time less finely."""

_LEFT_SECONDS = 24 * 3600.0
"""Nobody takes so long to write a file: what is older was left by a process that was killed."""


def folder_of(cache: Path) -> Path:
    """Returns the folder of graphs in the folder of everything that is derived."""
    return cache / "graphs"


def read(path: Path) -> Arrays | None:
    """Returns the arrays of a file; None if there is none, or if it is damaged."""
    try:
        with path.open("rb") as file, np.load(file) as archive:
            found = dict(archive)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        log.warning("the graph %s is damaged and will be derived again: %s", path, exc)
    except NotImplementedError as exc:  # of a compression that is none
        log.warning("the graph %s can't be read and will be derived again: %s", path, exc)
    else:
        with contextlib.suppress(OSError):  # a folder that is only read is read all the same
            os.utime(path)
        return found
    return None


def write(path: Path, arrays: Arrays) -> None:
    """Writes a file whole or not at all; a folder that can't be written is only logged."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            part = Path(folder, "graph.npz")
            with part.open("wb") as file:
                np.savez(file, allow_pickle=False, **arrays)
            part.replace(path)
    except OSError as exc:
        log.warning("a derived graph can't be kept, so the next start takes longer: %s", exc)


def trim(folder: Path, most: int) -> None:
    """Removes files, those first that were read longest ago, until the rest has so many bytes.

    What was read or written since this process began is in use, and stays whatever it takes.
    """
    kept = list(_by_use(folder))
    size = sum(found.st_size for _, found in kept)
    for path, found in kept:
        if size <= most or found.st_mtime >= _BEGAN:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            log.info("removed the graph %s, which was not used for long", path)
            size -= found.st_size


def _by_use(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Yields the files, the one read longest ago first; what a killed process left is removed."""
    found = list[tuple[Path, os.stat_result]]()
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):  # another process trims it too
                found.append((path, path.stat()))
    for path, seen in sorted(found, key=lambda each: each[1].st_mtime):
        if path.suffix == ".npz":
            yield path, seen
        elif path.is_dir() and time.time() - seen.st_mtime > _LEFT_SECONDS:
            shutil.rmtree(path, ignore_errors=True)
