"""Files as answers: whole, or one range of their bytes."""

import re

from starlette.datastructures import Headers
from starlette.responses import FileResponse
from starlette.types import Receive, Scope, Send

from service.errors import RangeNotSatisfiable

ANY_BYTES = {"schema": {"type": "string", "format": "binary"}}
"""What the document says of a file."""

_ONE_RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")


class File(FileResponse):
    """A file, of which one range of bytes may be asked; what else `Range` says is passed by.

    So RFC 9110, 14.2, allows. Starlette answers what it can't read with words of its own.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or raises RangeNotSatisfiable."""
        headers = Headers(scope=scope)
        if not self._has_range(headers.get("range", "")):
            kept = [each for each in scope["headers"] if each[0] != b"range"]
            scope = {**scope, "headers": kept}
        await super().__call__(scope, receive, send)

    def _has_range(self, asked: str) -> bool:
        """Tells whether there is a range that can be read.

        Raises:
            RangeNotSatisfiable: If it can, and no byte of the file lies in it.
        """
        found = _ONE_RANGE.fullmatch(asked)
        if found is None or self.stat_result is None:
            return False
        first, last, tail = (int(part) if part else None for part in found.groups())
        if first is not None and last is not None and last < first:
            return False
        size = self.stat_result.st_size
        if tail == 0 or (first is not None and first >= size):
            raise RangeNotSatisfiable(f"of {size} bytes none lies in {asked}")
        return True
