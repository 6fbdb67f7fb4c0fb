"""What can go wrong, and what it is called: one table for every transport.

The rooms below keep their own trees (`embedder.errors`, `indexes.errors`). The service adds:

ServiceError
├── InvalidRequest             the request breaks a rule
│   ├── TooManyItems           more items, or a larger k, than the limit
│   ├── PayloadTooLarge        a request body of more bytes than the limit
│   └── RangeNotSatisfiable    none of a file's bytes lies in the range that is asked
├── ItemFailed                 one item, and with it a request that asked for all or nothing
├── Unauthenticated            no key was shown, or one that is not good
├── PermissionDenied           the key may not do this, or a page of another origin may not call
├── KeysError                  the file of keys can't be read or written
├── NotSwapped                 items failed, so that the alias was left as it is
├── CollectionBusy             a job copies the collection that is to be renamed
├── GeneratorMissing           the weights of the generator of pictures are not here
├── JobNotFound                no job has this id that the caller may see
├── SnapshotNotFound           no snapshot has this name
├── SnapshotExists             the name of a snapshot is taken
├── RouteNotFound              no such path
├── MethodNotAllowed           the path is known, not with this method
├── Overloaded                 the queue is full; try again after `retry_after` seconds
│   └── RateLimited            the key has asked too often; likewise
└── DeadlineExceeded           the answer would have come too late

Nothing else in the service knows a status code. A class that is not in the table has the row of its
nearest ancestor; one without any ancestor there is INTERNAL, and tells the client nothing else.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from embedder import errors as media
from indexes import errors as stored
from service.messages import ItemError
from service.telemetry import request_id

log = logging.getLogger(__name__)


class ServiceError(Exception):
    """Anything that the service itself refuses."""


class InvalidRequest(ServiceError):
    """The request breaks a rule that its message states."""


class TooManyItems(InvalidRequest):
    """The request asks for more items than the limit."""


class PayloadTooLarge(InvalidRequest):
    """The request body has more bytes than the limit."""


class RangeNotSatisfiable(InvalidRequest):
    """The range of bytes that is asked has none of the file's."""


class ItemFailed(ServiceError):
    """One item failed, and with it the request; it is called what the item's own error is called.

    Args:
        index: The item's place in the request.
        error: What happened to it.
    """

    def __init__(self, index: int, error: BaseException) -> None:
        super().__init__(f"item {index}: {error}")
        self.error = error
        self.details = {"index": index}


class Unauthenticated(ServiceError):
    """A key has to be shown, and none was, or one that is unknown or revoked."""


class PermissionDenied(ServiceError):
    """The caller may not do this."""


class KeysError(ServiceError):
    """The file of keys can't be read or written, or is none."""


class NotSwapped(ServiceError):
    """Items could not be embedded again, so that the alias was left as it is."""


class CollectionBusy(ServiceError):
    """A job reads the collection, and follows who writes to it by its name."""


class GeneratorMissing(ServiceError):
    """The weights of the generator of pictures are not on this server."""


class JobNotFound(ServiceError):
    """No job has this id, or none that the caller may see."""


class SnapshotNotFound(ServiceError):
    """No snapshot has this name."""


class SnapshotExists(ServiceError):
    """There is already a snapshot of this name."""


class RouteNotFound(ServiceError):
    """No resource has this path."""


class MethodNotAllowed(ServiceError):
    """The resource does not know this method."""


class Overloaded(ServiceError):
    """Too much work is waiting already.

    Args:
        message: The rule and the load.
        retry_after: Seconds after which there is likely to be room.
    """

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RateLimited(Overloaded):
    """A key has made as many requests as it may."""


class DeadlineExceeded(ServiceError):
    """The work was not done in time and has been dropped."""


@dataclass(frozen=True, slots=True)
class Status:
    """What an error is called: our reason, the HTTP status, the name of the gRPC code."""

    reason: str
    http: int
    grpc: str


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as a client sees it, on any transport."""

    status: Status
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    retry_after: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Returns the error body of REST, which names the reason that gRPC carries in ErrorInfo."""
        return {
            "error": {
                "code": self.status.http,
                "reason": self.status.reason,
                "message": self.message,
                "details": dict(self.details),
            }
        }


INTERNAL = Status("INTERNAL", 500, "INTERNAL")
_STORAGE = Status("STORAGE_FAILED", 500, "INTERNAL")
_FULL = Status("DISK_FULL", 500, "INTERNAL")
_HIDDEN = {
    INTERNAL: "internal error",
    _STORAGE: "the store failed",
    _FULL: "the disk of the server is full, so that nothing was stored",
}
"""Faults of ours, whose texts may name paths and worse: what is told instead."""

MOST_MESSAGE_BYTES = 1_500
"""Twice in trailers, once with three bytes for one: of these gRPC takes no more than 8 KiB."""

_INVALID = Status("INVALID_ARGUMENT", 400, "INVALID_ARGUMENT")

TABLE: Mapping[type[Exception], Status] = {
    media.EmbedderError: INTERNAL,
    media.MediaError: _INVALID,
    media.UndecodableMedia: Status("UNDECODABLE_MEDIA", 400, "INVALID_ARGUMENT"),
    media.InvalidMedia: Status("INVALID_MEDIA", 400, "INVALID_ARGUMENT"),
    media.UnsupportedModality: Status("UNSUPPORTED_MODALITY", 400, "INVALID_ARGUMENT"),
    media.MediaTooLarge: Status("PAYLOAD_TOO_LARGE", 413, "INVALID_ARGUMENT"),
    media.TooManyPixels: Status("TOO_MANY_PIXELS", 413, "INVALID_ARGUMENT"),
    media.AudioTooLong: Status("AUDIO_TOO_LONG", 413, "INVALID_ARGUMENT"),
    media.VideoTooLong: Status("VIDEO_TOO_LONG", 413, "INVALID_ARGUMENT"),
    media.ModelNotFound: Status("MODEL_NOT_FOUND", 404, "NOT_FOUND"),
    media.WeightsError: INTERNAL,
    media.Unfaithful: INTERNAL,
    media.Untranslatable: INTERNAL,
    media.EncodingFailed: INTERNAL,
    media.ConditioningError: _INVALID,
    media.BridgeNotFitted: Status("BRIDGE_NOT_FITTED", 409, "FAILED_PRECONDITION"),
    media.FittedElsewhere: Status("SPACE_MISMATCH", 409, "FAILED_PRECONDITION"),
    media.TooFewVectors: Status("TOO_FEW_VECTORS", 409, "FAILED_PRECONDITION"),
    media.ProfileNotFound: Status("PROFILE_NOT_FOUND", 404, "NOT_FOUND"),
    media.AdapterNotFitted: Status("ADAPTER_NOT_FITTED", 409, "FAILED_PRECONDITION"),
    media.UnfitForTarget: Status("UNFIT_FOR_TARGET", 400, "INVALID_ARGUMENT"),
    media.InputsCancel: Status("CANCELLED_OUT", 400, "INVALID_ARGUMENT"),
    media.MissingDependency: INTERNAL,
    stored.IndexesError: INTERNAL,
    stored.CollectionNotFound: Status("COLLECTION_NOT_FOUND", 404, "NOT_FOUND"),
    stored.CollectionExists: Status("COLLECTION_EXISTS", 409, "ALREADY_EXISTS"),
    stored.AliasNotFound: Status("ALIAS_NOT_FOUND", 404, "NOT_FOUND"),
    stored.AliasMoved: Status("ALIAS_MOVED", 409, "FAILED_PRECONDITION"),
    CollectionBusy: Status("COLLECTION_BUSY", 409, "FAILED_PRECONDITION"),
    stored.CollectionAliased: Status("COLLECTION_ALIASED", 409, "FAILED_PRECONDITION"),
    stored.ItemNotFound: Status("ITEM_NOT_FOUND", 404, "NOT_FOUND"),
    stored.SpaceMismatch: Status("SPACE_MISMATCH", 409, "FAILED_PRECONDITION"),
    stored.InvalidName: _INVALID,
    stored.InvalidItem: _INVALID,
    stored.InvalidVector: Status("INVALID_VECTOR", 400, "INVALID_ARGUMENT"),
    stored.InvalidFilter: Status("INVALID_FILTER", 400, "INVALID_ARGUMENT"),
    stored.InvalidQuery: _INVALID,
    stored.Unsupported: Status("UNSUPPORTED", 400, "INVALID_ARGUMENT"),
    stored.StorageError: _STORAGE,
    stored.StoreInUse: _STORAGE,
    stored.StoreUnavailable: Status("STORE_UNAVAILABLE", 503, "UNAVAILABLE"),
    stored.InvalidSnapshot: Status("INVALID_SNAPSHOT", 400, "INVALID_ARGUMENT"),
    ServiceError: INTERNAL,
    InvalidRequest: _INVALID,
    TooManyItems: Status("TOO_MANY_ITEMS", 413, "INVALID_ARGUMENT"),
    PayloadTooLarge: Status("PAYLOAD_TOO_LARGE", 413, "INVALID_ARGUMENT"),
    RangeNotSatisfiable: Status("RANGE_NOT_SATISFIABLE", 416, "OUT_OF_RANGE"),
    ItemFailed: INTERNAL,
    Unauthenticated: Status("UNAUTHENTICATED", 401, "UNAUTHENTICATED"),
    PermissionDenied: Status("PERMISSION_DENIED", 403, "PERMISSION_DENIED"),
    KeysError: INTERNAL,
    GeneratorMissing: Status("GENERATOR_MISSING", 409, "FAILED_PRECONDITION"),
    NotSwapped: Status("ALIAS_NOT_SWAPPED", 409, "FAILED_PRECONDITION"),
    JobNotFound: Status("JOB_NOT_FOUND", 404, "NOT_FOUND"),
    SnapshotNotFound: Status("SNAPSHOT_NOT_FOUND", 404, "NOT_FOUND"),
    SnapshotExists: Status("SNAPSHOT_EXISTS", 409, "ALREADY_EXISTS"),
    RouteNotFound: Status("NOT_FOUND", 404, "UNIMPLEMENTED"),
    MethodNotAllowed: Status("METHOD_NOT_ALLOWED", 405, "UNIMPLEMENTED"),
    Overloaded: Status("OVERLOADED", 429, "RESOURCE_EXHAUSTED"),
    RateLimited: Status("RATE_LIMITED", 429, "RESOURCE_EXHAUSTED"),
    DeadlineExceeded: Status("DEADLINE_EXCEEDED", 504, "DEADLINE_EXCEEDED"),
}


def status_of(error: BaseException) -> Status:
    """Returns the row of the nearest class of the error that has one."""
    if isinstance(error, ItemFailed):
        return status_of(error.error)
    if isinstance(error, stored.StorageError) and error.is_full:
        return _FULL
    return next((TABLE[cls] for cls in type(error).__mro__ if cls in TABLE), INTERNAL)


def problem(error: BaseException) -> Problem:
    """Returns what a client may know of this error, and logs what it may not.

    A fault of ours is logged in full with the request's id, and its text is only that id.
    """
    status = status_of(error)
    if status in _HIDDEN:
        log.error("request failed", exc_info=error)
        message = f"{_HIDDEN[status]}; the log has it under request id {request_id.get()}"
    else:
        message = _cut(str(error))
    details = getattr(error, "details", {})
    return Problem(status, message, details, getattr(error, "retry_after", None))


def _cut(message: str) -> str:
    """Returns a message that fits the trailers of gRPC, whatever it quotes of a request."""
    data = message.encode(errors="replace")
    if len(data) <= MOST_MESSAGE_BYTES:
        return message
    return data[:MOST_MESSAGE_BYTES].decode(errors="ignore") + " ..."


def item_error(error: BaseException) -> ItemError:
    """Returns the error of one item of a batch, in the words of the same table."""
    found = problem(error)
    return ItemError(found.status.reason, found.message)
