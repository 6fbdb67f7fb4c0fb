"""Who works on a job: one process, of those that share a data folder, as long as it lives.

The claim is a lock on a file, which the system takes back whenever the process ends, `kill -9`
included; on a network drive, as far as that has locks.
"""

import fcntl
from pathlib import Path
from typing import IO

CLAIM = "claim"


class Claims:
    """The claims of one process.

    Args:
        folder: Of the jobs; each has a folder of its own in it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held: dict[str, IO[str]] = {}

    def has(self, job: str) -> bool:
        """Tells whether a job is this process's."""
        return job in self._held

    def take(self, job: str) -> bool:
        """Makes a job this process's, if it is nobody's, and tells whether it was.

        Raises:
            OSError: If the folder can't be written.
        """
        folder = self._folder / job
        folder.mkdir(parents=True, exist_ok=True)
        file = (folder / CLAIM).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        self._held[job] = file
        return True

    def release(self, job: str) -> None:
        """Leaves a job to others."""
        if file := self._held.pop(job, None):
            file.close()

    def release_all(self) -> None:
        """Leaves every job to others."""
        while self._held:
            self._held.popitem()[1].close()
