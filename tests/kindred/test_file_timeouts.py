"""Files over gRPC take as long as they take, but no piece of them longer than the client waits."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import product

import grpc
import pytest

from kindred import AsyncClient, Client, DeadlineExceeded, Snapshot
from kindred.v1 import snapshot_service_pb2 as pb
from kindred.v1 import snapshot_service_pb2_grpc as services

TIMEOUT, GAP, PIECES = 2.0, 0.11, 20
"""All pieces together take longer than a client waits for any of them."""

WHOLE = "".join(map(str, range(PIECES))).encode()
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
    gate, server = Gate(), grpc.server(ThreadPoolExecutor(16))
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


def dawdle(address: str, name: str) -> bytes:
    """Downloads as who takes longer with a piece than the client waits for one."""
    with Client(address, timeout=TIMEOUT) as client:
        pieces = client.snapshot_pieces(name)
        first = next(pieces)
        time.sleep(2 * TIMEOUT)
        return first + b"".join(pieces)


QUESTIONS: tuple[Question, ...] = (download, download_awaited, upload, upload_awaited)
Answers = Mapping[tuple[Question, str], Future[object]]


@pytest.fixture(scope="module")
def answers(address: str) -> Answers:
    """Returns what every question came to: they mostly wait, and so they do it together."""
    asked = [*product(QUESTIONS, ("slow", "stuck")), (dawdle, "slow")]
    with ThreadPoolExecutor(len(asked)) as pool:
        return {(ask, name): pool.submit(ask, address, name) for ask, name in asked}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_file_that_moves_takes_as_long_as_it_takes(answers: Answers, question: Question) -> None:
    assert PIECES * GAP > TIMEOUT
    found = answers[question, "slow"].result()
    assert found == WHOLE or (isinstance(found, Snapshot) and found.bytes == len(WHOLE))


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_file_that_stands_still_is_a_deadline(answers: Answers, question: Question) -> None:
    with pytest.raises(DeadlineExceeded, match=f"nothing was sent or received for {TIMEOUT} s"):
        answers[question, "stuck"].result()


def test_whoever_takes_their_time_with_a_piece_is_not_timed(answers: Answers) -> None:
    assert answers[dawdle, "slow"].result() == WHOLE
