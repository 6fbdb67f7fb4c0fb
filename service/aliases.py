"""The use cases of aliases: names that stand for a collection, and for another one tomorrow."""

import asyncio

from indexes.aliases import require_expected
from indexes.errors import CollectionExists
from indexes.store import Store, check_name
from service.access.caller import Scope, caller
from service.access.names import Names
from service.access.needs import needs
from service.messages import AliasInfo


class Aliases:
    """Everything that is asked of aliases; `Engine.aliases` is the one of a process.

    Who is limited to some collections may use an alias if they may touch what it stands for, and
    change it if its own name, too, is among those that they were given.

    Args:
        store: Where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self.names = Names(store)
        self._store = store

    @needs(Scope.WRITE, of="collection")
    async def point(self, alias: str, collection: str, *, expected: str | None = None) -> AliasInfo:
        """Makes an alias stand for a collection, in one step, whether or not there was one.

        Args:
            alias: A name by the rule of collections' names.
            collection: What it is to stand for.
            expected: The collection that it must stand for by now, if for any; None means that it
                may be any.

        Raises:
            InvalidName: If the alias is not a name.
            CollectionExists: If a collection has that name.
            AliasMoved: If it stands for another collection than expected.
        """
        await self._require_sight(alias)
        before = await asyncio.to_thread(
            lambda: self._store.point(alias, collection, expected=expected)
        )
        return AliasInfo(alias, collection, before)

    async def require_swappable(self, alias: str, old: str, new: str) -> None:
        """Makes sure that an alias can be pointed from one collection to one that is not there yet.

        Raises:
            PermissionDenied: If the caller may not change it.
            AliasMoved: If it stands for another collection than the old one.
            CollectionExists: If a collection has its name, or will have.
            InvalidName: If it is not a name.
        """
        check_name(alias)
        await self._require_sight(alias)
        meant = await self.names.meant(alias)
        if meant == alias:
            if alias == new or alias in await asyncio.to_thread(self._store.list):
                raise CollectionExists(f"alias {alias!r} can't have the name of a collection")
        else:
            require_expected(alias, meant, new, old)

    @needs(Scope.READ)
    async def list(self) -> tuple[AliasInfo, ...]:
        """Returns the aliases of collections that the caller may see, by name."""
        found = await asyncio.to_thread(self._store.aliases)
        sees = caller.get().sees
        return tuple(AliasInfo(*pair) for pair in sorted(found.items()) if sees(pair[1]))

    @needs(Scope.WRITE, of="alias", literal=True)
    async def delete(self, alias: str) -> None:
        """Deletes an alias; what it stood for stays.

        Raises:
            AliasNotFound: If there is none of this name.
        """
        await self._require_sight(alias)
        await asyncio.to_thread(self._store.unalias, alias)

    async def _require_sight(self, alias: str) -> None:
        """Makes sure that the caller may touch the name, and what it stands for by now.

        Raises:
            PermissionDenied: If they may not.
        """
        caller.get().require_sight(alias)
        await self.names.meant(alias)
