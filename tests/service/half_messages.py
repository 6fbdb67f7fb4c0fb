"""A client of gRPC that does things by halves, in frames of HTTP/2 (RFC 9113).

It begins messages and does not end them, or asks and does not take the answers.
"""

import asyncio
import contextlib
import itertools
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Self

DATA, HEADERS, RESET, SETTINGS, PING, WINDOW = 0, 1, 3, 4, 6, 8
ACK = END_STREAM = 1
END_HEADERS = 4
FRAME_BYTES = 16_384
FIRST_WINDOW = 65_535
INITIAL_WINDOW = 4
"""The setting that says how much a stream takes before it asks for more."""

_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


class Halves:
    """One connection, on which calls are begun."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._initial = FIRST_WINDOW
        self._room = defaultdict[int, int](lambda: self._initial, {0: FIRST_WINDOW})
        self._numbers = itertools.count(1, 2)
        self._moved = asyncio.Condition()
        self.ended: dict[int, bytes] = {}
        """Of each call that is over, the headers that told it, as they came."""
        self.sent = 0
        """Bytes of messages, of all calls."""
        writer.write(_PREFACE)

    @classmethod
    @asynccontextmanager
    async def to(cls, address: str, *, takes: int = FIRST_WINDOW) -> AsyncIterator[Self]:
        """Yields a connection to HOST:PORT, which takes so many bytes of each answer."""
        host, _, port = address.rpartition(":")
        made = cls(*await asyncio.open_connection(host, int(port)))
        setting = INITIAL_WINDOW.to_bytes(2, "big") + takes.to_bytes(4, "big")
        made._writer.write(_frame(SETTINGS, 0, 0, setting))
        reading = asyncio.create_task(made._listen())
        try:
            yield made
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reading
            made._writer.transport.abort()

    def begin(self, method: str, size: int, *, is_packed: bool = False, **metadata: str) -> int:
        """Begins a call with a message that says it has so many bytes; returns its number."""
        number = next(self._numbers)
        fields = {":method": "POST", ":scheme": "http", ":path": method, ":authority": "localhost"}
        fields |= {"te": "trailers", "content-type": "application/grpc", **metadata}
        fields |= {"grpc-encoding": "gzip"} if is_packed else {}
        self._writer.write(_frame(HEADERS, END_HEADERS, number, _literal(fields)))
        self._put(number, bytes((is_packed,)) + size.to_bytes(4, "big"))
        return number

    async def fill(self, number: int, size: int) -> None:
        """Sends so many bytes of the message, all of them 0."""
        await self.send(number, bytes(size))

    async def send(self, number: int, data: bytes) -> None:
        """Sends some of the message, as the windows let it through, unless the call ends."""
        left = memoryview(data)
        while left and number not in self.ended:
            size = min(len(left), self._room[0], self._room[number], FRAME_BYTES)
            if size:
                self._put(number, bytes(left[:size]))
                left = left[size:]
                await self._writer.drain()
            else:
                async with self._moved:
                    await self._moved.wait()

    async def end(self, number: int) -> bytes:
        """Waits until a call is over, and returns the headers that told it."""
        async with self._moved:
            await self._moved.wait_for(lambda: number in self.ended)
        return self.ended[number]

    def _put(self, number: int, data: bytes) -> None:
        self._writer.write(_frame(DATA, 0, number, data))
        self.sent += len(data)
        self._room[0] -= len(data)
        self._room[number] -= len(data)

    async def _listen(self) -> None:
        told = defaultdict[int, bytes](bytes)
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await self._reader.readexactly(9)
                data = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, number = head[3], head[4], int.from_bytes(head[5:], "big")
                self._answer(kind, flags, number, data)
                if kind == HEADERS:
                    told[number] += data
                if kind == RESET or (kind in (DATA, HEADERS) and flags & END_STREAM):
                    await self._end((number,), told)
                async with self._moved:
                    self._moved.notify_all()
        await self._end(self._room.keys() - {0}, told)

    async def _end(self, numbers: Iterable[int], told: Mapping[int, bytes]) -> None:
        async with self._moved:
            for number in numbers:
                self.ended.setdefault(number, told.get(number, b""))
            self._moved.notify_all()

    def _answer(self, kind: int, flags: int, number: int, data: bytes) -> None:
        if kind == WINDOW:
            self._room[number] += int.from_bytes(data, "big")
        if kind in (SETTINGS, PING) and not flags & ACK:
            self._writer.write(_frame(kind, ACK, 0, data if kind == PING else b""))
        if kind == SETTINGS:
            for start in range(0, len(data), 6):
                if int.from_bytes(data[start : start + 2], "big") == INITIAL_WINDOW:
                    self._widen(int.from_bytes(data[start + 2 : start + 6], "big"))

    def _widen(self, initial: int) -> None:
        """Applies another first window, to the calls that there are as well (section 6.9.2)."""
        for number in self._room.keys() - {0}:
            self._room[number] += initial - self._initial
        self._initial = initial


def _frame(kind: int, flags: int, number: int, data: bytes) -> bytes:
    head = len(data).to_bytes(3, "big") + bytes((kind, flags)) + number.to_bytes(4, "big")
    return head + data


def _literal(fields: Mapping[str, str]) -> bytes:
    """Returns header fields as literals without indexing (RFC 7541, section 6.2.2)."""
    return b"".join(b"\0" + _sized(name) + _sized(value) for name, value in fields.items())


def _sized(text: str) -> bytes:
    return bytes((len(text),)) + text.encode()
