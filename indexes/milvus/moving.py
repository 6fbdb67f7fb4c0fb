"""Snapshots of collections on Milvus, by way of a local collection: either restores the other's.

Milvus can't hold one moment still. A snapshot has every item that was there from its beginning to
its end; one that was stored, replaced or deleted meanwhile may be in it or not, old or new.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from indexes.collection import Collection
from indexes.errors import ItemNotFound
from indexes.item import Item
from indexes.local.folder import FolderStore
from indexes.progress import Progress
from indexes.truth.ledger import DATABASE, Facts, Ledger
from indexes.windowed import with_windows

_ITEMS_AT_ONCE = 500
_MEDIA_BYTES_AT_ONCE = 32 * 2**20


def snapshot(collection: Collection, facts: Facts, path: Path, progress: Progress) -> None:
    """Writes a collection to a file, which goes by way of a folder beside it.

    Raises:
        StorageError: If the file exists or cannot be written.
    """
    with TemporaryDirectory(dir=path.parent, prefix=".kindred-") as folder:
        database = Path(folder, collection.name, DATABASE)
        database.parent.mkdir()
        Ledger.create(database, facts)
        with FolderStore(Path(folder)) as store:
            copy(collection, store.open(collection.name), progress)
            store.snapshot(collection.name, path)


@contextmanager
def unpacked(path: Path, name: str, space_id: str | None) -> Iterator[tuple[Facts, Collection]]:
    """Lends the collection that a snapshot holds, checked, for as long as it is copied.

    Raises:
        SpaceMismatch: If a space is given and it is not the snapshot's.
        InvalidSnapshot: If the file is damaged, no snapshot, or from a newer version.
    """
    with TemporaryDirectory(prefix="kindred-") as folder, FolderStore(Path(folder)) as store:
        collection = store.restore(path, name, space_id=space_id)
        ledger = Ledger(Path(folder, name, DATABASE))
        facts = ledger.facts()
        ledger.close()
        yield facts, collection


def copy(source: Collection, target: Collection, progress: Progress) -> None:
    """Stores every item of one collection in another; tells of the bytes of their vectors."""
    size, total, done, token = 2 * source.dim, sum(source.count().values()), 0, ""
    while True:
        page = source.items(page_size=_ITEMS_AT_ONCE, page_token=token)
        for items in with_windows(source, page.items):
            for some in _with_media(source, items):
                target.upsert(some)
        done += len(page.items)
        progress(size * done, size * max(done, total))
        token = page.next_page_token
        if not token:
            return


def _with_media(source: Collection, items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yields items with their media, as many at a time as memory likes."""
    some: list[Item] = []
    size = 0
    for item in items:
        if item.mime is not None:
            try:
                content = source.get_content(item.id)
            except ItemNotFound:  # deleted, or stored again without, since the page was read
                continue
            item = replace(item, content=content)
            size += len(content.data)
        some.append(item)
        if size > _MEDIA_BYTES_AT_ONCE:
            yield some
            some, size = [], 0
    yield some
