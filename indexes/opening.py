"""Which store an address means: the one place that knows all kinds."""

from pathlib import Path

from indexes.folder import FolderStore
from indexes.store import Store
from indexes.tuning import DEFAULT_TUNING, Tuning


def open_store(address: str | Path, tuning: Tuning = DEFAULT_TUNING) -> Store:
    """Opens the store at an address: a folder.

    Args:
        address: Where it is.
        tuning: How collections use this machine.

    Raises:
        StorageError: If it cannot be used.
    """
    return FolderStore(Path(address), tuning)
