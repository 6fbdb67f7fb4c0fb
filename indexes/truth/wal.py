"""How far the write-ahead log of a database is filled; its file keeps its length and tells nothing.

From https://sqlite.org/walformat.html: a header of 32 bytes, then frames, each a header of 24 bytes
and a page. Bytes 8 to 16 of the header of every frame, two salts, are those at 16 to 24 of the
file's as long as the frame belongs to the present round; each round has others.
"""

import os
from pathlib import Path

_HEADER, _FRAME_HEADER = 32, 24


class Log:
    """The log of an open database, which stays the same file as long as that is open.

    Args:
        database: Path of the database.
    """

    def __init__(self, database: Path) -> None:
        self._path = f"{database}-wal"
        self._file: int | None = None

    def reaches(self, size: int) -> bool:
        """Tells whether it holds more than `size` bytes that were written in its present round."""
        if self._file is None:
            try:
                self._file = os.open(self._path, os.O_RDONLY)
            except FileNotFoundError:
                return False
        header = os.pread(self._file, _HEADER, 0)
        frame = _FRAME_HEADER + int.from_bytes(header[8:12])
        place = _HEADER + size // frame * frame
        return len(header) == _HEADER and os.pread(self._file, 8, place + 8) == header[16:24]

    def close(self) -> None:
        """Lets go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
