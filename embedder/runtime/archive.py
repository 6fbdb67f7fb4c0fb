"""Files of derived graphs: each is one NumPy archive, whole or not there, with checksums.

A file's name holds all that it depends on, so nothing is ever out of date. A folder that can't be
written, or a damaged file, costs the time of deriving again and nothing else.
"""

import logging
import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]

log = logging.getLogger(__name__)


def read(path: Path) -> Arrays | None:
    """Returns the arrays of a file; None if there is none, or if it is damaged."""
    try:
        with path.open("rb") as file, np.load(file) as archive:
            return dict(archive)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as exc:
        log.warning("the graph %s is damaged and will be derived again: %s", path, exc)
    except NotImplementedError as exc:  # of a compression that is none
        log.warning("the graph %s can't be read and will be derived again: %s", path, exc)
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
