"""How urgently a request is asked, and until when: a transport reads it, the queue obeys it."""

import math
import time
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from service.errors import InvalidRequest

PRIORITY_HEADER = "x-kindred-priority"
"""Names a `Priority`, as a header or as gRPC metadata."""

TIMEOUT_HEADER = "x-request-timeout"
"""Seconds that a REST request may take; a gRPC call has a deadline of its own."""


Transport = Literal["rest", "grpc", "none"]
"""What a request came by; readiness probes and the command line come by none."""


class Priority(StrEnum):
    """Who goes first: asking is interactive, storing is bulk, unless a request says otherwise."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


@dataclass(frozen=True, slots=True)
class Terms:
    """What a request may expect of the queue.

    Attributes:
        caller: Whose share of the queue it takes.
        priority: None leaves it to the method.
        deadline: By `time.monotonic`; what is later is not worth a forward pass.
        transport: What it came by, as metrics call it.
    """

    caller: str = ""
    priority: Priority | None = None
    deadline: float = math.inf
    transport: Transport = "none"

    @property
    def lane(self) -> Priority:
        """The priority, where the method has none of its own."""
        return self.priority or Priority.INTERACTIVE

    @property
    def remaining(self) -> float:
        """Seconds until the deadline; negative if it has passed."""
        return self.deadline - time.monotonic()


terms: ContextVar[Terms] = ContextVar("terms", default=Terms())  # noqa: B039 - frozen
"""The terms of the request that is being answered; each transport sets them for each request."""


def priority_of(sent: str | None) -> Priority | None:
    """Returns the priority that a request names; None where it names none.

    Raises:
        InvalidRequest: If there is no such priority.
    """
    if sent is None or sent in tuple(Priority):
        return None if sent is None else Priority(sent)
    known = " or ".join(Priority)
    raise InvalidRequest(f"{PRIORITY_HEADER} must be {known}, got {sent[:80]!r}")


def timeout_of(sent: str | None) -> float | None:
    """Returns the seconds that a request may take; None where it does not say.

    Raises:
        InvalidRequest: If they are not a positive number.
    """
    if sent is None:
        return None
    try:
        seconds = float(sent)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise InvalidRequest(
            f"{TIMEOUT_HEADER} must be a positive number of seconds, got {sent[:80]!r}"
        )
    return seconds


def deadline_after(seconds: float | None) -> float:
    """Returns the deadline of a request that came just now; None means that it has none."""
    return math.inf if seconds is None else time.monotonic() + seconds
