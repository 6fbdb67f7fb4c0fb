"""FolderStore: a folder of local collections, held by one process at a time."""

import fcntl
import os
import shutil
import threading
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from indexes import disk
from indexes.aliases import require_expected, require_unaliased
from indexes.collection import Collection
from indexes.derived.threads import Helpers
from indexes.errors import (
    AliasNotFound,
    CollectionExists,
    CollectionNotFound,
    SpaceMismatch,
    StorageError,
    StoreInUse,
)
from indexes.local.aliases import AliasFile
from indexes.local.caretaker import Caretaker
from indexes.local.collection import LocalCollection, Shared
from indexes.local.tuning import DEFAULT_TUNING, Tuning
from indexes.progress import Progress, silent
from indexes.ranking import Background
from indexes.store import DEFAULT_OPTIONS, Options, Store, check_dim, check_name
from indexes.truth.ledger import DATABASE, Facts, Ledger
from indexes.truth.snapshot import describe, unpack

_LOCK = ".lock"
_TRASH = ".trash-"
"""Folders so named are on their way in or out; a name of a collection starts with no dot."""


class FolderStore(Store):
    """The collections of one folder. Leaving it lets another process in.

    Args:
        path: The folder.
        tuning: How its collections use memory, time and processors.
    """

    shared = False

    def __init__(self, path: Path, tuning: Tuning = DEFAULT_TUNING) -> None:
        """Takes hold of the folder, which is made if it does not exist.

        Raises:
            StoreInUse: If another process or store holds it.
            StorageError: If it cannot be used.
        """
        self.path = path
        self._tuning = tuning
        self._open: dict[str, LocalCollection] = {}
        self._lock = threading.Lock()
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._handle = _hold(path)
            for left in path.glob(_TRASH + "*"):
                shutil.rmtree(left)
        except OSError as error:
            raise StorageError(f"the folder {path} cannot be used: {error.strerror}") from error
        try:
            self._aliases = AliasFile(path)
            self._finish_renaming()
        except StorageError:
            self._handle.close()
            raise
        self._shared = Shared(Helpers(tuning.threads))
        self._caretaker: Caretaker | None = None
        if tuning.background:
            self._caretaker = Caretaker(self._collections, tuning.pause)
            self._shared = Shared(self._shared.helpers, self._caretaker.nudge)

    def create(
        self,
        name: str,
        *,
        space_id: str,
        dim: int,
        model: str,
        options: Options = DEFAULT_OPTIONS,
    ) -> Collection:
        """See `Store.create`."""
        check_name(name)
        check_dim(dim)
        prior = {pair: Background(*values) for pair, values in options.background.items()}
        facts = Facts(
            space_id,
            dim,
            model,
            datetime.now(UTC),
            prior,
            options.indexed,
            options.recall_target,
            options.structure or "ivf",
        )
        self._require_free(name)
        with self._arriving(name) as folder:
            Ledger.create(folder / DATABASE, facts)
        return self.open(name)

    def open(self, name: str, *, space_id: str | None = None) -> Collection:
        """See `Store.open`."""
        with self._lock:
            collection = self._opened(name)
        if space_id is not None:
            collection.require_space(space_id)
        return collection

    def list(self) -> tuple[str, ...]:
        """See `Store.list`."""
        return tuple(name for name, _ in databases(self.path))

    def rename(self, name: str, new: str) -> None:
        """See `Store.rename`."""
        with self._lock:
            self._require(name)
            self._require_free(new)
            known = [alias for alias, meant in self.aliases().items() if meant == name]
            self._aliases.put(new, name, *known)  # who is refused from here on finds the new name
            if name in self._open:
                self._open.pop(name).close()
            self._finish_renaming()

    def delete(self, name: str) -> None:
        """See `Store.delete`."""
        with self._lock:
            self._require(name)
            require_unaliased(name, self.aliases())
            if name in self._open:
                self._open.pop(name).close()
            trash = self._trash()
            try:
                (self.path / name).rename(trash)  # from here on it is gone
                shutil.rmtree(trash)
            except OSError as error:
                raise StorageError(f"cannot delete {name!r}: {error.strerror}") from error

    def snapshot(self, name: str, path: Path, progress: Progress = silent) -> None:
        """See `Store.snapshot`."""
        with self._lock:
            collection = self._opened(name)
        collection.snapshot(path, progress)

    def restore(
        self,
        path: Path,
        name: str,
        *,
        space_id: str | None = None,
        progress: Progress = silent,
    ) -> Collection:
        """See `Store.restore`."""
        self._require_free(name)
        found = describe(path)
        if space_id not in (None, found.space_id):
            raise SpaceMismatch(
                f"the snapshot {path.name!r} holds vectors of space {found.space_id} "
                f"({found.model}), got space {space_id}"
            )
        with self._arriving(name) as folder:
            unpack(path, folder / DATABASE, progress)
        return self.open(name)

    def resolve(self, name: str) -> str:
        """See `Aliased.resolve`."""
        return self._aliases.all().get(name, name)

    def aliases(self) -> Mapping[str, str]:
        """See `Aliased.aliases`."""
        return self._aliases.all()

    def point(self, alias: str, collection: str, *, expected: str | None = None) -> str | None:
        """See `Aliased.point`."""
        with self._lock:
            before = self.aliases().get(alias)
            if before is None:
                self._require_free(alias)
            self._require(collection)
            require_expected(alias, before, collection, expected)
            if before != collection:
                self._aliases.put(collection, alias)
            return before

    def unalias(self, alias: str) -> None:
        """See `Aliased.unalias`."""
        with self._lock:
            self._require_open(alias)
            if alias not in self.aliases():
                raise AliasNotFound(f"there is no alias named {alias!r}")
            self._aliases.remove(alias)

    def close(self) -> None:
        """See `Store.close`."""
        with self._lock:
            while self._open:
                self._open.popitem()[1].close()
        if self._caretaker is not None:
            self._caretaker.close()
        self._shared.helpers.close()
        self._handle.close()

    def _finish_renaming(self) -> None:
        """Moves a collection whose name is an alias by now to what that stands for.

        Raises:
            StorageError: If it cannot be moved.
        """
        for alias, meant in self.aliases().items():
            if (self.path / alias).exists():
                try:
                    (self.path / alias).rename(self.path / meant)
                    disk.sync(self.path)
                except OSError as error:
                    raise StorageError(f"cannot rename {alias!r}: {error.strerror}") from error

    def _collections(self) -> Sequence[LocalCollection]:
        with self._lock:
            return list(self._open.values())

    @contextmanager
    def _arriving(self, name: str) -> Iterator[Path]:
        """Gives a folder beside its place and moves it there: it exists whole or not at all."""
        folder = self._trash()
        try:
            folder.mkdir()
            yield folder
            disk.sync(folder)
            with self._lock:
                self._require_free(name)
                folder.rename(self.path / name)
            disk.sync(self.path)
        except OSError as error:
            raise StorageError(f"cannot create {name!r}: {error.strerror}") from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _opened(self, name: str) -> LocalCollection:
        self._require(name)
        if name not in self._open:
            path = self.path / name / DATABASE
            self._open[name] = LocalCollection(path, name, self._tuning, self._shared)
        return self._open[name]

    def _require(self, name: str) -> None:
        self._require_open(name)
        if not (self.path / name / DATABASE).exists():
            raise CollectionNotFound(f"there is no collection named {name!r}")

    def _require_free(self, name: str) -> None:
        self._require_open(name)
        if meant := self.aliases().get(name):
            raise CollectionExists(f"the name {name!r} is taken: it is an alias of {meant!r}")
        if (self.path / name).exists():
            raise CollectionExists(f"there is already a collection named {name!r}")

    def _require_open(self, name: str) -> None:
        check_name(name)
        if self._handle.closed:
            raise CollectionNotFound(f"the store is closed, so that {name!r} cannot be used")

    def _trash(self) -> Path:
        return self.path / f"{_TRASH}{uuid.uuid4().hex}"


def databases(path: Path) -> Iterator[tuple[str, Path]]:
    """Yields the name and the database of each collection, for whoever reads beside its holder."""
    for database in sorted(path.glob(f"[!.]*/{DATABASE}")):
        yield database.parent.name, database


def _hold(path: Path) -> IO[str]:
    """Locks the folder for as long as the returned file is open, even past a kill -9."""
    file = (path / _LOCK).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise StoreInUse(
            f"the folder {path} is in use: one process at a time may hold it, "
            f"now it is process {holder}"
        ) from error
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
