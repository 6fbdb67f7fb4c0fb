"""Keys: what is kept of them, what they open, and what they may do."""

import stat
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.access.caller import ANONYMOUS, OWNER, Caller, Scope
from service.access.guard import Guard
from service.access.keys import KeyFile, parts_of
from service.errors import (
    InvalidRequest,
    KeysError,
    PermissionDenied,
    RateLimited,
    Unauthenticated,
)
from service.settings import Settings, SettingsError

READ = (Scope.READ,)


@pytest.fixture
def file(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "data" / "keys.json")


def guard(folder: Path, **options: object) -> Guard:
    return Guard(Settings.model_validate({"data": folder, **options}))


def test_what_is_shown_opens_and_is_not_in_the_file(file: KeyFile) -> None:
    key, shown = file.create("phone", READ)
    key_id, secret = parts_of(shown)
    assert key_id == key.id
    assert key.opens(secret)
    assert not key.opens(secret[:-1])
    assert secret not in file.path.read_text()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_another_process_sees_keys_at_once_and_no_longer_once_they_are_revoked(
    file: KeyFile,
) -> None:
    other = KeyFile(file.path)
    assert other.list() == ()
    key, _ = file.create("phone", (Scope.READ, Scope.WRITE), ("photos",), 60)
    assert other.find(key.id) == key
    file.revoke(key.id)
    assert other.find(key.id) is None
    (kept,) = other.list()
    assert kept.revoked
    assert (kept.scopes, kept.collections, kept.per_minute) == (key.scopes, ("photos",), 60)


def test_an_unknown_key_is_not_revoked(file: KeyFile) -> None:
    key, _ = file.create("phone", READ)
    with pytest.raises(InvalidRequest, match=f"no key has the id 'none'; known: {key.id}"):
        file.revoke("none")


@pytest.mark.parametrize("text", ["{", "[]", '{"keys": [{"id": "a"}]}'])
def test_a_file_that_is_none_of_keys_lets_nobody_in(tmp_path: Path, text: str) -> None:
    (tmp_path / ".keys.json").write_text(text)
    with pytest.raises(KeysError, match="is not a file of keys"):
        guard(tmp_path).admit(None)


@pytest.mark.parametrize("shown", ["", "kindred", "kindred_", "kindred_ab", "other_ab_cd", "a_b"])
def test_what_is_no_key_has_no_parts(shown: str) -> None:
    assert parts_of(shown) == ("", "")


def test_without_keys_everybody_is_let_in(tmp_path: Path) -> None:
    for shown in (None, "Bearer sk-a-key-of-somebody-else"):
        assert guard(tmp_path).admit(shown) == ANONYMOUS


def test_with_keys_only_who_shows_one_is_let_in(tmp_path: Path) -> None:
    door = guard(tmp_path)
    key, shown = door.file.create("phone", READ, ("photos",))
    assert door.admit(f"Bearer {shown}") == Caller(
        key.id, frozenset({Scope.READ}), frozenset({"photos"})
    )
    assert door.admit(f"bearer {shown}").id == key.id
    door.file.revoke(key.id)
    with pytest.raises(Unauthenticated, match="unknown, or was revoked"):
        door.admit(f"Bearer {shown}")
    with pytest.raises(Unauthenticated, match="show a key"):
        door.admit(None)  # a revoked key does not open the door for all


def test_keys_whose_file_is_lost_let_nobody_in(tmp_path: Path) -> None:
    door = guard(tmp_path)
    key, shown = door.file.create("phone", READ)
    who = door.admit(f"Bearer {shown}")
    assert door.lets_stay(who)
    kept = door.file.path.read_bytes()
    door.file.path.unlink()
    for authorization in (None, f"Bearer {shown}"):
        with pytest.raises(Unauthenticated):
            door.admit(authorization)
    assert not door.lets_stay(who)
    door.file.path.write_bytes(kept)
    assert door.admit(f"Bearer {shown}").id == key.id


def test_who_was_let_in_without_a_key_does_not_stay_once_there_is_one(tmp_path: Path) -> None:
    door = guard(tmp_path)
    assert door.lets_stay(door.admit(None))
    door.file.create("phone", READ)
    assert not door.lets_stay(ANONYMOUS)
    with pytest.raises(Unauthenticated, match="show a key"):
        door.admit(None)


@pytest.mark.parametrize(
    ("authorization", "rule"),
    [
        (None, "show a key"),
        ("Basic abc", "must be 'Bearer KEY', got scheme 'Basic'"),
        ("Bearer", "unknown"),
        ("Bearer kindred_00000000_secret", "unknown"),
    ],
)
def test_who_shows_no_good_key_is_refused(
    tmp_path: Path, authorization: str | None, rule: str
) -> None:
    door = guard(tmp_path)
    door.file.create("phone", READ)
    with pytest.raises(Unauthenticated, match=rule):
        door.admit(authorization)


def test_a_key_asks_as_often_as_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    door = guard(tmp_path)
    _, shown = door.file.create("phone", READ, (), 6)
    for _ in range(6):
        door.admit(f"Bearer {shown}")
    with pytest.raises(RateLimited, match="6 requests a minute") as refused:
        door.admit(f"Bearer {shown}")
    assert refused.value.retry_after == 10
    now = 10.0
    door.admit(f"Bearer {shown}")
    with pytest.raises(RateLimited):
        door.admit(f"Bearer {shown}")


def test_nobody_listens_to_strangers_unless_there_are_keys_or_it_is_told(tmp_path: Path) -> None:
    for options in ({}, {"host": "::1"}, {"host": "0.0.0.0", "allow_anonymous": True}):
        guard(tmp_path, **options).require_safe()
    door = guard(tmp_path, host="0.0.0.0")
    with pytest.raises(SettingsError, match=r"host 0\.0\.0\.0 is not loopback.* keys create"):
        door.require_safe()
    door.file.create("phone", READ)
    door.require_safe()


@pytest.mark.parametrize(
    ("scopes", "allowed"),
    [
        ([Scope.READ], {Scope.READ}),
        ([Scope.WRITE], {Scope.WRITE}),
        ([Scope.ADMIN], {Scope.READ, Scope.WRITE, Scope.ADMIN}),
    ],
)
def test_a_scope_allows_what_it_says(scopes: Sequence[Scope], allowed: set[Scope]) -> None:
    caller = Caller("phone", frozenset(scopes))
    assert {scope for scope in Scope if caller.may(scope)} == allowed
    for scope in set(Scope) - allowed:
        with pytest.raises(PermissionDenied, match=f"takes the scope {scope}; phone has"):
            caller.require(scope)


def test_a_caller_sees_only_its_collections() -> None:
    caller = Caller("phone", frozenset(Scope), frozenset({"photos"}))
    caller.require_sight("photos")
    with pytest.raises(PermissionDenied, match="only the collections photos, not 'sounds'"):
        caller.require_sight("sounds")
    with pytest.raises(PermissionDenied, match="more than one"):
        caller.require_sight(None)
    OWNER.require_sight(None)
