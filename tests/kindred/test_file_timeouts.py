"""Files over gRPC take as long as they take, but no piece of them longer than the client waits."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest

from kindred import AsyncClient, Client, DeadlineExceeded, Snapshot
from kindred.v1 import snapshot_service_pb2 as pb
from kindred.v1 import snapshot_service_pb2_grpc as services

TIMEOUT, GAP, PIECES = 0.6, 0.12, 6
Gate = threading.Event


class Dawdling(services.SnapshotServiceServicer):
    """Sends and takes a piece now and then, and of those named `stuck` only the first."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def DownloadSnapshot(
        self, request: pb.DownloadSnapshotRequest, context: object
    ) -> Iterator[pb.DownloadSnapshotResponse]:
        for n in range(PIECES):
            self._gate.wait(GAP)
            yield pb.DownloadSnapshotResponse(data=b"%d" % n)
            if request.name == "stuck":
                self._gate.wait()

    def UploadSnapshot(
        self, requests: Iterator[pb.UploadSnapshotRequest], context: object
    ) -> pb.UploadSnapshotResponse:
        size = 0
        for request in requests:
            self._gate.wait(GAP)
            size += len(request.data)
            if request.name == "stuck":
                self._gate.wait()
        return pb.UploadSnapshotResponse(snapshot=pb.Snapshot(name="kept", bytes=size))


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    gate, server = Gate(), grpc.server(ThreadPoolExecutor(8))
    services.add_SnapshotServiceServicer_to_server(Dawdling(gate), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    yield f"localhost:{port}"
    gate.set()
    server.stop(None).wait()


def slow_pieces() -> Iterator[bytes]:
    for n in range(PIECES):
        time.sleep(GAP)
        yield b"%d" % n


Question = Callable[[str, str], object]


def download(address: str, name: str) -> bytes:
    with Client(address, timeout=TIMEOUT) as client:
        return b"".join(client.snapshot_pieces(name))


def download_awaited(address: str, name: str) -> bytes:
    async def ask() -> bytes:
        async with AsyncClient(address, timeout=TIMEOUT) as client:
            return b"".join([piece async for piece in client.snapshot_pieces(name)])

    return asyncio.run(ask())


def upload(address: str, name: str) -> Snapshot:
    with Client(address, timeout=TIMEOUT) as client:
        return client.upload_snapshot(slow_pieces(), name=name)


def upload_awaited(address: str, name: str) -> Snapshot:
    async def ask() -> Snapshot:
        async with AsyncClient(address, timeout=TIMEOUT) as client:
            return await client.upload_snapshot(slow_pieces(), name=name)

    return asyncio.run(ask())


@pytest.mark.parametrize("question", [download, download_awaited, upload, upload_awaited])
def test_a_file_that_moves_takes_as_long_as_it_takes(address: str, question: Question) -> None:
    began = time.monotonic()
    found = question(address, "slow")
    assert found == b"012345" or (isinstance(found, Snapshot) and found.bytes == PIECES)
    assert time.monotonic() - began > TIMEOUT


@pytest.mark.parametrize("question", [download, download_awaited, upload, upload_awaited])
def test_a_file_that_stands_still_is_a_deadline(address: str, question: Question) -> None:
    with pytest.raises(DeadlineExceeded, match=f"nothing was sent or received for {TIMEOUT} s"):
        question(address, "stuck")


def test_whoever_takes_their_time_with_a_piece_is_not_timed(address: str) -> None:
    with Client(address, timeout=TIMEOUT) as client:
        pieces = client.snapshot_pieces("slow")
        first = next(pieces)
        time.sleep(2 * TIMEOUT)
        assert first + b"".join(pieces) == b"012345"
