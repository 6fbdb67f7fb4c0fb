"""The calls about snapshots, and the files they read and write here. See `kindred._calls`."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from kindred._answers import Collection
from kindred._calls import Call
from kindred._errors import InvalidArgument

PIECE_BYTES = 256 * 1024
"""So much of a file is sent at a time: far below every limit on a message."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file on the server with one moment of a collection.

    Attributes:
        collection: The name of the collection it was taken of.
        space: Id of the space of its vectors.
        items: Number of items in it.
    """

    name: str
    collection: str
    model: str
    space: str
    items: int
    bytes: int
    created: datetime


@dataclass(frozen=True)
class TakeSnapshot(Call[Snapshot]):
    """Copies one moment of a collection, which may be used meanwhile, to a file on the server.

    Raises:
        NotFound: If there is no such collection.
    """

    collection: str


@dataclass(frozen=True)
class RestoreSnapshot(Call[Collection]):
    """Creates a collection from a snapshot, all of which is checked first.

    Args:
        name: The snapshot.
        collection: The collection to create; none means of the name it was taken of.

    Raises:
        NotFound: If there is no such snapshot.
        Conflict: If the collection exists, or no served model makes vectors of this space.
        InvalidArgument: If the file is damaged or no snapshot.
    """

    name: str
    _: KW_ONLY
    collection: str | None = None


@dataclass(frozen=True)
class ListSnapshots(Call[tuple[Snapshot, ...]]):
    """Returns every snapshot on the server, by name."""


@dataclass(frozen=True)
class DeleteSnapshot(Call[None]):
    """Deletes a snapshot.

    Raises:
        NotFound: If there is none of this name.
    """

    name: str


@dataclass(frozen=True)
class DownloadSnapshot(Call[bytes]):
    """Yields the file of a snapshot: its answer comes in pieces.

    Raises:
        NotFound: If there is none of this name.
    """

    name: str


@dataclass(frozen=True)
class UploadSnapshot(Call[Snapshot]):
    """Sends a file in pieces, to be kept as a snapshot."""

    name: str
    pieces: Iterable[bytes]


def upload_snapshot(
    file: str | Path | Iterable[bytes], *, name: str | None = None
) -> UploadSnapshot:
    """Sends a file to the server, which keeps it as a snapshot to be restored.

    Args:
        file: Its path, or what it holds, in pieces.
        name: Its name on the server; none means the one that its path has.

    Raises:
        Conflict: If the name is taken.
        InvalidArgument: If the file is no snapshot, or pieces have no name.
        FileNotFoundError: If there is no file.
    """
    if isinstance(file, str | Path):
        path = Path(file).resolve(strict=True)
        return UploadSnapshot(name or path.name, _pieces_of(path))
    if not name:
        raise InvalidArgument("what is sent in pieces needs a name")
    return UploadSnapshot(name, file)


def _pieces_of(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece


class Download:
    """A new file that is written piece by piece, and left only if all goes well.

    Args:
        path: Where there must be none.
        moved: Told how many bytes were written so far.
    """

    def __init__(self, path: str | Path, moved: Callable[[int], object]) -> None:
        self._path = Path(path)
        self._moved = moved
        self._bytes = 0

    def __enter__(self) -> Self:
        """Makes the file.

        Raises:
            FileExistsError: If there is one.
        """
        self._file = self._path.open("xb")
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Closes the file, and removes it if it is not whole."""
        self._file.close()
        if kind is not None:
            self._path.unlink()

    def write(self, piece: bytes) -> None:
        """Appends a piece."""
        self._bytes += self._file.write(piece)
        self._moved(self._bytes)
