"""Fields of metadata that are declared late: filled in steps, between which writers have turns."""

import threading
import time
from collections.abc import Sequence

from indexes.errors import CollectionNotFound
from indexes.local.revisions import Revisions
from indexes.store import check_indexed
from indexes.truth import fields
from indexes.truth.ledger import Ledger, sequence

_AT_ONCE = 500
"""Items that one transaction tags: writers wait for it, some five milliseconds."""


class Declaring:
    """The declared fields of one collection. Thread-safe.

    Args:
        ledger: Where they and the items are.
        revisions: Whose turn it is to write.
        closing: Set when there is no time left.
    """

    def __init__(self, ledger: Ledger, revisions: Revisions, closing: threading.Event) -> None:
        self._ledger = ledger
        self._revisions = revisions
        self._closing = closing
        self._filling = threading.Lock()

    def ready(self) -> tuple[str, ...]:
        """Returns the fields whose tags filters ask, in the order in which they were declared."""
        with self._ledger.read() as connection:
            known = fields.declared(connection)
        return tuple(path for path, field in known.items() if field.filled)

    def declare(self, paths: Sequence[str]) -> None:
        """Makes these the declared fields, and fills those that are new.

        Raises:
            InvalidQuery, InvalidFilter: If they break a rule of `check_indexed`.
            CollectionNotFound: If the collection is closed meanwhile.
            StorageError: If something cannot be read or written; what was done stays done.
        """
        check_indexed(paths)
        with self._revisions.write() as connection:
            fields.declare(connection, paths, sequence(connection))
        self.fill()

    def fill(self) -> None:
        """Does what is left to do, now or from before.

        Raises:
            CollectionNotFound: If the collection is closed meanwhile.
            StorageError: If something cannot be read or written; what was done stays done.
        """
        with self._filling:
            more = True
            while more:
                began = time.monotonic()
                with self._revisions.write() as connection:
                    more = fields.fill(connection, _AT_ONCE)
                if self._closing.wait(time.monotonic() - began if more else 0):
                    raise CollectionNotFound("the collection was closed while fields were filled")
