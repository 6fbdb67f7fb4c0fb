"""Lets callers in: one at the door of both transports."""

import math
import time
from dataclasses import dataclass

from service.access.caller import ANONYMOUS, Caller
from service.access.keys import Key, KeyFile, parts_of
from service.errors import RateLimited, Unauthenticated
from service.settings import LOOPBACK, Settings, SettingsError

NO_GOOD = "this key is unknown, or was revoked"


@dataclass(slots=True)
class _Bucket:
    """Tokens of one key: a request takes one; a minute fills it."""

    tokens: float
    filled: float


class Guard:
    """Knows the keys of a server. Belongs to one event loop.

    Without keys everybody is let in, and a server without keys listens on loopback only. Once there
    is a key everybody has to show one, unless `allow_anonymous` says otherwise; should the file be
    lost while it is served, there is no key that is good.

    Args:
        settings: Where the keys are, and whether one must be shown.
    """

    def __init__(self, settings: Settings) -> None:
        self.file = KeyFile(settings.key_file)
        self._settings = settings
        self._buckets: dict[str, _Bucket] = {}

    def require_safe(self) -> None:
        """Makes sure that strangers can't reach a server that asks for no key.

        Raises:
            SettingsError: If it is to listen beyond loopback, and nobody has to show a key.
            KeysError: If the file of keys cannot be read or is not one.
        """
        settings, keys = self._settings, self.file.list()
        if settings.host in LOOPBACK or settings.allow_anonymous or keys:
            return
        raise SettingsError(
            f"host {settings.host} is not loopback, and nobody has to show a key: create one with "
            "`kindred keys create`, or set allow_anonymous to listen there all the same"
        )

    def admit(self, authorization: str | None) -> Caller:
        """Returns who asks.

        Args:
            authorization: "Bearer KEY", as the header or metadata of that name says; None without.

        Raises:
            Unauthenticated: If a key must be shown, and none is, or one that is not good.
            RateLimited: If the key has made as many requests as it may.
        """
        if authorization is None and self.is_open:
            return ANONYMOUS
        try:
            key = self._key(authorization)
        except Unauthenticated:
            if self.is_open:  # a client of OpenAI's shows a key of its own, wherever it asks
                return ANONYMOUS
            raise
        self._spend(key)
        return Caller(key.id, frozenset(key.scopes), frozenset(key.collections) or None)

    def lets_stay(self, who: Caller) -> bool:
        """Tells whether who was let in still would be; it is asked where an answer goes on."""
        return self.is_open if who == ANONYMOUS else self.file.find(who.id) is not None

    def require_stay(self, who: Caller) -> None:
        """Makes sure that who was let in still would be.

        Raises:
            Unauthenticated: If their key was revoked since, or they showed none and now must.
        """
        if not self.lets_stay(who):
            raise Unauthenticated(NO_GOOD)

    def _key(self, authorization: str | None) -> Key:
        """Returns the key that is shown.

        Raises:
            Unauthenticated: If none is, or one that is not good.
        """
        if authorization is None:
            raise Unauthenticated("show a key: Authorization: Bearer kindred_...")
        scheme, _, shown = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated(f"authorization must be 'Bearer KEY', got scheme {scheme[:20]!r}")
        key_id, secret = parts_of(shown.strip())
        key = self.file.find(key_id)
        if key is None or not key.opens(secret):
            raise Unauthenticated(NO_GOOD)
        return key

    @property
    def is_open(self) -> bool:
        """Whether a caller without a key is let in; no longer once there were keys, even lost."""
        return self._settings.allow_anonymous or not (self.file.list() or self.file.had_keys)

    def _spend(self, key: Key) -> None:
        """Takes a token: `per_minute` at once at most, and as many again within each minute."""
        if not key.per_minute:
            return
        now = time.monotonic()
        bucket = self._buckets.setdefault(key.id, _Bucket(key.per_minute, now))
        filled = bucket.tokens + (now - bucket.filled) * key.per_minute / 60
        bucket.tokens, bucket.filled = min(key.per_minute, filled), now
        if bucket.tokens < 1:
            wait = math.ceil((1 - bucket.tokens) * 60 / key.per_minute)
            raise RateLimited(
                f"key {key.id} may make {key.per_minute} requests a minute", retry_after=wait
            )
        bucket.tokens -= 1
