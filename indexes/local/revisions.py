"""The truth and the indexes derived from it: changed together, read as of one moment."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from sqlite3 import Connection

from indexes.derived.partition import Partition
from indexes.errors import StorageError
from indexes.local.changes import Change, Deleted, Revision, make
from indexes.local.line import Line
from indexes.truth.ledger import Ledger, sequence

_PATIENCE = 5.0
"""Seconds that a reader waits for a state that both SQLite and the indexes know."""

Record = Callable[[Connection, Partition, Partition], None]
"""Writes down, in a transaction, that the first partition gave way to the second."""


class Revisions:
    """One revision after another, each in SQLite and in memory under the same number.

    A writer lays the next indexes ready, commits, and publishes them by one assignment. A reader
    pairs a SQLite snapshot with the indexes of the same number. So no search waits for a writer,
    and each sees vectors, metadata and deletions of one moment.

    Args:
        ledger: The truth.
        first: What was derived from it.
        empty: Makes the index of a modality that has had no items.
        group_rows: Rows that one commit takes of writers that wait together.
    """

    def __init__(
        self, ledger: Ledger, first: Revision, empty: Callable[[], Partition], group_rows: int
    ) -> None:
        self.now = first
        self._empty = empty
        self._near: tuple[Revision, ...] = (first,)
        self._ledger = ledger
        self._writing = threading.Lock()
        self._line: Line[Change, Deleted] = Line(self._commit, group_rows)

    def change(self, change: Change) -> Deleted:
        """Makes a change: on disk, then published, or, after an exception, not at all.

        Raises:
            StorageError: If it cannot be written.
        """
        return self._line.submit(change)

    def replace(
        self, modality: str, make: Callable[[Partition], Partition], record: Record | None = None
    ) -> None:
        """Puts another partition with the same rows in the place of a modality's.

        Args:
            modality: Whose.
            make: Returns it, given the newest there is; writers wait meanwhile.
            record: What is to be on disk before it serves.

        Raises:
            StorageError: If that cannot be written; then nothing has happened.
        """
        with self._writing:
            before = self.now.partitions[modality]
            after = make(before)
            if record is not None:
                with self._ledger.write() as connection:
                    record(connection, before, after)
            partitions = {**self.now.partitions, modality: after}
            self.now = Revision(self.now.sequence, partitions)
            self._near = (self.now,)

    @contextmanager
    def moment(self) -> Iterator[tuple[Connection, Revision]]:
        """Pairs a SQLite snapshot with the indexes of the same moment.

        The indexes lie ready before a commit makes their number visible, and stay until the next
        is on its way; whoever is overtaken by two commits looks again.

        Raises:
            StorageError: If no such moment can be found.
        """
        deadline = time.monotonic() + _PATIENCE
        while time.monotonic() < deadline:
            with self._ledger.read() as connection:
                number = sequence(connection)
                revision = next((it for it in self._near if it.sequence == number), None)
                if revision is not None:
                    yield connection, revision
                    return
            time.sleep(0)
        raise StorageError(f"{self._ledger.path.parent.name!r} was changed by another process")

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Lends the writing connection for what makes no new revision.

        Raises:
            StorageError: If writing fails; then nothing of it has happened.
        """
        with self._writing, self._ledger.write() as connection:
            yield connection

    def close(self) -> None:
        """Closes the truth, after the change that is under way; later ones fail."""
        with self._writing:
            self._ledger.close()

    def _commit(self, changes: Sequence[Change]) -> list[Deleted]:
        with self._writing:
            with self._ledger.write() as connection:
                after, deleted = make(connection, self.now, changes, self._empty)
                self._near = (self.now, after)
            self.now = after
        return deleted
