"""One process, two transports: sharing work, refusing work, and a clean end."""

import asyncio
import contextlib
import errno
import logging
import os
import re
import resource
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from unittest.mock import Mock

import grpc
import httpx
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from embedder.base import Prepared, Vectors
from indexes.errors import StorageError
from kindred import AsyncClient
from service.engine import Engine
from service.serve import Addresses, listening, serve, within_files
from service.settings import Settings
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.anyio


class Gated(FakeEmbedder):
    """Records its batches; holds its forward passes while the gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[int] = []
        self.gate = threading.Event()
        self.entered = threading.Event()

    def encode(self, batch: Sequence[Prepared]) -> Vectors:
        self.entered.set()
        self.gate.wait(30)  # or the end of a test that failed would wait for ever
        self.batches.append(len(batch))
        return super().encode(batch)


@pytest.fixture
def logs() -> Iterator[None]:
    """Puts back the log handlers that `serve` replaces."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def settings(folder: Path, **options: object) -> Settings:
    return Settings.model_validate({"data": folder, "port": 0, "grpc_port": 0, **options})


async def waits(client: httpx.AsyncClient, items: int) -> None:
    """Returns when so many items have been admitted."""
    while (
        f'kindred_queue_items{{model="fake"}} {items}.0' not in (await client.get("/metrics")).text
    ):
        await asyncio.sleep(0)


async def refused(address: str) -> None:
    """Returns when a server takes no more connections."""
    with contextlib.suppress(httpx.TransportError):
        while True:
            async with httpx.AsyncClient(base_url=address) as client:
                await client.get("/healthz")


async def test_32_clients_share_forward_passes_and_a_33rd_is_refused_at_once(
    tmp_path: Path,
) -> None:
    model = Gated()
    # The gate makes the first passes long, which must not make the others small.
    patient = settings(tmp_path, queue_size=33, max_items=1, pass_seconds=600.0)
    async with (
        Engine(patient, [model]) as engine,
        listening(engine) as addresses,
        httpx.AsyncClient(base_url=addresses.http) as client,
    ):
        requests = [
            asyncio.create_task(client.post("/v1/embeddings", json={"input": f"word{i}"}))
            for i in range(33)
        ]
        await waits(client, 33)
        refused = await client.post("/v1/embeddings", json={"input": "one more"})
        model.gate.set()
        answers = await asyncio.gather(*requests)
    assert [answer.status_code for answer in answers] == [200] * 33
    assert sum(model.batches) == 33
    assert len(model.batches) <= 4
    assert refused.status_code == 429
    assert refused.json()["error"]["reason"] == "OVERLOADED"
    assert int(refused.headers["retry-after"]) >= 1


async def test_what_has_begun_is_answered_after_sigterm(tmp_path: Path, logs: None) -> None:
    model = Gated()
    started = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(
        serve(settings(tmp_path), started.set_result, lambda told: Engine(told, [model]))
    )
    addresses: Addresses = await started
    async with (
        httpx.AsyncClient(base_url=addresses.http) as http,
        AsyncClient(addresses.http) as rest,
        AsyncClient(addresses.grpc) as rpc,
    ):
        asked = asyncio.gather(rest.embed("red"), rpc.embed("green"))
        await waits(http, 2)
        os.kill(os.getpid(), signal.SIGTERM)
        await refused(addresses.http)
        model.gate.set()
        for found, axis in zip(await asked, (0, 1), strict=True):
            assert np.argmax(found.vectors[0]) == axis
    await serving
    with pytest.raises(ConnectionError):
        await asyncio.open_connection(*addresses.http.removeprefix("http://").split(":"))


async def test_while_it_drains_it_is_not_ready_and_answers(tmp_path: Path, logs: None) -> None:
    started = asyncio.get_running_loop().create_future()
    draining = settings(tmp_path, drain_seconds=1.0)
    serving = asyncio.create_task(
        serve(draining, started.set_result, lambda told: Engine(told, [FakeEmbedder()]))
    )
    addresses: Addresses = await started
    async with (
        grpc.aio.insecure_channel(addresses.grpc) as channel,
        httpx.AsyncClient(base_url=addresses.http) as client,
    ):
        assert (await client.get("/readyz")).status_code == 200
        os.kill(os.getpid(), signal.SIGTERM)
        while (told := await client.get("/readyz")).status_code == 200:
            await asyncio.sleep(0)
        assert told.json() == {"ready": False, "failed": {"server": "it is about to stop"}}
        health = health_pb2_grpc.HealthStub(channel)
        status = (await health.Check(health_pb2.HealthCheckRequest())).status
        assert status == health_pb2.HealthCheckResponse.NOT_SERVING
        async with httpx.AsyncClient(base_url=addresses.http) as another:
            assert (await another.post("/v1/embeddings", json={"input": "red"})).status_code == 200
        assert (await client.get("/healthz")).status_code == 200
    await serving


async def test_both_transports_answer_in_one_process(addresses: Addresses) -> None:
    async with (
        grpc.aio.insecure_channel(addresses.grpc) as channel,
        httpx.AsyncClient(base_url=addresses.http) as client,
    ):
        health = health_pb2_grpc.HealthStub(channel)
        status = (await health.Check(health_pb2.HealthCheckRequest())).status
        assert status == health_pb2.HealthCheckResponse.SERVING
        assert (await client.get("/readyz")).json()["ready"]
        assert 'transport="rest"' in (await client.get("/metrics")).text


async def test_stages_are_told_apart_by_transport(addresses: Addresses) -> None:
    """Two searches over REST and one over gRPC, of words that no other request has asked for."""
    async with (
        AsyncClient(addresses.http) as rest,
        AsyncClient(addresses.grpc) as rpc,
        httpx.AsyncClient(base_url=addresses.http) as http,
    ):
        await rest.create_collection("stages")
        before = _stages((await http.get("/metrics")).text)
        for client, words in ((rest, "one"), (rest, "two"), (rpc, "three")):
            await client.search("stages", words)
        after = _stages((await http.get("/metrics")).text)
        await rest.delete_collection("stages")
    added = {key: count - before.get(key, 0.0) for key, count in after.items()}
    for stage in ("decode", "queue", "embed", "search"):
        assert (added[stage, "rest"], added[stage, "grpc"]) == (2, 1), stage


def _stages(metrics: str) -> dict[tuple[str, str], float]:
    """Returns how often each stage was measured, by stage and transport."""
    pattern = r'kindred_stage_seconds_count{stage="(\w+)",transport="(\w+)"} (\S+)'
    return {(stage, by): float(count) for stage, by, count in re.findall(pattern, metrics)}


async def test_a_port_that_is_taken_stops_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with Engine(settings(tmp_path, port=port), [FakeEmbedder()]) as engine:
            with pytest.raises(OSError, match="in use"):
                async with listening(engine):
                    pass


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1"])
async def test_a_host_that_is_not_of_this_machine_stops_the_start(
    tmp_path: Path, host: str
) -> None:
    async with Engine(settings(tmp_path, host=host), [FakeEmbedder()]) as engine:
        with pytest.raises(OSError, match=f"host must be an address of this machine, got '{host}'"):
            async with listening(engine):
                pass


async def test_an_ipv6_address_is_listened_on(tmp_path: Path) -> None:
    async with (
        Engine(settings(tmp_path, host="::1"), [FakeEmbedder()]) as engine,
        listening(engine) as addresses,
    ):
        for address in addresses:
            assert "[::1]:" in address
            async with AsyncClient(address) as client:
                assert [model.name for model in await client.models()] == ["fake"]


async def test_a_data_folder_that_cannot_be_used_is_named_with_its_setting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    monkeypatch.setattr(Path, "mkdir", Mock(side_effect=full))
    engine = Engine(settings(tmp_path / "new"), [FakeEmbedder()])
    rule = f"data: the folder {tmp_path}/new cannot be used: No space left on device"
    with pytest.raises(StorageError, match=re.escape(rule)):
        await engine.__aenter__()


@pytest.mark.parametrize(
    ("most", "asked", "given"),
    [(1024, 4096, 256), (1024, 100, 100), (1_048_576, 4096, 4096), (resource.RLIM_INFINITY, 9, 9)],
)
def test_grpc_takes_no_more_than_a_quarter_of_the_files(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    most: int,
    asked: int,
    given: int,
) -> None:
    monkeypatch.setattr("resource.getrlimit", lambda _: (most, most))
    fitted = within_files(settings(tmp_path, max_connections=asked))
    assert fitted.max_connections == given
    assert ("1024 open files" in caplog.text) is (given != asked)
