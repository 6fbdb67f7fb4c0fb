"""Errors: one class for each kind, drawn in a tree, the same from whatever source."""

import httpx
import pytest

from kindred import _errors
from kindred._errors import KindredError, ServerError, TooLarge, error_type
from kindred._rest.wire import _kindred_error
from service.errors import TABLE

KINDS = KindredError.__subclasses__()


def test_the_tree_is_drawn() -> None:
    tree = _errors.__doc__ or ""
    for kind in KINDS:
        assert any(
            line.split()[1:3] == [kind.__name__, str(kind.code)] for line in tree.splitlines()
        ), kind


def test_every_status_of_the_service_has_its_class() -> None:
    codes = {kind.code for kind in KINDS}
    unknown = {row.http for row in TABLE.values()} - codes
    # Only a client of its own making asks with a wrong method, or for a part of a file.
    assert unknown == {405, 416}


@pytest.mark.parametrize(
    ("code", "kind"), [(413, "TooLarge"), (418, "InvalidArgument"), (502, "ServerError")]
)
def test_a_code_has_the_class_of_its_kind(code: int, kind: str) -> None:
    assert error_type(code).__name__ == kind


def test_an_error_shows_reason_and_rule() -> None:
    error = TooLarge("at most 3, got 4", reason="TOO_MANY_ITEMS")
    assert str(error) == "TOO_MANY_ITEMS: at most 3, got 4"
    assert error.message == "at most 3, got 4"


def test_a_proxys_error_page_is_an_error_too() -> None:
    error = _kindred_error(httpx.Response(502, text="bad gateway"))
    assert type(error) is ServerError
    assert error.message == "bad gateway"


def test_an_overloaded_server_says_when_to_come_back() -> None:
    body = {"error": {"code": 429, "reason": "OVERLOADED", "message": "full", "details": {}}}
    error = _kindred_error(httpx.Response(429, json=body, headers={"retry-after": "2"}))
    assert (error.reason, error.retry_after) == ("OVERLOADED", 2.0)
