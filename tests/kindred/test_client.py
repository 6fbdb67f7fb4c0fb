"""What clients do by themselves: addresses, timeouts, pages, files, and their own description."""

import asyncio
import inspect
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

import kindred
from kindred import AsyncClient, Client, DeadlineExceeded, InvalidArgument, Unavailable
from kindred._calls import Call
from kindred._rest.routes import ROUTES as REST_ROUTES
from kindred._rpc.routes import ROUTES as RPC_ROUTES
from service.serve import Addresses
from tests.samples import audio_bytes, image_bytes, picture, tone

WIRES = pytest.mark.parametrize("wire", ["http", "grpc"])


@pytest.fixture
def silent() -> Iterator[int]:
    """A port that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


@pytest.mark.parametrize("prefix", ["", "grpc://"])
def test_an_address_may_name_grpc(addresses: Addresses, prefix: str) -> None:
    with Client(f"{prefix}{addresses.grpc}") as client:
        assert client.health() is True


@pytest.mark.parametrize(
    "address", ["", "localhost", "ftp://localhost:1", "localhost:port", "grpc://localhost"]
)
def test_an_address_of_neither_wire_is_refused(address: str) -> None:
    for kind in (Client, AsyncClient):
        with pytest.raises(InvalidArgument, match="address must be"):
            kind(address)


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_there_is_unavailable(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with Client(f"{scheme}://127.0.0.1:{port}") as client, pytest.raises(Unavailable) as caught:
        client.models()
    assert (caught.value.code, caught.value.reason) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_an_answer_that_is_late_is_a_deadline(silent: int, scheme: str) -> None:
    with (
        Client(f"{scheme}://127.0.0.1:{silent}", timeout=60) as client,
        pytest.raises(DeadlineExceeded) as caught,
    ):
        client.with_timeout(0.05).models()
    assert (caught.value.code, caught.value.reason) == (504, "DEADLINE_EXCEEDED")


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_an_awaited_answer_that_is_late_is_a_deadline(silent: int, scheme: str) -> None:
    async def ask() -> None:
        async with AsyncClient(f"{scheme}://127.0.0.1:{silent}", timeout=0.05) as client:
            await client.models()

    with pytest.raises(DeadlineExceeded):
        asyncio.run(ask())


@WIRES
def test_one_client_serves_many_tasks(addresses: Addresses, wire: str) -> None:
    async def ask() -> list[float]:
        async with AsyncClient(getattr(addresses, wire)) as client:
            answers = await asyncio.gather(*(client.embed(f"word{n}") for n in range(20)))
            return [float(answer.vectors[0] @ answer.vectors[0]) for answer in answers]

    assert asyncio.run(ask()) == pytest.approx([1.0] * 20)


@WIRES
def test_a_listing_goes_through_all_pages(addresses: Addresses, wire: str) -> None:
    with Client(getattr(addresses, wire)) as client:
        name = f"many-{wire}"
        client.create_collection(name)
        items = [kindred.ItemInput(f"word{n}", str(n)) for n in range(250)]
        client.upsert(name, items)
        assert [item.id for item in client.list_items(name)] == [str(n) for n in range(250)]


@WIRES
def test_contents_alone_are_items_once(addresses: Addresses, wire: str) -> None:
    with Client(getattr(addresses, wire)) as client:
        name = f"bare-{wire}"
        client.create_collection(name)
        for _ in range(2):
            client.upsert(name, ["red", kindred.Image(image_bytes(picture("blue")))])
        assert [item.modality for item in client.list_items(name)] == ["text", "image"]


@WIRES
def test_files_are_uploaded_and_found(addresses: Addresses, wire: str, tmp_path: Path) -> None:
    (tmp_path / "red.png").write_bytes(image_bytes(picture("red")))
    (tmp_path / "loud.wav").write_bytes(audio_bytes(tone(loudness=0.9)))
    (tmp_path / "words.txt").write_text("green")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    with Client(getattr(addresses, wire)) as client:
        name = f"files-{wire}"
        client.create_collection(name)
        stored = client.upload(name, sorted(tmp_path.iterdir()))
        assert [(each.index, each.error.reason) for each in stored.failed if each.error] == [
            (0, "UNDECODABLE_MEDIA")
        ]
        for words, file in (("red", "red.png"), ("loud", "loud.wav"), ("green", "words.txt")):
            best = client.search(name, words).hits[0]
            assert best.metadata == {"filename": file}
            assert client.get_content(name, best.id).data == (tmp_path / file).read_bytes()


def test_methods_tell_what_they_take_and_do() -> None:
    for client in (Client, AsyncClient):
        assert str(inspect.signature(client.rank)).startswith("(self, /, query: ")
        assert (client.rank.__doc__ or "").startswith("Scores candidates")
        assert client.rank.__qualname__ == f"{client.__name__}.rank"


def test_both_clients_have_the_same_methods() -> None:
    def methods(client: type) -> dict[str, list[str]]:
        found = inspect.getmembers(client, inspect.isfunction)
        return {name: list(inspect.signature(method).parameters) for name, method in found}

    common = {"__enter__": "__aenter__", "__exit__": "__aexit__"}
    blocking = {common.get(name, name): names for name, names in methods(Client).items()}
    assert blocking == methods(AsyncClient)


def test_every_call_has_a_route_over_every_wire() -> None:
    assert set(RPC_ROUTES) == set(REST_ROUTES) == set(Call.__subclasses__())


def test_the_door_shows_what_it_says() -> None:
    visible = {name for name in vars(kindred) if not name.startswith("_")} - {"v1"}
    assert sorted(kindred.__all__) == sorted(visible)
    assert kindred.__all__ == sorted(kindred.__all__, key=_case)
    for name in kindred.__all__:
        if isinstance(getattr(kindred, name), type):
            assert getattr(kindred, name).__module__ == "kindred"


def _case(name: str) -> tuple[bool, str]:
    """Constants first, as ruff sorts."""
    return not name.isupper(), name


def test_answers_survive_pickling() -> None:
    hit = kindred.Treatment(truncated=True)
    assert pickle.loads(pickle.dumps(hit)) == hit


@WIRES
def test_a_download_that_fails_leaves_no_file(
    addresses: Addresses, wire: str, tmp_path: Path
) -> None:
    with Client(getattr(addresses, wire)) as client:
        with pytest.raises(kindred.NotFound):
            client.download_snapshot("nobody", tmp_path / "nothing")
        assert not (tmp_path / "nothing").exists()
        (tmp_path / "mine").write_text("precious")
        with pytest.raises(FileExistsError):
            client.download_snapshot("nobody", tmp_path / "mine")
        assert (tmp_path / "mine").read_text() == "precious"
        with pytest.raises(FileNotFoundError):
            client.upload_snapshot(tmp_path / "nowhere")


@WIRES
def test_a_download_tells_how_far_it_is(addresses: Addresses, wire: str, tmp_path: Path) -> None:
    with Client(getattr(addresses, wire)) as client:
        client.create_collection(f"told-{wire}")
        taken, told = client.take_snapshot(f"told-{wire}"), list[int]()
        client.download_snapshot(taken.name, tmp_path / "file", moved=told.append)
        assert told == sorted(told)
        assert told[-1] == taken.bytes == (tmp_path / "file").stat().st_size
