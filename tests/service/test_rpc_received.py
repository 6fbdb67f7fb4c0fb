"""What is no message, and uploads that are refused while they are sent: the client learns why."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest

from kindred.v1 import embedding_service_pb2 as embeddings_pb
from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import snapshot_service_pb2_grpc as snapshots_grpc
from service.access.caller import Scope
from service.engine import Engine
from service.errors import TooManyItems
from service.rpc.received import forgiving, has_more_fields
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.service.rpc_server import Channel, engine_in, serving, text
from tests.service.test_rpc_fuzz import METHODS, called, reason_of

pytestmark = pytest.mark.anyio

NOISE = b"\xff\xff\xff"


@pytest.fixture
async def channel(tmp_path: Path) -> AsyncIterator[Channel]:
    async with serving(engine_in(tmp_path)) as channel:
        yield channel


async def test_bytes_that_are_no_message_are_the_clients_mistake(
    channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        reasons = {
            method.name: await reason_of(called(channel, method, [NOISE])) for method in METHODS
        }
    assert set(reasons.values()) == {"INVALID_ARGUMENT"}, reasons
    assert caplog.records == []


async def test_what_a_stream_sent_before_it_broke_is_answered(channel: Channel) -> None:
    good = embeddings_pb.EmbedStreamRequest(content=text("word")).SerializeToString()
    read = embeddings_pb.EmbedStreamResponse.FromString
    stream = channel.stream_stream(
        "/kindred.v1.EmbeddingService/EmbedStream", response_deserializer=read
    )(iter([good, good, NOISE, good]))
    assert [(await stream.read()).result.index for _ in range(2)] == [0, 1]
    with pytest.raises(grpc.aio.AioRpcError, match="must be a message"):
        await stream.read()


async def test_a_call_without_its_message_is_the_clients_mistake(
    channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        for method in ("kindred.v1.EmbeddingService/Embed", "kindred.v1.JobService/WatchJob"):
            call = channel.stream_unary(f"/{method}")(iter(()))
            assert await reason_of(call) == "INVALID_ARGUMENT"
    assert caplog.records == []


async def test_calls_that_are_called_off_as_they_begin_are_no_failures(
    channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """Of such a call gRPC says that its message does not come."""
    call = channel.unary_unary("/kindred.v1.EmbeddingService/Embed")
    large = embeddings_pb.EmbedRequest(contents=[text("a" * 3_000_000)]).SerializeToString()
    with caplog.at_level(logging.ERROR):
        for turns in range(50):
            begun = call(large)
            for _ in range(turns):
                await asyncio.sleep(0)
            begun.cancel()
        assert await reason_of(call(b"")) == "INVALID_ARGUMENT"
    assert caplog.records == []


async def test_who_is_refused_before_all_is_sent_reads_why(tmp_path: Path) -> None:
    engine = engine_in(tmp_path)
    engine.guard.file.create("tests", (Scope.READ,))
    async with serving(engine) as channel:
        embed = channel.unary_unary("/kindred.v1.EmbeddingService/Embed")
        large = embeddings_pb.EmbedRequest(contents=[text("a" * 3_000_000)]).SerializeToString()
        reasons = await asyncio.gather(*(reason_of(embed(large)) for _ in range(50)))
    assert set(reasons) == {"UNAUTHENTICATED"}


async def test_a_client_that_is_refused_while_it_sends_reads_why(channel: Channel) -> None:
    """Without an end to the upload, one call in forty is INTERNAL in grpc.aio."""
    stub = snapshots_grpc.SnapshotServiceStub(channel)

    async def pieces() -> AsyncIterator[snapshots_pb.UploadSnapshotRequest]:
        for _ in range(100):
            yield snapshots_pb.UploadSnapshotRequest(name="no/name", data=b"piece")
            await asyncio.sleep(0)  # lets the refusal come in between

    async def some() -> set[str]:
        return {await reason_of(stub.UploadSnapshot(pieces())) for _ in range(10)}

    assert set().union(*await asyncio.gather(*(some() for _ in range(16)))) == {"INVALID_ARGUMENT"}


@pytest.mark.parametrize("pieces", [0, 1])
async def test_an_upload_that_stands_still_is_ended_and_leaves_nothing(
    tmp_path: Path, pieces: int
) -> None:
    options = {"data": tmp_path, "port": 0, "grpc_port": 0, "body_seconds": 0.2}
    settings = Settings.model_validate(options)
    async with serving(Engine(settings, [FakeEmbedder()])) as channel:
        stub = snapshots_grpc.SnapshotServiceStub(channel)
        call = stub.UploadSnapshot()
        for _ in range(pieces):
            await call.write(snapshots_pb.UploadSnapshotRequest(name="mine", data=b"piece"))
        assert await reason_of(call) == "DEADLINE_EXCEEDED"
        assert not [path for path in (tmp_path / ".snapshots").glob("*") if path.is_file()]


async def test_a_refused_upload_that_stands_still_is_told_why_it_was_refused(
    tmp_path: Path,
) -> None:
    options = {"data": tmp_path, "port": 0, "grpc_port": 0, "body_seconds": 0.2}
    settings = Settings.model_validate(options)
    async with serving(Engine(settings, [FakeEmbedder()])) as channel:
        call = snapshots_grpc.SnapshotServiceStub(channel).UploadSnapshot()
        await call.write(snapshots_pb.UploadSnapshotRequest(name="no/name", data=b"piece"))
        assert await reason_of(call) == "INVALID_ARGUMENT"


FIELDS = {
    "number": b"\x08\x96\x01",
    "fixed of 8": b"\x09" + bytes(8),
    "bytes": b"\x12\x03abc",
    "long bytes": b"\x12\xac\x02" + b"\x08" * 300,
    "nothing": b"\x12\x00",
    "group": b"\x1b\x1c",
    "fixed of 4": b"\x25" + bytes(4),
}
"""Fields as they are written (protobuf's encoding guide); a group has a beginning and an end."""


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_counted_without_reading_them(name: str) -> None:
    each = 2 if name == "group" else 1
    for count in (1, 2, 7):
        data = FIELDS[name] * count
        assert has_more_fields(data, each * count - 1)
        assert not has_more_fields(data, each * count)
        assert not has_more_fields(data[:-1], each * count)
    assert not has_more_fields(b"", 0)


@pytest.mark.parametrize(
    "noise", [b"\xff" * 1000, b"\x12\xff\xff\xff\xff\x0f", b"\x12", b"\x80" * 9]
)
def test_fields_of_noise_are_counted_to_an_end(noise: bytes) -> None:
    assert not has_more_fields(noise, 1000)


def test_a_message_of_very_many_fields_is_not_read() -> None:
    def never(_: bytes) -> None:
        raise AssertionError("it was read")

    read = forgiving(never, limit=1 << 30, items=256)
    found, size = read(b"\x12\x00" * 1_000_000)
    assert isinstance(found, TooManyItems)
    assert str(found) == "a request may hold at most 256 items, got 1256 or more"
    assert size == 0
