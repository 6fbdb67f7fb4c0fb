"""What can go wrong, the same over both wires.

KindredError                   .reason .code .message .details
├── InvalidArgument        400 the request breaks a rule, or media can't be decoded
├── Unauthenticated        401 no key, or an unknown one
├── PermissionDenied       403 the key may not do this
├── NotFound               404 no such model, collection, item or content
├── Conflict               409 the name is taken, or the vector is of another space
├── TooLarge               413 too many bytes, pixels, seconds or items
├── Overloaded             429 too much work is waiting; .retry_after says when there may be room
├── ServerError            500 the server's fault; its log has the request
├── Unavailable            503 no server answered, or its store did not
└── DeadlineExceeded       504 no answer in time

Programs look at `reason`, a stable name such as COLLECTION_NOT_FOUND; people read `message`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_NOTHING: Mapping[str, Any] = MappingProxyType({})


class KindredError(Exception):
    """Any refusal or failure of a call.

    Attributes:
        message: The rule and the offending value.
        reason: A stable name for programs.
        code: The HTTP status that stands for the kind of error, on either wire.
        details: Further facts, such as the `index` of the content that failed.
        retry_after: Seconds after which another try may succeed, where the server said so.
    """

    code: int = 500
    reason: str = "INTERNAL"

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        details: Mapping[str, Any] = _NOTHING,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.details = dict(details)
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class InvalidArgument(KindredError):
    """The request breaks a rule, or its media can't be decoded."""

    code, reason = 400, "INVALID_ARGUMENT"


class Unauthenticated(KindredError):
    """The request carries no key, or an unknown one."""

    code, reason = 401, "UNAUTHENTICATED"


class PermissionDenied(KindredError):
    """The key is known and may not do this."""

    code, reason = 403, "PERMISSION_DENIED"


class NotFound(KindredError):
    """There is no such model, collection, item or content."""

    code, reason = 404, "NOT_FOUND"


class Conflict(KindredError):
    """What is stored stands against it: a name is taken, or a space is another."""

    code, reason = 409, "CONFLICT"


class TooLarge(KindredError):
    """The request passes a limit on bytes, pixels, seconds or items."""

    code, reason = 413, "PAYLOAD_TOO_LARGE"


class Overloaded(KindredError):
    """Too much work is waiting already."""

    code, reason = 429, "OVERLOADED"


class ServerError(KindredError):
    """The server is at fault."""

    code, reason = 500, "INTERNAL"


class Unavailable(KindredError):
    """No server answered, or its store did not."""

    code, reason = 503, "UNAVAILABLE"


class DeadlineExceeded(KindredError):
    """There was no answer in time."""

    code, reason = 504, "DEADLINE_EXCEEDED"


_BY_CODE = {error.code: error for error in KindredError.__subclasses__()}


def error_type(code: int) -> type[KindredError]:
    """Returns the class of errors with this code; an unknown one has that of its hundred."""
    return _BY_CODE.get(code, InvalidArgument if 400 <= code < 500 else ServerError)
