"""Connections that get nowhere: how long they may, by how many bytes, and who gives way."""

import asyncio
import resource
from typing import Any, ClassVar

from service.errors import PayloadTooLarge
from service.rest.failures import failure
from service.settings import Settings

SPARE_FILES = 1_000
"""Open files that are left for other things than connections, or a quarter of all."""


class _Waiting:
    """Mixed into a connection of uvicorn's: it waits for so long, and only while there is room.

    uvicorn ends a connection that is idle between requests, but would wait for ever for the rest of
    a request line or header once a byte of it has come; and beyond `most` connections it answers
    503, so that many who ask for nothing would lock out whoever does. The one that has waited
    longest goes first: an honest client's is young, or needed no longer. Nor does uvicorn end one
    whose client takes nothing of its answer.
    """

    settings: Settings
    most: int
    """From so many connections on one has to give way."""
    waiting: ClassVar[dict[Any, None]]
    """Those that wait, the longest first: of one server."""

    _due: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)  # type: ignore[misc]  # of what it is mixed with
        state: Any = self
        if len(state.connections) >= self.most:
            self._make_room()
        self.waiting[self] = None
        self._expect(transport)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)  # type: ignore[misc]
        state: Any = self
        if state.cycle is not None and not state.cycle.response_complete:
            self.waiting.pop(self, None)
            self._expect_no_more()
        elif self._due is None:
            self._expect(state.transport)

    def on_response_complete(self) -> None:
        super().on_response_complete()  # type: ignore[misc]
        state: Any = self
        if state.cycle.response_complete:  # and so are those that were sent at once with it
            self.waiting[self] = None

    def pause_writing(self) -> None:
        super().pause_writing()  # type: ignore[misc]
        state: Any = self
        self._unread = state.loop.call_later(self.settings.body_seconds, state.transport.abort)

    def resume_writing(self) -> None:
        self._read()
        super().resume_writing()  # type: ignore[misc]

    def connection_lost(self, exc: Exception | None) -> None:
        self.waiting.pop(self, None)
        self._expect_no_more()
        self._read()
        super().connection_lost(exc)  # type: ignore[misc]

    def _make_room(self) -> None:
        for longest in self.waiting:
            del self.waiting[longest]
            longest.connections.discard(longest)  # it is told so only after this request came
            longest.transport.abort()
            return

    def _expect(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        self._due = loop.call_later(self.settings.header_seconds, transport.abort)

    def _expect_no_more(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _read(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None


class _Bounded:
    """Mixed into a connection of uvicorn's with httptools, which keeps headers of any length.

    What came since the last piece of a body, or the end of a request, is no body. Most of the time
    that is the rest of one read, and nothing else is looked at. And it begins every request that
    came in a read, though it answers one after the other: thousands, of some kilobytes each.
    """

    settings: Settings

    _loose = 0
    """Bytes of no body so far; those of a body behind them in the same read are among them."""

    _is_crowded = False

    def data_received(self, data: bytes) -> None:
        self._loose += len(data)
        super().data_received(data)  # type: ignore[misc]  # of what it is mixed with
        state: Any = self
        if self._is_long and not state.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        state: Any = self
        if self._is_long:
            size = len(state.url) + sum(len(name) + len(said) for name, said in state.headers)
            if size > self.settings.max_header_bytes:
                raise ValueError("too long")  # which the parser takes for a damaged request
        self._loose = 0
        self._is_crowded = len(state.pipeline) >= self.settings.max_pipelined
        if self._is_crowded:
            raise ValueError("too many")
        super().on_headers_complete()  # type: ignore[misc]

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)  # type: ignore[misc]

    def on_message_complete(self) -> None:
        self._loose = 0
        super().on_message_complete()  # type: ignore[misc]

    def send_400_response(self, msg: str) -> None:
        if self._is_long or self._is_crowded:
            self._refuse()
        else:
            super().send_400_response(msg)  # type: ignore[misc]

    @property
    def _is_long(self) -> bool:
        return self._loose > self.settings.max_header_bytes

    def _refuse(self) -> None:
        state: Any = self
        transport: asyncio.Transport = state.transport
        if state.cycle is not None and not state.cycle.response_complete:
            transport.abort()  # an answer to what came before is on its way
            return
        most = self.settings.max_header_bytes
        answer = failure(
            PayloadTooLarge(f"a request's line and headers may have at most {most} bytes, got more")
        )
        told = [name + b": " + said for name, said in answer.raw_headers]
        head = [b"HTTP/1.1 %d Content Too Large" % answer.status_code, b"connection: close", *told]
        transport.write(b"\r\n".join([*head, b"", bytes(answer.body)]))
        transport.close()


def _most(settings: Settings) -> int:
    """Returns how many connections there may be: of the files, gRPC may take a quarter."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return settings.max_connections
    taken = min(files // 4, settings.max_connections) + min(files // 4, SPARE_FILES)
    return max(1, min(settings.max_connections, files - taken))


def patient(protocol: type[asyncio.Protocol], settings: Settings) -> type[asyncio.Protocol]:
    """Returns uvicorn's protocol of a connection, with an end to waiting and to headers.

    Args:
        protocol: The protocol of httptools.
        settings: How long headers may be, and may take, from the connection or the first byte of a
            later request; how long a client may take nothing of an answer; how many there may be.
    """
    told = {"settings": settings, "waiting": {}, "most": _most(settings)}
    return type("Patient", (_Waiting, _Bounded, protocol), told)
