"""The use cases of snapshots: files, each with one moment of a collection, in a folder of ours.

Requests name a file and never a path. A file appears under its name once it is whole; until then
its name starts with a dot, as that of no snapshot does.
"""

import asyncio
import os
import re
import time
import uuid
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from embedder.media import Modality
from indexes.errors import InvalidSnapshot, StorageError
from indexes.progress import Progress, silent
from indexes.store import Store
from service.access.caller import Scope
from service.access.names import Names
from service.access.needs import needs
from service.errors import InvalidRequest, PayloadTooLarge, SnapshotExists, SnapshotNotFound
from service.messages import CollectionInfo, SnapshotInfo
from service.models import Models
from service.settings import Settings
from service.stored import collection_info, snapshot_info

LEFT_SECONDS = 86_400
"""A part that has not grown for so long is nobody's; another process may share the folder."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Snapshots:
    """Everything that is asked of snapshots; `Engine.snapshots` is the one of a process.

    Args:
        store: Where the collections are.
        models: Whose spaces may be restored.
        settings: The folder of the files, and how large one may be that is sent.
    """

    def __init__(self, store: Store, models: Models, settings: Settings) -> None:
        self.names = Names(store)
        self._store = store
        self._models = models
        self._folder = settings.snapshot_folder
        self._max_bytes = settings.max_snapshot_bytes

    def sweep(self) -> None:
        """Deletes what a process left that was killed while it wrote a file."""
        oldest = time.time() - LEFT_SECONDS
        for part in self._folder.glob(".*.partial"):
            if part.stat().st_mtime < oldest:
                part.unlink(missing_ok=True)

    @needs(Scope.ADMIN, of="collection")
    async def take(self, collection: str) -> SnapshotInfo:
        """Copies one moment of a collection, which may be used meanwhile, to a new file.

        Raises:
            CollectionNotFound: If there is none of this name.
            Unsupported: If the store makes no snapshots.
            StorageError: If the file cannot be written.
        """
        name = f"{collection}-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.snapshot"
        self._folder.mkdir(parents=True, exist_ok=True)
        return await self.write(collection, self._folder / name)

    async def write(self, collection: str, path: Path, progress: Progress = silent) -> SnapshotInfo:
        """Does the same, to any path: for those alone who run this process.

        Raises:
            CollectionNotFound: If there is none of this name.
            Unsupported: If the store makes no snapshots.
            StorageError: If the file exists or cannot be written.
        """

        def written() -> SnapshotInfo:
            self._store.snapshot(self._store.resolve(collection), path, progress)
            with present(path):
                return snapshot_info(path)

        return await asyncio.to_thread(written)

    @needs(Scope.ADMIN, of="collection", literal=True)
    async def restore(self, name: str, collection: str | None = None) -> CollectionInfo:
        """Creates a collection from a snapshot, all of which is checked first.

        Args:
            name: The snapshot.
            collection: The collection to create; None means of the name it was taken of.

        Raises:
            SnapshotNotFound: If there is no such snapshot.
            CollectionExists: If the name of the collection is taken.
            SpaceMismatch: If no served model makes vectors of the snapshot's space.
            InvalidSnapshot: If the file is damaged, no snapshot, or from a newer version.
        """
        return await self.read(self._path(name), collection)

    async def read(
        self, path: Path, collection: str | None = None, progress: Progress = silent
    ) -> CollectionInfo:
        """Does the same, from any path: for those alone who run this process."""

        def restored() -> CollectionInfo:
            found = snapshot_info(path)
            holder = f"the snapshot {found.name!r}"
            space = self._models.of_space(found.space, found.model, holder).info.space
            name = collection or found.collection
            made = self._store.restore(path, name, space_id=space, progress=progress)
            if strange := made.count().keys() - set(Modality):
                self._store.delete(name)
                known = ", ".join(Modality)
                raise InvalidSnapshot(f"a snapshot must hold {known}, got {min(strange)!r:.80}")
            return collection_info(made)

        with present(path):
            return await asyncio.to_thread(restored)

    @needs(Scope.ADMIN, everywhere=True)
    async def list(self) -> tuple[SnapshotInfo, ...]:
        """Returns every snapshot, by name; files that are none are passed by."""
        return await asyncio.to_thread(lambda: tuple(self._found()))

    @needs(Scope.ADMIN, everywhere=True)
    async def delete(self, name: str) -> None:
        """Deletes a snapshot.

        Raises:
            SnapshotNotFound: If there is none of this name.
        """
        path = self._path(name)
        with present(path):
            await asyncio.to_thread(path.unlink)

    @needs(Scope.ADMIN, everywhere=True)
    async def keep(self, name: str, pieces: AsyncIterable[bytes]) -> SnapshotInfo:
        """Keeps a file that is sent, to be restored.

        Raises:
            InvalidRequest: If it is not a name.
            SnapshotExists: If the name is taken.
            PayloadTooLarge: If the file has more bytes than the limit.
            InvalidSnapshot: If it is none, as far as its end tells.
        """
        self._require_free(name)
        with self._part() as part:
            await self._receive(pieces, part)
            info = await asyncio.to_thread(snapshot_info, part)
            self._require_free(name)  # others may have sent one meanwhile
            part.rename(self._folder / name)
        return replace(info, name=name)

    @needs(Scope.ADMIN, everywhere=True)
    async def file(self, name: str) -> BinaryIO:
        """Opens the file of a snapshot, which may be deleted while it is read.

        Raises:
            SnapshotNotFound: If there is no such snapshot.
        """
        path = self._path(name)
        with present(path):
            return path.open("rb")

    def _path(self, name: str) -> Path:
        path = self._named(name)
        if not path.is_file():
            raise _missing(path)
        return path

    def _named(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise InvalidRequest(
                "a snapshot's name is 1 to 128 letters, digits, ., - or _, starting with a letter "
                f"or digit; got {name[:80]!r}"
            )
        return self._folder / name

    def _require_free(self, name: str) -> None:
        if self._named(name).exists():
            raise SnapshotExists(f"there is already a snapshot named {name!r}")

    def _found(self) -> Iterator[SnapshotInfo]:
        for path in sorted(self._folder.glob("[!.]*")):
            try:
                yield snapshot_info(path)
            except (StorageError, FileNotFoundError):  # none of ours, or gone by now
                continue

    async def _receive(self, pieces: AsyncIterable[bytes], path: Path) -> None:
        size = 0
        with path.open("xb") as file:
            async for piece in pieces:
                size += len(piece)
                if size > self._max_bytes:
                    raise PayloadTooLarge(
                        f"a snapshot may have at most {self._max_bytes} bytes, got {size} or more"
                    )
                await asyncio.to_thread(file.write, piece)
            await asyncio.to_thread(_sync, file)

    @contextmanager
    def _part(self) -> Iterator[Path]:
        """Yields where a file may grow, and leaves nothing there."""
        part = self._folder / f".{uuid.uuid4().hex}.partial"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            yield part
        except OSError as error:
            raise StorageError(f"cannot write a snapshot: {error.strerror}") from error
        finally:
            part.unlink(missing_ok=True)


@contextmanager
def present(path: Path) -> Iterator[None]:
    """Says of a snapshot that others delete meanwhile what is said of one that never was.

    Raises:
        SnapshotNotFound: If something fails because the file is no longer there.
    """
    try:
        yield
    except (OSError, StorageError) as error:
        lost = error if isinstance(error, OSError) else error.__cause__
        if isinstance(lost, FileNotFoundError) and Path(lost.filename) == path:
            raise _missing(path) from error
        raise


def _missing(path: Path) -> SnapshotNotFound:
    return SnapshotNotFound(f"there is no snapshot named {path.name!r}")


def _sync(file: BinaryIO) -> None:
    """Makes sure that the file is on disk."""
    file.flush()
    os.fsync(file.fileno())
