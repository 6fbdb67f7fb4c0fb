"""The load of the benchmark: what it sends is good or bad as it says, and counted so."""

import asyncio
import base64
import contextlib
import threading
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest

from benchmarks.serve import items, processes
from benchmarks.serve.arrivals import arrivals, waits
from benchmarks.serve.bounds import bounded
from benchmarks.serve.load import Clients, Load, summary
from benchmarks.serve.poison import Mix, Sent
from benchmarks.serve.watch import Watch
from benchmarks.serve.wires import Answer, Connection
from embedder.base import Embedder, Prepared
from embedder.decode import decode
from embedder.media import Image, Media, Text
from kindred.v1.content_pb2 import Content
from kindred.v1.embedding_service_pb2 import EmbedRequest
from service.engine import Engine
from service.serve import Addresses, listening
from service.settings import Settings
from tests.fakes import FakeEmbedder


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Refuses every fourth request."""
    count = 0
    with contextlib.suppress(asyncio.IncompleteReadError):
        while head := await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(int(head.rsplit(b": ", 1)[1]))
            count += 1
            status = b"200 OK" if count % 4 else b"503 Busy"
            writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\n{}")
    writer.close()
    await writer.wait_closed()


async def sent(load: Load) -> Clients:
    async with asyncio.TaskGroup() as answering:

        def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            answering.create_task(_answer(reader, writer))

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            sender = Clients(replace(load, url=f"http://127.0.0.1:{port}"))
            await sender.run()
    return sender


@pytest.mark.parametrize("clients", [0, 3])
def test_every_request_is_counted_as_what_it_was(clients: int) -> None:
    load = Load(url="", clients=clients, rate=200.0, seconds=0.3)
    sender = asyncio.run(sent(load))
    found = summary(load, sender.answers)
    assert set(found["answers"]) == {"good", "good answered 503"}
    assert sum(found["answers"].values()) == found["requests"] > 10
    assert found["p50_ms"] <= found["p95_ms"] <= found["p99_ms"]


def test_a_load_ends_after_so_many_requests() -> None:
    sender = asyncio.run(sent(Load(url="", clients=2, seconds=60, requests=20)))
    assert len(sender.answers) == 20


@contextlib.asynccontextmanager
async def serving(folder: Path, model: Embedder) -> AsyncIterator[Addresses]:
    settings = Settings.model_validate({"data": folder, "port": 0, "grpc_port": 0})
    async with Engine(settings, [model]) as engine, listening(engine) as addresses:
        yield addresses


def test_grpc_is_sent_the_same_as_rest(tmp_path: Path) -> None:
    sent, asked = list[Text | Image](), orjson.loads(items.embedding("text", 5, 2))["input"]

    class Noting(FakeEmbedder):
        def prepare(self, item: Media) -> Prepared:
            assert isinstance(item, Text | Image)
            sent.append(item)
            return super().prepare(item)

    async def send() -> Clients:
        async with serving(tmp_path, Noting()) as addresses:
            url = f"grpc://{addresses.grpc}"
            texts = Clients(Load(url=url, clients=2, seconds=60, requests=6, batch=2))
            pictures = Clients(Load(url=url, kind="image", clients=1, seconds=60, requests=1))
            for sender in (texts, pictures):
                await sender.run()
        return texts

    texts = asyncio.run(send())
    assert [said for _, _, said in texts.answers] == [["good"] * 2] * 6
    assert [type(each) for each in sent] == [Text] * 12 + [Image]
    found = EmbedRequest.FromString(items.embed_request("text", 5, 2))
    assert [each.text for each in found.contents] == asked
    picture = EmbedRequest.FromString(items.embed_request("image", 5, 1)).contents[0].image
    body = orjson.loads(items.embedding("image", 5, 1))
    assert base64.b64decode(body["input"][0]["data"]) == picture


def test_pictures_are_pictures_and_no_two_files_are_the_same() -> None:
    bodies = [orjson.loads(items.embedding("image", number, 2))["input"] for number in (1, 33)]
    data = [part["data"] for body in bodies for part in body]
    assert len(set(data)) == 4
    assert isinstance(decode(items.photo_bytes(0) + bytes(8)), Image)


def test_arrivals_are_poisson_and_the_same_for_a_seed() -> None:
    due = list(arrivals(100.0, 200.0, 7))
    gaps = np.diff([0.0, *due])
    assert gaps.mean() == pytest.approx(0.01, rel=0.03)
    assert gaps.std() == pytest.approx(0.01, rel=0.03)  # of an exponential distribution
    assert due == list(arrivals(100.0, 200.0, 7)) != list(arrivals(100.0, 200.0, 8))


def test_waits_are_those_of_a_queue_of_constant_service() -> None:
    np.testing.assert_allclose(waits([0.0, 1.0, 1.5, 9.0], 2.0), [0.0, 1.0, 2.5, 0.0])
    load = 0.8
    found = waits(list(arrivals(load, 200_000.0, 1)), 1.0)
    # Pollaczek and Khinchine, for service that does not vary.
    assert found.mean() == pytest.approx(load / (2 * (1 - load)), rel=0.05)


def test_latency_counts_from_when_a_request_was_due() -> None:
    load = Load(url="", rate=300.0, seconds=0.3, seed=3)
    sender = asyncio.run(sent(load))
    due = np.sort([began for began, _, _ in sender.answers])
    expected = np.array(list(arrivals(300.0, 0.3, 3)))
    np.testing.assert_allclose(np.diff(due), np.diff(expected), atol=1e-9)
    late = sorted(sender.late)
    assert len(late) == len(expected)
    assert late[0] >= 0


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("is_rpc", [False, True], ids=["rest", "rpc"])
def test_ten_kinds_of_bad_items_cost_themselves_alone(
    tmp_path: Path, batch: int, is_rpc: bool
) -> None:
    async def send() -> Clients:
        async with serving(tmp_path, FakeEmbedder()) as addresses:
            url = f"grpc://{addresses.grpc}" if is_rpc else addresses.http
            load = Load(url=url, clients=3, seconds=60, requests=80 // batch, batch=batch, bad=0.5)
            sender = Clients(load)
            await sender.run()
        return sender

    sender = asyncio.run(send())
    said = {name for _, _, names in sender.answers for name in names}
    assert said == {"good", *items.bad()}
    assert len(said) == 1 + 10
    assert 0 <= sender.asking.checked()["most_off"] <= 1e-5


def test_a_wrong_answer_is_told_from_a_right_one(tmp_path: Path) -> None:
    async def asked() -> tuple[Mix, Answer]:
        async with serving(tmp_path, FakeEmbedder()) as addresses:
            mix = Mix("text", 2, 0.0, is_rpc=False)
            connection = Connection(addresses.http, "/v1/embeddings", {})
            await mix.learn(connection)
            answer = await connection.ask(next(mix.requests())[1])
            await connection.close()
        return mix, answer

    mix, answer = asyncio.run(asked())
    (one, other), _ = next(mix.requests())
    bad = Sent("bad", Content(), reason="ANY")
    assert mix.said([one, other], answer) == ["good", "good"]
    assert mix.said([other, one], answer) == ["good off", "good off"]
    assert mix.said([bad, other], answer) == ["bad embedded", "good"]
    assert mix.said([bad, one], Answer(b"", "ANY")) == ["bad", "good answered ANY"]
    assert mix.said([bad], Answer(b"", "OTHER")) == ["bad answered OTHER"]


def test_a_watch_tells_what_became_of_a_server() -> None:
    class Failing:
        """Grows by a tenth, and is ill and then silent at its third and fourth look."""

        looks = 0
        over = threading.Event()

        @property
        def rss_mib(self) -> float:
            self.over.set() if self.looks == 20 else None
            return 100.0 + 10 * (self.looks > 10)

        def is_ready(self) -> bool:
            self.looks += 1
            if self.looks == 4:
                raise TimeoutError
            return self.looks != 3

    server = Failing()
    with Watch(server, every=0.001) as watch:
        assert server.over.wait(30)
    assert watch.health() == {"asked": server.looks, "unready": 2}
    assert watch.memory() == {
        "rss_begin_mib": 100.0,
        "rss_mib": 110.0,
        "rss_most_mib": 110.0,
        "rss_growth": pytest.approx(0.1),
        "rss_most_growth": pytest.approx(0.1),
    }


def test_the_least_of_servers_answers_over_both_transports() -> None:
    with processes.echo() as server:
        for url in (server.url, server.rpc):
            (found,) = processes.sent(Load(url=url, clients=1, seconds=9, requests=5))
            assert found["sent"] == 5
            assert found["answers"] == {"good": found["requests"]}


def test_one_client_waits_for_the_whole_way_and_many_share_the_work() -> None:
    assert bounded(100, way=0.01, work=0.001, clients=1) == pytest.approx(50)
    assert bounded(100, way=0.01, work=0.001, clients=8) == pytest.approx(1000 / 11)


@pytest.mark.parametrize("seconds", [10.0, 1000.0], ids=["for a time", "until all were sent"])
def test_the_rate_is_that_of_the_clients_whatever_is_in_work_at_either_end(seconds: float) -> None:
    answers = [(5.0 + i + j / 4, 1.0, ("good",)) for i in range(10) for j in range(4)]
    found = summary(Load(url="", clients=4, seconds=seconds), answers)
    assert found["items_per_second"] == pytest.approx(4, rel=0.1)
