"""Who asks, and what they may do: known to every use case of a request without being passed on."""

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

from service.errors import PermissionDenied


class Scope(StrEnum):
    """What a caller may do. `admin` may do all that the others may."""

    READ = "read"
    """Embed, rank, search; see collections and their items."""
    WRITE = "write"
    """Create and change collections, store and delete items."""
    ADMIN = "admin"
    """Delete collections, take and restore snapshots."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who asks.

    Attributes:
        id: Who it is in logs and in fair shares of a queue: the id of a key.
        scopes: What they may do.
        collections: The only collections that they may touch or see; None means every one.
    """

    id: str
    scopes: frozenset[Scope]
    collections: frozenset[str] | None = None

    def may(self, scope: Scope) -> bool:
        """Tells whether a scope is among theirs."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def sees(self, collection: str | None) -> bool:
        """Tells whether they may touch a collection; None stands for more than a single one."""
        return self.collections is None or collection in self.collections

    def require(self, scope: Scope) -> None:
        """Makes sure that a scope is theirs.

        Raises:
            PermissionDenied: If it is not.
        """
        if not self.may(scope):
            raise PermissionDenied(
                f"this takes the scope {scope}; {self.id} has {_listed(self.scopes)}"
            )

    def require_sight(self, collection: str | None, *, asked: str | None = None) -> None:
        """Makes sure that they may touch a collection; None stands for more than a single one.

        Args:
            collection: The collection.
            asked: What they called it, if that is an alias: all that they are told of it.

        Raises:
            PermissionDenied: If they may not.
        """
        if not self.sees(collection):
            what = repr(asked or collection) if collection else "what belongs to more than one"
            if asked and self.sees(asked):  # the alias is theirs, and what it is for is not
                what = f"what {what} stands for"
            raise PermissionDenied(
                f"{self.id} may touch only the collections {_listed(self.collections)}, not {what}"
            )


def _listed(names: Iterable[str] | None) -> str:
    return ", ".join(sorted(names or ()))


EVERYTHING = frozenset(Scope)

OWNER = Caller("owner", EVERYTHING)
"""Who runs this process and asks it directly."""

ANONYMOUS = Caller("anonymous", EVERYTHING)
"""Anybody, where nobody has to show a key."""

NOBODY = Caller("nobody", frozenset())
"""Who has not been let in yet."""

caller: ContextVar[Caller] = ContextVar("caller", default=OWNER)
"""Who asks the question that is being answered; each transport sets it for each request."""
