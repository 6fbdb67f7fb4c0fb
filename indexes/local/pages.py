"""Tokens of a listing's pages: the number of the last item that was shown."""

import base64

from indexes.errors import InvalidQuery


def token_after(seq: int) -> str:
    """Returns what asks for the items after this one."""
    return base64.urlsafe_b64encode(f"after:{seq}".encode()).decode()


def last_seen(token: str) -> int:
    """Returns the number of the last item that the giver of a token has seen; 0 for none.

    Raises:
        InvalidQuery: If no listing returned it.
    """
    if not token:
        return 0
    try:
        word, _, number = base64.urlsafe_b64decode(token).decode().partition(":")
        if word == "after":
            return int(number)
    except ValueError:  # binascii.Error and UnicodeDecodeError are of its kind
        pass
    raise InvalidQuery(f"page_token must be one that a listing returned, got {token[:80]!r}")
