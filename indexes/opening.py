"""Which store an address means: the one place that knows all kinds."""

from pathlib import Path

from indexes.folder import FolderStore
from indexes.store import Store


def open_store(address: str | Path) -> Store:
    """Opens the store at an address: a folder.

    Raises:
        StorageError: If it cannot be used.
    """
    return FolderStore(Path(address))
