"""A folder of files as items: what is in it, and what a stored item knows of its file."""

import hashlib
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from embedder.errors import MediaTooLarge, UndecodableMedia
from embedder.media import Modality
from service.messages import ItemInput, MediaContent

TEXT_SUFFIX = ".txt"
"""Text has no signature, so this one kind of file is known by its name."""

MEDIA_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
    | {".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
    | {".m4v", ".mkv", ".mov", ".mp4", ".webm"}
    | {TEXT_SUFFIX}
)
"""Files that claim to be media: one that can't be read has failed. Any other file is passed by."""

SOUND = "#sound"
"""Behind the id of a film, names its sound track."""

HEAD_BYTES = 32
"""So much of a file tells its kind."""


NOTHING: Mapping[str, Any] = MappingProxyType({})

TrackOf = Callable[[bytes], bytes | None]
"""Returns the sound track of a film as a file, or None; it may raise `MediaError`."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that may become an item.

    Attributes:
        id: Its path below the folder, with forward slashes on every system.
        path: Where it is.
        bytes: Its size.
        modified: When it was last written, ISO 8601 in UTC to the microsecond.
        metadata: What else is to be said of it.
    """

    id: str
    path: Path
    bytes: int
    modified: str
    metadata: Mapping[str, Any] = field(default_factory=lambda: NOTHING)

    def is_described_by(self, metadata: Mapping[str, Any]) -> bool:
        """Tells whether an item's metadata hold all that is to be said of this file."""
        missing = object()
        return all(metadata.get(key, missing) == said for key, said in self.metadata.items())

    @property
    def claims_to_be_media(self) -> bool:
        """Whether its name says that it is a picture, a sound or a text."""
        return self.path.suffix.lower() in MEDIA_SUFFIXES


@dataclass(frozen=True, slots=True)
class Stamp:
    """By what a stored item recognises its file; kept in the item's metadata."""

    bytes: int
    modified: str
    sha256: str

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Stamp | None":
        """Returns the stamp that an item carries, or None if it came from no folder."""
        try:
            return cls(metadata["bytes"], metadata["modified"], metadata["sha256"])
        except KeyError:
            return None

    def matches(self, file: File) -> bool:
        """Tells, without reading the file, that it is the one that was stored."""
        return (self.bytes, self.modified) == (file.bytes, file.modified)


OLD = Stamp(-1, "", "")
"""That of an item which is stored, and is to be stored again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below a folder, by path, and why any place in it could not be looked at."""

    files: list[File] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)


def list_files(folder: Path, prefix: str = "") -> Listing:
    """Lists the regular files below a folder; hidden ones and linked folders are left out.

    Args:
        folder: Where to start.
        prefix: Put before every id.
    """
    listing = Listing()

    def refuse(path: Path, reason: str) -> None:
        shown = path.relative_to(folder).as_posix().encode(errors="backslashreplace").decode()
        listing.unreadable[prefix + shown] = reason

    def note(error: OSError) -> None:
        refuse(Path(error.filename), error.strerror or str(error))

    for path in _visible(folder, note):
        try:
            status = path.stat()
        except OSError as error:
            note(error)
            continue
        if not stat.S_ISREG(status.st_mode):
            continue
        if _is_text(path.name):
            name = prefix + path.relative_to(folder).as_posix()
            listing.files.append(file_of(name, path, status))
        else:
            refuse(path, "a file's name must be UTF-8, for it becomes the item's id")
    return listing


def _visible(folder: Path, on_error: Callable[[OSError], None]) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(names) if not name.startswith("."))


def _is_text(name: str) -> bool:
    # Bytes that are no UTF-8 reach Python as lone surrogates, which nothing else can store.
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def file_of(
    name: str, path: Path, status: os.stat_result, metadata: Mapping[str, Any] = NOTHING
) -> File:
    """Returns a file as it was found on the disk."""
    modified = datetime.fromtimestamp(status.st_mtime, UTC).isoformat(timespec="microseconds")
    return File(name, path, status.st_size, modified, metadata)


def sound_track_here(film: bytes) -> bytes | None:
    """Copies a sound track in this process, which a film that a stranger made may take down."""
    from embedder.decode import Limits, sound_track  # loads every codec

    return sound_track(film, Limits(max_bytes=len(film)))


def items_of(file: File, known: Stamp | None, max_bytes: int, track_of: TrackOf) -> list[ItemInput]:
    """Reads a file as an item, or returns none if its content is the one that is already known.

    A film is two items, if it has a sound track: what is seen and what is heard.

    Raises:
        MediaError: If the file is too large or holds nothing that can be embedded.
        OSError: If it can't be read.
    """
    from service.intake import file_content, is_film  # loads every codec

    data = read_media(file.path, max_bytes)
    digest = hashlib.sha256(data).hexdigest()
    if known and known.sha256 == digest:
        return []
    metadata = {
        **file.metadata,
        "bytes": file.bytes,
        "modified": file.modified,
        "sha256": digest,
    }
    content = file_content(data)
    items = [ItemInput(content, file.id, metadata)]
    if isinstance(content, MediaContent) and is_film(content):
        try:
            heard = track_of(data)
        except UndecodableMedia:
            heard = data  # what is wrong with it, whoever embeds it will say
        if heard:
            sound = MediaContent(Modality.AUDIO, heard)
            items.append(ItemInput(sound, file.id + SOUND, {**metadata, "film": file.id}))
    return items


def read_media(path: Path, max_bytes: int) -> bytes:
    """Returns the bytes of a picture, a sound or a text; of any other file only the head is read.

    Raises:
        MediaError: If it is none of these, or too large.
        OSError: If it can't be read.
    """
    from embedder.decode import sniff  # loads every codec

    with path.open("rb") as stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            raise UndecodableMedia("a file must not be empty")
        if path.suffix.lower() != TEXT_SUFFIX and sniff(head) is None:
            raise UndecodableMedia(
                f"a file must hold a picture or a sound, or be a .txt; it begins with {head[:8]!r}"
            )
        size = os.fstat(stream.fileno()).st_size
        if size > max_bytes:
            raise MediaTooLarge(f"an item must have at most {max_bytes} bytes, got {size}")
        return head + stream.read()
