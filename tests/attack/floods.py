"""Headers, metadata and frames of HTTP/2 without end, and what the server keeps of them."""

import itertools
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import grpc

from kindred.v1 import content_pb2, embedding_service_pb2, embedding_service_pb2_grpc
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

MIB = 1024 * 1024
FLOOD_BYTES = 100 * MIB
FLOOD_SECONDS = 3.0
MOST_MEMORY = 150
"""MiB by which the server may grow, at any moment of any flood."""

HEADERS: Mapping[str, Callable[[], Iterator[bytes]]] = {
    "one header again and again": lambda: itertools.repeat(b"X-Header: value\r\n" * 4096),
    "headers of many names": lambda: (
        b"".join(b"X-%d-%d: value\r\n" % (page, n) for n in range(4096))
        for page in itertools.count()
    ),
    "a value without end": lambda: itertools.chain([b"X: "], itertools.repeat(b"a" * 65536)),
    "a name without end": lambda: itertools.repeat(b"a" * 65536),
}

METADATA: Mapping[str, list[tuple[str, str | bytes]]] = {
    "a value of a megabyte": [("x", "a" * 1_000_000)],
    "a value of 20 kB": [("x", "a" * 20_000)],
    "a key of 100 kB": [("authorization", "Bearer " + "k" * 100_000)],
    "ten thousand names": [(f"x{n}", "a") for n in range(10_000)],
    "one name a thousand times": [("x", "y")] * 1_000,
    "bytes": [("x-bin", bytes(range(256)) * 30)],
    "a priority of 4 kB": [("x-kindred-priority", "b" * 4_000)],
    "two keys": [("authorization", "Bearer a"), ("authorization", "Bearer b")],
}

HELLO = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS_FRAME, PRIORITY, RESET, SETTINGS, PING, WINDOW, CONTINUATION = 1, 2, 3, 4, 6, 8, 9


def attack(seconds: float) -> Outcome:
    """Sends each flood for a few seconds or megabytes; `seconds` is not used."""
    outcome = Outcome()
    with victim() as server:
        for name, pieces in HEADERS.items():
            head = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n"
            _flood(server, outcome, f"REST, {name}", server.http, itertools.chain([head], pieces()))
        for name, frames in _frames().items():
            begun = itertools.chain([HELLO + _frame(SETTINGS, 0, 0, b"")], frames)
            _flood(server, outcome, f"HTTP/2, {name}", server.grpc, begun)
        for metadata in METADATA.values():
            outcome.note(_told(server, metadata))
        outcome.expect(not server.illness(), server.illness())
    return outcome


def _flood(
    server: Victim, outcome: Outcome, name: str, address: str, pieces: Iterator[bytes]
) -> None:
    """Sends pieces until it is cut, or for so many bytes or seconds; then asks as others do."""
    host, _, port = address.rpartition("/")[2].partition(":")
    before, most, sent, until = server.memory, 0, 0, time.monotonic() + FLOOD_SECONDS
    with (
        socket.create_connection((host, int(port)), timeout=FLOOD_SECONDS) as connection,
        suppress(OSError),
    ):
        for piece in pieces:
            connection.sendall(piece)
            sent += len(piece)
            most = max(most, server.memory - before)
            if sent > FLOOD_BYTES or time.monotonic() > until:
                break
    most = max(most, server.memory - before)
    outcome.note("floods")
    outcome.note("MiB taken", sent // MIB)
    outcome.expect(most < MOST_MEMORY, f"{name}: {most} MiB more for {sent // MIB} MiB")
    outcome.expect(_told(server, []) == "metadata answers", f"{name}: an honest call failed")


def _told(server: Victim, metadata: list[tuple[str, str | bytes]]) -> str:
    """Returns what a call is told that shows such metadata."""
    options = [("grpc.max_metadata_size", FLOOD_BYTES)]
    asked = embedding_service_pb2.EmbedRequest(contents=[content_pb2.Content(text="words")])
    with grpc.insecure_channel(server.grpc, options=options) as channel:
        stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)
        try:
            stub.Embed(asked, metadata=metadata, timeout=30)
        except grpc.RpcError as error:
            return f"metadata {error.code().name}"
        return "metadata answers"


def _frames() -> Mapping[str, Iterator[bytes]]:
    """Returns what begins a connection of HTTP/2 and never becomes a call, by name."""
    parts = (b":method", b"POST"), (b":scheme", b"http"), (b":path", b"/x"), (b":authority", b"x")
    head = b"".join(_literal(*part) for part in parts)
    long, many = _literal(b"x", b"v" * 16_000), b"".join([_literal(b"x", b"v")] * 1_500)
    more = b"".join(_frame(CONTINUATION, 0, 1, block) for block in (long, many))

    def opened_and_reset() -> Iterator[bytes]:
        for stream in itertools.count(1, 2):
            yield _frame(HEADERS_FRAME, 4, stream, head) + _frame(RESET, 0, stream, b"\0\0\0\x08")

    started = _frame(HEADERS_FRAME, 0, 1, head)
    return {
        "headers that go on": itertools.chain([started], itertools.repeat(more)),
        "calls that are reset": (b"".join(some) for some in _by(500, opened_and_reset())),
        "pings": itertools.repeat(_frame(PING, 0, 0, b"12345678") * 1_000),
        "settings": itertools.repeat(_frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x64") * 1_000),
        "priorities": itertools.repeat(_frame(PRIORITY, 0, 1, b"\0\0\0\0\x10") * 1_000),
        "windows": itertools.repeat(_frame(WINDOW, 0, 0, b"\0\0\0\1") * 1_000),
        "frames of no kind": itertools.repeat(_frame(77, 0, 0, b"x" * 16_000)),
    }


def _by(count: int, pieces: Iterator[bytes]) -> Iterator[list[bytes]]:
    while some := list(itertools.islice(pieces, count)):
        yield some


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """Returns a frame of HTTP/2 (RFC 9113, 4.1)."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big")
    return head + payload


def _literal(name: bytes, value: bytes) -> bytes:
    """Returns a header that no table keeps (RFC 7541, 6.2.2)."""
    return b"\0" + _length(name) + name + _length(value) + value


def _length(text: bytes) -> bytes:
    """Returns its length, of which the first 7 bits are a byte's (RFC 7541, 5.1)."""
    size = len(text)
    if size < 127:
        return bytes([size])
    size, written = size - 127, b"\x7f"
    while size >= 128:
        size, written = size >> 7, written + bytes([size & 127 | 128])
    return written + bytes([size])
