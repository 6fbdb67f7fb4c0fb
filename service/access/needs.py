"""What a use case takes, said above it; each that changes something has a line in the audit log."""

import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from inspect import BoundArguments
from typing import Any, ParamSpec, Protocol, TypeVar

from indexes.errors import CollectionNotFound
from service.access.caller import Scope, caller
from service.access.names import Names, asked_for
from service.errors import status_of

audit = logging.getLogger("kindred.audit")
audit.setLevel(logging.INFO)  # whatever `log_level` says: who changed what is always written down

MOST_TOLD = 100
"""Characters of a name; those that can exist are shorter."""

TOLD = {
    "alias": "alias",
    "job": "job",
    "name": "name",
    "new": "new",
    "items": "items",
    "ids": "items",
}
"""Parameters that are in the audit log beside the collection, and as what: names, and numbers."""

P = ParamSpec("P")
T = TypeVar("T")


class Again(Exception):
    """A use case is to be asked anew: the name may stand for another collection by now."""


class Named(Protocol):
    """Has use cases of collections, and knows what names stand for."""

    @property
    def names(self) -> Names:
        """What it knows them by."""


def needs(
    scope: Scope, *, of: str | None = None, literal: bool = False, everywhere: bool = False
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Lets only callers of a scope ask for a use case, and writes down who changed what.

    A use case of a collection is given the one that the name stands for; its object is `Named`.

    Args:
        scope: What it takes.
        of: The parameter that is the name of a collection, or has it as its own `name`.
        literal: Whether the name is meant as it is, and no alias followed.
        everywhere: Refuse callers that are limited to some collections: it may touch any.
    """

    def guarded(use_case: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        signature = inspect.signature(use_case)

        @functools.wraps(use_case)
        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            asked = signature.bind(*args, **kwargs)
            facts = _facts(asked, of)
            with _audited(scope, use_case.__qualname__, facts):
                caller.get().require(scope)
                if of and not literal:
                    return await _asked_of_meant(use_case, asked, of, facts)
                if of or everywhere:
                    caller.get().require_sight(facts["collection"])
                return await use_case(*args, **kwargs)

        @functools.wraps(use_case)
        async def plain(*args: P.args, **kwargs: P.kwargs) -> T:
            """Asks a use case of which there is nothing to look up, and nothing to write down."""
            caller.get().require(scope)
            return await use_case(*args, **kwargs)

        made = plain if scope is Scope.READ and not (of or everywhere) else method
        vars(made)["scope"] = scope
        return made

    return guarded


def _facts(asked: BoundArguments, of: str | None) -> dict[str, Any]:
    """Returns what is to be changed: names and numbers, never what an item holds."""
    name = asked.arguments.get(of or "")
    facts = {"collection": getattr(name, "name", name)}
    for each, given in asked.arguments.items():
        if each in TOLD and each != of:
            facts[TOLD[each]] = given if isinstance(given, str) else len(given)
    return facts


async def _asked_of_meant(
    use_case: Callable[..., Awaitable[T]], asked: BoundArguments, of: str, facts: dict[str, Any]
) -> T:
    """Asks a use case of what a name stands for; anew, where that has changed meanwhile."""
    owner: Named = asked.args[0]
    name = asked.arguments[of]
    while True:
        asked.arguments[of] = meant = await owner.names.meant(name)
        if meant != name:
            facts |= {"collection": meant, "alias": name}
        try:
            with asked_for(name):
                return await use_case(*asked.args, **asked.kwargs)
        except Again:
            continue
        except CollectionNotFound:
            if await owner.names.meant(name) == meant:
                raise


@contextmanager
def _audited(scope: Scope, method: str, facts: dict[str, Any]) -> Iterator[None]:
    """Writes a line when it is left, unless nothing could have changed."""
    began, outcome = time.perf_counter(), "CANCELLED"
    try:
        yield
        outcome = "OK"
    except Exception as error:
        outcome = status_of(error).reason
        raise
    finally:
        if scope is not Scope.READ:
            told = {
                "caller": caller.get().id,
                "method": method,
                **{name: _cut(fact) for name, fact in facts.items()},
                "outcome": outcome,
                "seconds": round(time.perf_counter() - began, 6),
            }
            audit.info("%s %s", method, outcome, extra={"facts": told})


def _cut(fact: object) -> object:
    """Returns what the log tells of a fact: a name that is none may be as long as a request."""
    return fact[:MOST_TOLD] if isinstance(fact, str) else fact
