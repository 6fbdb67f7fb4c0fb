"""What a use case takes, said above it; each that changes something has a line in the audit log."""

import functools
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from service.access.caller import Scope, caller
from service.errors import status_of

audit = logging.getLogger("kindred.audit")
audit.setLevel(logging.INFO)  # whatever `log_level` says: who changed what is always written down

P = ParamSpec("P")
T = TypeVar("T")


def needs(
    scope: Scope, *, of: str | None = None, everywhere: bool = False
) -> Callable[[Callable[P, Awaitable[T]]], Callable[P, Awaitable[T]]]:
    """Lets only callers of a scope ask for a use case, and writes down who changed what.

    Args:
        scope: What it takes.
        of: The parameter that is the name of a collection, or has it as its own `name`.
        everywhere: Refuse callers that are limited to some collections: it may touch any.
    """

    def guarded(use_case: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        signature = inspect.signature(use_case)

        @functools.wraps(use_case)
        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            asked = signature.bind(*args, **kwargs).arguments.get(of or "")
            collection = getattr(asked, "name", asked)
            with _audited(scope, use_case.__qualname__, collection):
                caller.get().require(scope)
                if of or everywhere:
                    caller.get().require_sight(collection)
                return await use_case(*args, **kwargs)

        vars(method)["scope"] = scope
        return method

    return guarded


@contextmanager
def _audited(scope: Scope, method: str, collection: str | None) -> Iterator[None]:
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
            facts = {
                "caller": caller.get().id,
                "method": method,
                "collection": collection,
                "outcome": outcome,
                "seconds": round(time.perf_counter() - began, 6),
            }
            audit.info("%s %s", method, outcome, extra={"facts": facts})
