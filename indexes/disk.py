"""What was written is on the disk, and not on its way there."""

import os
from pathlib import Path


def sync(path: Path) -> None:
    """Waits until the bytes of a file, or the names in a folder, would outlast a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
