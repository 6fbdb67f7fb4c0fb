"""The folder of adapters that a server reads: a file a target and space, used as soon as it is."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote

from embedder.base import EmbeddingSpace
from embedder.conditioning.adapter import Adapter, Card, read_card

_KEPT = 8
"""Adapters kept in memory; one of tokens may take hundreds of megabytes."""


@dataclass(frozen=True, slots=True)
class Adapters:
    """The adapters of a folder, which need not exist.

    Attributes:
        folder: Holds the files, named by target and space.
    """

    folder: Path

    def path(self, profile: str, space: str) -> Path:
        """Returns where the adapter of a target and a space lies, or would."""
        return self.folder / f"{profile}@{quote(space, safe='+')}.safetensors"

    def find(self, profile: str, space: EmbeddingSpace) -> Adapter | None:
        """Returns the adapter that leads from a space to a target, if it is installed.

        Raises:
            WeightsError: If its file is damaged.
            FittedElsewhere: If the file's name says another space than its card.
        """
        path = self.path(profile, space.id)
        if not path.is_file():
            return None
        stat = path.stat()
        return _read(path, space.id, (stat.st_mtime_ns, stat.st_size))

    def install(self, adapter: Adapter) -> Path:
        """Writes an adapter into the folder, over an older one of its kind; returns the file."""
        path = self.path(adapter.card.profile, adapter.card.space)
        adapter.save(path)
        return path

    def cards(self) -> tuple[Card, ...]:
        """Returns what is installed, by file name.

        Raises:
            WeightsError: If a file is damaged.
        """
        return tuple(read_card(path) for path in sorted(self.folder.glob("*@*.safetensors")))


@lru_cache(maxsize=_KEPT)
def _read(path: Path, space: str, _state: tuple[int, int]) -> Adapter:
    """Reads a file once for as long as it stays the same."""
    return Adapter.load(path, space)
