"""The table is complete, names each error once, and gives nothing of ours away."""

import errno
import logging
import sqlite3

import pytest
from google.rpc import code_pb2

import embedder.errors
import indexes.errors
import service.errors
from service.errors import (
    INTERNAL,
    MOST_MESSAGE_BYTES,
    TABLE,
    InvalidRequest,
    ItemFailed,
    Overloaded,
    ServiceError,
    item_error,
    problem,
    status_of,
)
from service.telemetry import request_id

MODULES = (embedder.errors, indexes.errors, service.errors)
TREES = (embedder.errors.EmbedderError, indexes.errors.IndexesError, ServiceError)


def below(root: type[Exception]) -> set[type[Exception]]:
    return {root}.union(*(below(child) for child in root.__subclasses__()))


def ours() -> set[type[Exception]]:
    """Returns what a caller may meet; what a room raises and catches itself is its own affair."""
    every = set[type[Exception]]().union(*(below(root) for root in TREES))
    return {cls for cls in every if cls.__module__ in {module.__name__ for module in MODULES}}


def test_every_error_of_every_room_has_a_row_and_every_row_an_error() -> None:
    assert set(TABLE) == ours()


@pytest.mark.parametrize("module", MODULES)
def test_every_error_is_in_the_tree_of_its_module(module: object) -> None:
    drawn = module.__doc__ or ""
    for cls in ours():
        if cls.__module__ == getattr(module, "__name__", ""):
            assert f" {cls.__name__}" in drawn or f"\n{cls.__name__}\n" in drawn, cls


@pytest.mark.parametrize("status", TABLE.values(), ids=lambda status: status.reason)
def test_every_row_holds_real_codes(status: service.errors.Status) -> None:
    assert status.grpc in code_pb2.Code.keys()  # noqa: SIM118 - not a mapping
    assert 400 <= status.http < 600
    assert status.reason == status.reason.upper()


def test_a_reason_means_one_status() -> None:
    assert len({status.reason for status in TABLE.values()}) == len(set(TABLE.values()))


def test_an_unknown_class_is_called_what_its_nearest_ancestor_is_called() -> None:
    class Odd(embedder.errors.AudioTooLong):
        pass

    assert status_of(Odd()).reason == "AUDIO_TOO_LONG"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("secret"), "INTERNAL"),
        (KeyError("secret"), "INTERNAL"),
        (indexes.errors.StorageError("/secret/path"), "STORAGE_FAILED"),
    ],
)
def test_our_faults_are_logged_and_not_told(
    error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = request_id.set("abc123")
    with caplog.at_level(logging.ERROR):
        found = problem(error)
    request_id.reset(token)
    assert (found.status.reason, found.status.http) == (reason, 500)
    assert "secret" not in str(found.as_json())
    assert "abc123" in found.message
    assert caplog.records[0].exc_info is not None


@pytest.mark.parametrize(
    "cause",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        sqlite3.OperationalError("database or disk is full"),
    ],
)
def test_a_full_disk_is_called_so(cause: Exception) -> None:
    if isinstance(cause, sqlite3.Error):
        cause.sqlite_errorcode = sqlite3.SQLITE_FULL
    full = indexes.errors.StorageError("/secret/path: no room")
    full.__cause__ = cause
    found = problem(full)
    assert (found.status.reason, found.status.http) == ("DISK_FULL", 500)
    assert found.message.startswith("the disk of the server is full, so that nothing was stored")
    assert "secret" not in found.message
    assert problem(ItemFailed(0, full)).status == found.status


def test_a_failed_item_is_called_what_its_own_error_is_called() -> None:
    found = problem(ItemFailed(3, embedder.errors.TooManyPixels("too many")))
    assert (found.status.reason, found.status.http) == ("TOO_MANY_PIXELS", 413)
    assert found.message == "item 3: too many"
    assert found.as_json()["error"]["details"] == {"index": 3}
    hidden = problem(ItemFailed(3, RuntimeError("secret")))
    assert hidden.status == INTERNAL
    assert "secret" not in hidden.message


def test_overload_says_when_to_return() -> None:
    assert problem(Overloaded("full", retry_after=7)).retry_after == 7


def test_an_items_error_uses_the_same_words() -> None:
    error = item_error(indexes.errors.ItemNotFound("no item 'x'"))
    assert (error.reason, error.message) == ("ITEM_NOT_FOUND", "no item 'x'")


@pytest.mark.parametrize("letter", ["x", "ü", "🐕"])
def test_a_message_that_quotes_a_long_request_is_cut(letter: str) -> None:
    told = problem(InvalidRequest(f"a name is short, got {letter * 20_000}")).message
    assert told.startswith(f"a name is short, got {letter}")
    assert told.endswith(f"{letter} ...")
    assert 1_400 < len(told.encode()) <= MOST_MESSAGE_BYTES + 4
    assert problem(InvalidRequest("short \ud800")).message == "short \ud800"
