"""The heap of this process: glibc keeps what is freed, so after large work it is given back."""

import ctypes
import sys

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
"""There is none in other C libraries, musl's among them."""


def give_back() -> None:
    """Returns freed memory to the system; a few milliseconds, during which others may allocate."""
    if _trim is not None:
        _trim(0)
