"""Messages of which the end does not come: how long, how many at a time, and nobody else waits."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest

from kindred.v1 import model_service_pb2 as models_pb
from kindred.v1 import model_service_pb2_grpc as models_grpc
from service.access.caller import Scope
from service.engine import Engine
from service.errors import DeadlineExceeded, Overloaded
from service.rpc.arrivals import Arrivals
from service.rpc.server import WINDOW_BYTES, create_server
from tests.fakes import FakeEmbedder
from tests.service.half_messages import Halves
from tests.service.rpc_server import settings_in

pytestmark = pytest.mark.anyio

EMBED = "/kindred.v1.EmbeddingService/Embed"
HEALTH = "/grpc.health.v1.Health/Check"
MIB = 1024 * 1024


@asynccontextmanager
async def listening(engine: Engine) -> AsyncIterator[str]:
    """Serves an engine over gRPC; yields the address."""
    async with engine:
        server, port = create_server(engine, engine.settings)
        await server.start()
        try:
            yield f"localhost:{port}"
        finally:
            await server.stop(None)


def engine_of(folder: Path, **bounds: float) -> Engine:
    return Engine(settings_in(folder).model_copy(update=bounds), [FakeEmbedder()])


async def listed(address: str) -> int:
    """Asks as an honest client does, and returns how many models there are."""
    async with grpc.aio.insecure_channel(address) as channel:
        stub = models_grpc.ModelServiceStub(channel)
        return len((await stub.ListModels(models_pb.ListModelsRequest())).models)


async def test_what_comes_in_time_is_returned_and_leaves_nothing() -> None:
    arrivals = Arrivals(places=0, seconds=0.1)

    async def read(number: int) -> int:
        await asyncio.sleep(0)
        return number

    for number in range(3):
        assert await arrivals.message(lambda number=number: read(number)) == number  # type: ignore[misc]


async def test_what_comes_too_late_is_waited_for_no_longer() -> None:
    never = asyncio.Event()
    with pytest.raises(DeadlineExceeded, match=r"within 0\.05 s"):
        await Arrivals(places=9, seconds=0.05).message(never.wait)


async def test_so_many_may_be_slow_and_a_place_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.rpc.arrivals.QUICK_SECONDS", 0.02)
    arrivals, end = Arrivals(places=2, seconds=30), asyncio.Event()
    first = [asyncio.create_task(arrivals.message(end.wait)) for _ in range(2)]
    await asyncio.sleep(0)  # they begin before the others
    for _ in range(2):
        with pytest.raises(Overloaded, match="2 messages at a time") as refusal:
            await arrivals.message(asyncio.Event().wait)
        assert refusal.value.retry_after > 0
    assert not any(task.done() for task in first)
    end.set()
    assert await asyncio.gather(*first) == [True, True]
    again = asyncio.create_task(arrivals.message(asyncio.Event().wait))
    with pytest.raises(Overloaded):
        await asyncio.gather(*(arrivals.message(asyncio.Event().wait) for _ in range(2)))
    again.cancel()


async def test_an_error_of_the_reading_itself_is_what_is_raised() -> None:
    async def broken() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await Arrivals(places=1, seconds=1).message(broken)


async def test_what_was_gathered_in_vain_is_given_back_to_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.rpc.arrivals.GIVE_BACK_SECONDS", 0)
    loop, given = asyncio.get_running_loop(), asyncio.Event()
    monkeypatch.setattr(
        "service.rpc.arrivals.give_back", lambda: loop.call_soon_threadsafe(given.set)
    )
    arrivals = Arrivals(places=1, seconds=0.05)
    await arrivals.message(lambda: asyncio.sleep(0))
    for _ in range(2):
        assert not given.is_set()
        with pytest.raises(DeadlineExceeded):
            await arrivals.message(asyncio.Event().wait)
        await given.wait()
        given.clear()


async def test_half_a_message_is_refused_in_the_end_and_the_connection_goes_on(
    tmp_path: Path,
) -> None:
    async with (
        listening(engine_of(tmp_path, body_seconds=0.2)) as address,
        Halves.to(address) as halves,
    ):
        for method in (EMBED, EMBED, "/kindred.v1.EmbeddingService/EmbedStream"):
            call = halves.begin(method, 3 * MIB)
            await halves.fill(call, MIB)
            told = await halves.end(call)
            assert b"a message must be sent within 0.2 s" in told


async def test_halves_take_places_and_honest_calls_beside_them_are_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.rpc.arrivals.QUICK_SECONDS", 0.1)
    bounds = {"max_body_bytes": MIB, "max_pending_bytes": 3 * MIB}
    engine = engine_of(tmp_path, **bounds)
    left = 'method="/kindred.v1.EmbeddingService/Embed",status="CANCELLED",transport="grpc"} 3.0'
    async with listening(engine) as address:
        async with Halves.to(address) as halves:
            calls = [halves.begin(EMBED, MIB) for _ in range(5)]
            await asyncio.gather(*(halves.fill(call, MIB // 2) for call in calls))
            while len(halves.ended) < 2:
                assert await listed(address) == 1
            assert await listed(address) == 1
            assert len(halves.ended) == 2
            for told in halves.ended.values():
                assert b"3 messages at a time may take longer than 0.1 s" in told
        while left not in engine.telemetry.exposition().decode():
            await asyncio.sleep(0.01)
        async with Halves.to(address) as others:  # the places of who left are free again
            calls = [others.begin(EMBED, MIB) for _ in range(4)]
            while not others.ended:
                assert await listed(address) == 1
            assert len(others.ended) == 1


async def test_who_shows_no_key_is_refused_before_the_message_is_read(tmp_path: Path) -> None:
    engine = engine_of(tmp_path)
    _, shown = engine.guard.file.create("tests", (Scope.READ,))
    async with listening(engine) as address, Halves.to(address) as halves:
        call = halves.begin(EMBED, 100 * MIB)
        assert b"show a key" in await halves.end(call)
        stub = "/kindred.v1.SnapshotService/UploadSnapshot"
        assert b"show a key" in await halves.end(halves.begin(stub, 100 * MIB))
        good = halves.begin(EMBED, 100 * MIB, authorization=f"Bearer {shown}")
        await halves.fill(good, 2 * WINDOW_BYTES)  # more than comes before anybody reads
        assert good not in halves.ended


async def test_health_takes_no_key_and_so_waits_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.rpc.edge.STRANGER_SECONDS", 0.1)
    async with listening(engine_of(tmp_path)) as address, Halves.to(address) as halves:
        half = halves.begin(HEALTH, MIB)
        assert b"a message must be sent within 0.1 s" in await halves.end(half)
        large = halves.begin(HEALTH, 70_000)
        await halves.fill(large, 70_000)
        assert b"at most 65536 bytes, got 70000" in await halves.end(large)
