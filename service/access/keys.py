"""Keys and the file that keeps them, without their secrets.

A key is `kindred_<id>_<secret>`. The secret has 256 random bits, so one SHA-256 keeps it as safe as
a slow hash keeps a password: there is nothing to guess. The file is written whole and moved into
place, and read again when it has changed: a revoked key stops working at once, without a restart.
"""

import fcntl
import hashlib
import hmac
import logging
import os
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from service.access.caller import Scope
from service.errors import InvalidRequest, KeysError

audit = logging.getLogger("kindred.audit")

PREFIX = "kindred"
ID_BYTES = 4
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key.

    Attributes:
        id: Names it, in logs and to revoke it; 8 hexadecimal digits.
        label: Whose it is, in words.
        digest: SHA-256 of the secret, as hexadecimal digits.
        scopes: What it may do.
        collections: The only collections it may touch; empty means every one.
        per_minute: How many requests it may make in a minute; 0 means any number.
        created: When, as ISO 8601.
        revoked: When, or empty while it is good.
    """

    id: str
    label: str
    digest: str
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...] = ()
    per_minute: int = 0
    created: str = ""
    revoked: str = ""

    def opens(self, secret: str) -> bool:
        """Tells whether a secret is this key's."""
        return hmac.compare_digest(self.digest, _digest(secret))


_FILE = TypeAdapter(dict[str, tuple[Key, ...]])


class KeyFile:
    """The keys of a server. May be shared by threads and by processes.

    What others have changed in it is written down in the audit log when it is noticed.

    Args:
        path: The file; there need not be one.

    Attributes:
        had_keys: Whether any was there since this process looks, even if the file is gone by now.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: tuple[int, ...] | None = None
        self._keys: dict[str, Key] = {}
        self.had_keys = False

    def list(self) -> tuple[Key, ...]:
        """Returns every key, the revoked too, in the order they were created.

        Raises:
            KeysError: If the file cannot be read or is not one of keys.
        """
        self._refresh()
        return tuple(self._keys.values())

    def find(self, key_id: str) -> Key | None:
        """Returns the key of an id that has not been revoked.

        Raises:
            KeysError: If the file cannot be read or is not one of keys.
        """
        self._refresh()
        found = self._keys.get(key_id)
        return found if found and not found.revoked else None

    def create(
        self,
        label: str,
        scopes: tuple[Scope, ...],
        collections: tuple[str, ...] = (),
        per_minute: int = 0,
    ) -> tuple[Key, str]:
        """Adds a key, and returns it with the text to show, which nobody can read again."""
        key_id, secret = secrets.token_hex(ID_BYTES), secrets.token_urlsafe(SECRET_BYTES)
        made = Key(key_id, label, _digest(secret), scopes, collections, per_minute, _now())
        with self._changing():
            self._keys[made.id] = made
        return made, f"{PREFIX}_{key_id}_{secret}"

    def revoke(self, key_id: str) -> Key:
        """Makes a key worthless, and keeps it in the list.

        Raises:
            InvalidRequest: If there is no such key.
        """
        with self._changing():
            if key_id not in self._keys:
                known = ", ".join(self._keys) or "there are none"
                raise InvalidRequest(f"no key has the id {key_id!r}; known: {known}")
            revoked = self._keys[key_id] = replace(self._keys[key_id], revoked=_now())
        return revoked

    def _refresh(self) -> None:
        try:
            found = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            self._take((), {})
            return
        except OSError as error:
            raise KeysError(f"cannot read the keys: {error}") from error
        seen = (found.st_ino, found.st_mtime_ns, found.st_size)
        if seen != self._seen:
            self._take(seen, {key.id: key for key in _read(self.path)})

    def _take(self, seen: tuple[int, ...], keys: dict[str, Key]) -> None:
        known, is_first = self._keys, self._seen is None
        self._seen, self._keys = seen, keys
        self.had_keys = self.had_keys or bool(keys)
        for key in () if is_first else {**known, **keys}.values():
            if known.get(key.id) != keys.get(key.id):
                what = _became(known.get(key.id), keys.get(key.id))
                facts = {"key": key.id, "scopes": key.scopes, "only": key.collections}
                audit.info("Keys.%s OK", what, extra={"facts": {"method": f"Keys.{what}", **facts}})

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Holds the file against other processes, and writes it in the end."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._seen = None
                self._refresh()
                yield
                _write(self.path, self._keys.values())
        except OSError as error:
            raise KeysError(f"cannot write the keys: {error}") from error


def parts_of(shown: str) -> tuple[str, str]:
    """Returns the id and the secret of a key as it is shown; both empty if it is none."""
    prefix, _, rest = shown.partition("_")
    key_id, _, secret = rest.partition("_")
    return (key_id, secret) if prefix == PREFIX and secret else ("", "")


def _became(before: Key | None, now: Key | None) -> str:
    """Returns what was done to a key that is another than before."""
    if now is None:
        return "lose"
    if before is None:
        return "create"
    return "revoke" if now.revoked and not before.revoked else "change"


def _read(path: Path) -> tuple[Key, ...]:
    try:
        return _FILE.validate_json(path.read_bytes())["keys"]
    except OSError as error:
        raise KeysError(f"cannot read the keys: {error}") from error
    except ValidationError as error:
        reason = error.errors(include_url=False, include_input=False)[0]["msg"]
        raise KeysError(f"{path} is not a file of keys: {reason}") from error
    except KeyError as error:
        raise KeysError(f"{path} is not a file of keys: there must be {error}") from error


def _write(path: Path, keys: Iterable[Key]) -> None:
    text = _FILE.dump_json({"keys": tuple(keys)}, indent=2)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)  # nobody else may read it
    with os.fdopen(number, "wb") as file:
        file.write(text)
        file.flush()
        os.fsync(number)
    Path(name).replace(path)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
