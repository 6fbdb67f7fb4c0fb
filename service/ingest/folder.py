"""A folder of files as items: what is in it, and what a stored item knows of its file."""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from embedder.errors import MediaTooLarge, UndecodableMedia
from embedder.media import Modality
from service.errors import InvalidRequest, TooManyItems
from service.messages import ItemInput, MediaContent

TEXT_SUFFIXES = frozenset({".md", ".rst", ".txt"})
"""Text has no signature, so these kinds of files are known by their names."""

MEDIA_SUFFIXES = frozenset(
    {".avif", ".bmp", ".gif", ".heic", ".heif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
    | {".aac", ".aif", ".aiff", ".flac", ".m4a", ".mp3", ".oga", ".ogg", ".opus", ".wav"}
    | {".m4v", ".mkv", ".mov", ".mp4", ".webm"}
    | TEXT_SUFFIXES
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
        origin: Of which folder it is, as `origin_of` says; empty for one that a list names.
    """

    id: str
    path: Path
    bytes: int
    modified: str
    metadata: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    origin: str = ""

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
    """By what a stored item recognises its file; kept in the item's metadata.

    Attributes:
        indexed_from: The file's origin; empty where it has none, or an earlier version stored it.
    """

    bytes: int
    modified: str
    sha256: str
    indexed_from: str = ""

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> "Stamp | None":
        """Returns the stamp that an item carries, or None if it came from no folder."""
        try:
            needed = metadata["bytes"], metadata["modified"], metadata["sha256"]
        except KeyError:
            return None
        return cls(*needed, metadata.get("indexed_from", ""))

    def matches(self, file: File) -> bool:
        """Tells, without reading the file, that it is the one that was stored."""
        return (self.bytes, self.modified) == (file.bytes, file.modified)


OLD = Stamp(-1, "", "")
"""That of an item which is stored, and is to be stored again."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The files below a folder, by path, and why any place in it could not be looked at.

    Attributes:
        origin: Of which folder, as `origin_of` says; empty for a list.
    """

    files: list[File] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    origin: str = ""

    def hides(self, name: str) -> bool:
        """Tells whether a file is one, or in a place, that could not be looked at."""
        above = (name[:end] for end, letter in enumerate(name) if letter == "/")
        return name in self.unreadable or any(place in self.unreadable for place in above)

    def check_count(self, most: int) -> None:
        """Refuses more than so many, good or bad, while they are listed: each takes memory.

        Raises:
            TooManyItems: If there are more.
        """
        if len(self.files) + len(self.unreadable) > most:
            raise TooManyItems(f"a job may bring in at most {most} files, got more")


def origin_of(folder: Path, prefix: str, machine: str) -> str:
    """Returns what the items of one folder have in common, and no others: 16 hexadecimal digits.

    A digest, for what others can read in the metadata should not tell them of somebody's folders.
    """
    said = json.dumps([machine, os.path.realpath(folder), prefix])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def list_files(
    folder: Path, prefix: str = "", most: int = sys.maxsize, machine: str = ""
) -> Listing:
    """Lists the regular files below a folder; hidden ones and linked folders are left out.

    Args:
        folder: Where to start.
        prefix: Put before every id.
        most: How many there may be.
        machine: Whose folder it is, where those of several are brought into one collection.

    Raises:
        TooManyItems: If there are more.
    """
    listing = Listing(origin=origin_of(folder, prefix, machine))

    def refuse(path: Path, reason: str) -> None:
        shown = path.relative_to(folder).as_posix().encode(errors="backslashreplace").decode()
        listing.unreadable[prefix + shown] = reason

    def note(path: Path, error: OSError) -> None:
        refuse(path, error.strerror or str(error))

    for path in _visible(folder, note):
        try:
            status = path.stat()
            if stat.S_ISREG(status.st_mode):
                name = prefix + path.relative_to(folder).as_posix()
                listing.files.append(replace(file_of(name, path, status), origin=listing.origin))
        except OSError as error:
            note(path, error)
        except InvalidRequest as error:
            refuse(path, str(error))
        listing.check_count(most)
    return listing


def _visible(folder: Path, on_error: Callable[[Path, OSError], None]) -> Iterator[Path]:
    """Yields what is no folder; `os.walk` calls itself, and fails where folders are very deep."""
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        try:
            with os.scandir(parent) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            seen = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
        except OSError as error:
            on_error(parent, error)
            continue
        shown = [(parent / name, is_dir) for name, is_dir in seen if not name.startswith(".")]
        yield from (path for path, is_dir in shown if not is_dir)
        waiting.extend(path for path, is_dir in reversed(shown) if is_dir)


def _is_text(name: str) -> bool:
    # Bytes that are no UTF-8 reach Python as lone surrogates, which nothing else can store.
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def file_of(
    name: str, path: Path, status: os.stat_result, metadata: Mapping[str, Any] = NOTHING
) -> File:
    """Returns a file as it was found on the disk.

    Raises:
        InvalidRequest: If its name or its time can't be written.
    """
    if not _is_text(name):
        raise InvalidRequest("a file's name must be UTF-8, for it becomes the item's id")
    try:
        modified = datetime.fromtimestamp(status.st_mtime, UTC)
    except (ValueError, OverflowError, OSError) as error:  # by how far it is off
        raise InvalidRequest(
            f"a file must be of the years 1 to 9999, got {status.st_mtime:g} s after 1970"
        ) from error
    told = modified.isoformat(timespec="microseconds")
    return File(name, path, status.st_size, told, metadata)


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
    stamp = asdict(Stamp(file.bytes, file.modified, digest, file.origin))
    metadata = {**file.metadata, **{key: said for key, said in stamp.items() if said != ""}}
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

    with open(path, "rb", opener=_open_file) as stream:
        head = stream.read(HEAD_BYTES)
        if not head:
            raise UndecodableMedia("a file must not be empty")
        if path.suffix.lower() not in TEXT_SUFFIXES and sniff(head) is None:
            raise UndecodableMedia(
                "a file must hold a picture or a sound, or be a text called "
                f"{', '.join(sorted(TEXT_SUFFIXES))}; it begins with {head[:8]!r}"
            )
        size = os.fstat(stream.fileno()).st_size
        if size > max_bytes:
            raise MediaTooLarge(f"an item must have at most {max_bytes} bytes, got {size}")
        data = head + stream.read(max(0, max_bytes + 1 - len(head)))
        if len(data) > max_bytes:
            raise MediaTooLarge(f"an item must have at most {max_bytes} bytes; this one grows")
        return data


def _open_file(path: str, flags: int) -> int:
    """Opens a file, and waits for nobody who might write, if it is a pipe by now."""
    opened = os.open(path, flags | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise UndecodableMedia("what is at this path is no file any more")
    return opened
