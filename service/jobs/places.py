"""Which folders jobs may read: those that `job_folders` names, and nothing that leads out."""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from service.errors import PermissionDenied
from service.ingest.folder import Listing

LEADS_OUT = "a link must not lead out of the folders that job_folders names"


class Places:
    """The folders that jobs may read.

    Whoever may write below them is believed: a name is looked at once, before its file is read.

    Args:
        folders: What the setting names; what a link there leads to is meant.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(map(_led, folders))

    def resolved(self, path: str) -> Path:
        """Returns where a path truly leads, once links and dots are followed.

        Raises:
            PermissionDenied: If that is in none of the folders, or the path is not absolute. What
                lies elsewhere is not told, not even whether it exists.
        """
        asked = Path(path)
        if "\0" not in path and asked.is_absolute():
            found = self.led(asked)
            if found:
                return found
        if not self._folders:
            raise PermissionDenied(
                "jobs may read no folder of this server: its setting job_folders names none"
            )
        raise PermissionDenied(
            f"a job may read absolute paths below the server's job_folders, got {path[:200]!r}"
        )

    def led(self, path: Path) -> Path | None:
        """Returns where a path truly leads, or None where that is in none of the folders."""
        found = _led(path)
        return found if any(map(found.is_relative_to, self._folders)) else None

    def within(self, listing: Listing) -> Listing:
        """Returns a listing in which files are refused that are links out of the folders."""
        kept, refused = replace(listing, files=[], unreadable=dict(listing.unreadable)), {}
        for file in listing.files:
            path = self.led(file.path) if file.path.is_symlink() else file.path
            if path is None:
                refused[file.id] = LEADS_OUT
            else:
                kept.files.append(replace(file, path=path) if path != file.path else file)
        kept.unreadable.update(refused)
        return kept


def _led(path: Path) -> Path:
    """Returns where a path leads; `Path.resolve` fails where links go round in a circle."""
    return Path(os.path.realpath(path))
