"""How clients speak: HTTP by hand, over connections that are kept, and gRPC without its stubs.

A client library would take more processor time than some answers do, and on the server's
processors.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import grpc
import orjson
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

EMBED = "/kindred.v1.EmbeddingService/Embed"

_DETAILS = "grpc-status-details-bin"


class Answer(NamedTuple):
    """An answer: its body, and the reason of its error or "" for none."""

    body: bytes
    reason: str = ""


class Connection:
    """One connection to the server over HTTP.

    Args:
        url: Of the server, http://HOST:PORT.
        path: Where requests go.
        headers: Sent with each.
    """

    def __init__(self, url: str, path: str, headers: Mapping[str, str]) -> None:
        self._host = url.removeprefix("http://")
        extra = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {self._host}\r\n"
            f"content-type: application/json\r\n{extra}content-length: "
        )
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def close(self) -> None:
        """Closes it."""
        if self._streams:
            self._streams[1].close()
            await self._streams[1].wait_closed()

    async def ask(self, body: bytes) -> Answer:
        """Sends a request and returns its answer."""
        if self._streams is None or self._streams[0].at_eof():  # closed for being idle
            host, _, port = self._host.partition(":")
            self._streams = await asyncio.open_connection(host, int(port))
        reader, writer = self._streams
        writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        found, status = await reader.readexactly(length), head[9:12].decode()
        return Answer(found, "" if status == "200" else _reason(found, status))


class Channel:
    """One connection to the server over gRPC, which is asked to embed.

    Args:
        url: Of the server, grpc://HOST:PORT.
        headers: Sent with each request.
    """

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        # Otherwise channels of one process to one address are one connection.
        own = [("grpc.use_local_subchannel_pool", 1)]
        self._channel = grpc.aio.insecure_channel(url.removeprefix("grpc://"), options=own)
        self._call = self._channel.unary_unary(EMBED)
        self._metadata = tuple(headers.items())

    async def close(self) -> None:
        """Closes it."""
        await self._channel.close()

    async def ask(self, body: bytes) -> Answer:
        """Sends a request and returns its answer."""
        try:
            return Answer(await self._call(body, metadata=self._metadata))
        except grpc.aio.AioRpcError as error:
            return Answer(b"", _rpc_reason(error))


def connected(url: str, path: str, headers: Mapping[str, str]) -> Connection | Channel:
    """Returns a connection that is made when it is first needed."""
    return Channel(url, headers) if url.startswith("grpc://") else Connection(url, path, headers)


def _reason(body: bytes, status: str) -> str:
    """Returns the reason that an error names, or its status, where a server names none."""
    try:
        return str(orjson.loads(body)["error"]["reason"])
    except (ValueError, LookupError, TypeError):
        return status


def _rpc_reason(error: grpc.aio.AioRpcError) -> str:
    trailers = dict(error.trailing_metadata())
    info = ErrorInfo()
    for detail in Status.FromString(trailers.get(_DETAILS, b"")).details:
        if detail.Unpack(info):
            return str(info.reason)
    return str(error.code().name)
