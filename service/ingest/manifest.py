"""A list of files as items: JSON lines, each with a path, an id and metadata."""

import json
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import InvalidRequest
from service.ingest.folder import File, Listing, Stamp, file_of

FIELDS = frozenset({"path", "id", "metadata"})

MAX_LINE_BYTES = 1024 * 1024
"""Far more than the longest id, path and metadata that a collection takes."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: a path, the id of the item, and what is to be said of it."""

    path: Path
    id: str
    metadata: dict[str, Any]


def read_manifest(manifest: Path, resolved: Callable[[Path], Path | None], most: int) -> Listing:
    """Lists the files that a manifest names; a bad line costs itself alone.

    Args:
        manifest: A file of JSON lines.
        resolved: Returns where a path truly leads, or None where nobody may read.
        most: How many lines there may be.

    Raises:
        OSError: If it can't be read.
        TooManyItems: If there are more lines.
    """
    listing, seen = Listing(), set[str]()
    for number, line in _lines(manifest):
        name = f"line {number}"
        try:
            entry = _entry(line)
            if entry.id in seen:
                raise InvalidRequest(f"an id must be there once, {entry.id!r} is there again")
            seen.add(name := entry.id)
            listing.files.append(_file(entry, manifest.parent, resolved))
        except InvalidRequest as error:
            listing.unreadable[name] = str(error)
        except OSError as error:
            listing.unreadable[name] = error.strerror or str(error)
        listing.check_count(most)
    return listing


def _lines(manifest: Path) -> Iterator[tuple[int, bytes]]:
    """Yields the lines that are not blank, with their numbers; of too long a one, a part."""
    with manifest.open("rb") as stream:
        number = 0
        while line := stream.readline(MAX_LINE_BYTES):
            number += 1
            if line.strip():
                yield number, line
            while line and not line.endswith(b"\n"):  # the rest of a line without end
                line = stream.readline(MAX_LINE_BYTES)


def _entry(line: bytes) -> Entry:
    """Reads one line.

    Raises:
        InvalidRequest: If it breaks a rule.
    """
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest(f"a line must be a JSON object: {error}") from error
    if not isinstance(found, dict) or not isinstance(found.get("path"), str):
        raise InvalidRequest("a line must be a JSON object with a text 'path'")
    if unknown := found.keys() - FIELDS:
        raise InvalidRequest(f"a line has path, id and metadata, got {sorted(unknown)}")
    name, metadata = found.get("id", found["path"]), found.get("metadata", {})
    if not isinstance(name, str) or not isinstance(metadata, dict):
        raise InvalidRequest("an id must be a text, and metadata a JSON object")
    if any("\ud800" <= letter <= "\udfff" for letter in name + found["path"]):
        raise InvalidRequest("an id and a path must be valid Unicode")
    if own := metadata.keys() & Stamp.__dataclass_fields__.keys():
        raise InvalidRequest(f"metadata {sorted(own)} are kept of each file by themselves")
    return Entry(Path(found["path"]), name, metadata)


def _file(entry: Entry, folder: Path, resolved: Callable[[Path], Path | None]) -> File:
    """Looks at the file of a line.

    Raises:
        InvalidRequest: If it is none, or may not be read.
        OSError: If it can't be looked at.
    """
    if "\0" in str(entry.path):
        raise InvalidRequest("a path has no NUL character")
    path = resolved(folder / entry.path)
    if path is None:
        raise InvalidRequest(f"a path must lead to where jobs may read, got {entry.path}")
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise InvalidRequest(f"a path must lead to a file, got {entry.path}")
    return file_of(entry.id, path, status, entry.metadata)
