"""What the names of collections stand for, for those who may touch what they stand for."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from indexes.aliases import Aliased
from service.access.caller import caller

_asked: ContextVar[str | None] = ContextVar("asked", default=None)
"""What the caller of a use case called its collection."""


class Names:
    """Follows aliases to their collections.

    Args:
        store: Knows them.
    """

    def __init__(self, store: Aliased) -> None:
        self._store = store

    @property
    def shared(self) -> bool:
        """Whether other processes use the collections as well."""
        return self._store.shared

    async def meant(self, name: str) -> str:
        """Returns the collection that an alias stands for; any other text as it is.

        Raises:
            PermissionDenied: If the caller may not touch that; neither which one it is nor whether
                it is there is told.
        """
        # In a folder it is in memory; a thread would take longer than to look.
        if self._store.shared:
            meant = await asyncio.to_thread(self._store.resolve, name)
        else:
            meant = self._store.resolve(name)
        caller.get().require_sight(meant, asked=name)
        return meant

    async def still_means(self, collection: str) -> bool:
        """Tells whether the name that was asked for stands for this collection to this day.

        That of a collection always does; an alias may have been pointed elsewhere.
        """
        asked = _asked.get()
        return asked in (None, collection) or await self.meant(asked) == collection


@contextmanager
def asked_for(name: str) -> Iterator[None]:
    """Remembers what was asked for, while it is answered."""
    token = _asked.set(name)
    try:
        yield
    finally:
        _asked.reset(token)
