"""The segments of one collection: the ledger says which ones serve, their files lie beside it."""

import json
import logging
import shutil
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from sqlite3 import Connection

import numpy as np

from indexes.derived.partition import Partition
from indexes.derived.segment import Segment
from indexes.disk import files_below, size_of
from indexes.errors import StorageError
from indexes.truth import dead, state

log = logging.getLogger(__name__)

_LISTED = "segments"
"""Name of the fact that says which folders serve each modality."""


class Shelf:
    """The folder of a collection's segments. What it holds can always be built again.

    Args:
        folder: Made when the first segment is.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def room(self, modality: str) -> Path:
        """Returns a place for one more segment.

        Raises:
            StorageError: If the folder cannot be written.
        """
        try:
            self._folder.mkdir(exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot make {self._folder.name}: {error.strerror}") from error
        return self._folder / f"{modality}-{uuid.uuid4().hex}"

    def opened(self, connection: Connection) -> dict[str, tuple[Segment, ...]]:
        """Opens the segments that serve, but for those that are damaged or missing."""
        return {
            modality: tuple(segment for name in names for segment in self._opened(name))
            for modality, names in listed(connection).items()
        }

    def sweep(self, kept: Iterable[str]) -> None:
        """Deletes all folders but these; who still searches in another keeps its mapped files."""
        names = set(kept)
        if self._folder.exists():
            for folder in self._folder.iterdir():
                if folder.name not in names:
                    shutil.rmtree(folder, ignore_errors=True)

    def size_bytes(self) -> int:
        """Returns what the files take on disk."""
        return size_of(files_below(self._folder))

    def _opened(self, name: str) -> list[Segment]:
        try:
            return [Segment.open(self._folder / name)]
        except StorageError as error:
            log.warning("a segment is left out, to be built again from the database: %s", error)
            return []


def record(modality: str) -> Callable[[Connection, Partition, Partition], None]:
    """Returns what writes down which segments serve a modality from now on."""

    def write(connection: Connection, before: Partition, after: Partition) -> None:
        names = {**listed(connection), modality: names_of(after)}
        state.put(connection, _LISTED, json.dumps(names))
        dead.insert(connection, modality, np.setdiff1d(after.dead(), before.dead()))

    return write


def listed(connection: Connection) -> Mapping[str, list[str]]:
    """Returns the names of the folders that serve each modality, as they are written down."""
    names: dict[str, list[str]] = json.loads(state.get(connection, _LISTED))
    return names


def names_of(partition: Partition) -> list[str]:
    """Returns the names of the folders that serve in it."""
    return [segment.folder.name for segment in partition.segments]
