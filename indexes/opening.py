"""Which store an address means: the one place that knows all kinds."""

from pathlib import Path

from indexes.local.folder import FolderStore
from indexes.local.tuning import DEFAULT_TUNING, Tuning
from indexes.milvus.address import SCHEME
from indexes.milvus.store import MilvusStore
from indexes.store import Store


def open_store(address: str | Path, tuning: Tuning = DEFAULT_TUNING) -> Store:
    """Opens the store at an address.

    Args:
        address: `milvus://HOST:19530` or `milvus:FILE.db`, with the options that
            `indexes.milvus.address` knows; anything else is a folder.
        tuning: How the collections of a folder use this machine.

    Raises:
        StorageError: If it cannot be used.
    """
    if isinstance(address, str) and address.startswith(SCHEME):
        return MilvusStore(address)
    return FolderStore(Path(address), tuning)
