"""Snapshots and collections that are deleted while somebody asks for them are not there."""

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

import httpx
import pytest

import service.snapshots
import service.stored
from indexes.errors import CollectionNotFound, StorageError
from indexes.truth.ledger import DATABASE, Ledger
from kindred.v1 import snapshot_service_pb2 as snapshots_pb
from kindred.v1 import snapshot_service_pb2_grpc as snapshots_grpc
from service.engine import Engine
from service.errors import SnapshotNotFound
from service.messages import NewCollection, SnapshotInfo
from service.rest.app import create_app
from tests.service.rpc_server import engine_in, serving
from tests.service.test_rpc_fuzz import reason_of

pytestmark = pytest.mark.anyio

Deleting = Callable[[], None]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    async with engine_in(tmp_path) as running:
        await running.collections.create(NewCollection("album"))
        yield running


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> Deleting:
    """Lets somebody delete each snapshot just before it is looked into."""
    told = service.stored.snapshot_info

    def described(path: Path) -> SnapshotInfo:
        path.unlink()
        return told(path)

    return lambda: monkeypatch.setattr(service.snapshots, "snapshot_info", described)


async def test_a_snapshot_that_is_deleted_meanwhile_is_not_found(
    engine: Engine, lost: Deleting
) -> None:
    one = await engine.snapshots.take("album")
    lost()
    with pytest.raises(SnapshotNotFound, match=f"no snapshot named '{one.name}'"):
        await engine.snapshots.restore(one.name, "again")
    with pytest.raises(SnapshotNotFound, match="no snapshot named 'album-"):
        await engine.snapshots.take("album")


async def test_a_list_passes_by_what_is_deleted_meanwhile(engine: Engine, lost: Deleting) -> None:
    await engine.snapshots.take("album")
    lost()
    assert await engine.snapshots.list() == ()


async def test_two_that_delete_one_snapshot_do_not_fail(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await engine.snapshots.take("album")
    find = engine.snapshots._path

    def found(name: str) -> Path:
        path = find(name)
        path.unlink()
        return path

    monkeypatch.setattr(engine.snapshots, "_path", found)
    with pytest.raises(SnapshotNotFound):
        await engine.snapshots.delete(one.name)


async def test_a_download_of_what_is_deleted_meanwhile_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_in(tmp_path)
    async with serving(engine) as channel:
        monkeypatch.setattr(engine.snapshots, "_path", lambda name: tmp_path / name)
        stub = snapshots_grpc.SnapshotServiceStub(channel)
        asked = snapshots_pb.DownloadSnapshotRequest(name="gone")
        assert await reason_of(stub.DownloadSnapshot(asked)) == "SNAPSHOT_NOT_FOUND"


async def test_a_download_that_has_begun_goes_on_though_the_file_is_deleted(
    engine: Engine,
) -> None:
    one = await engine.snapshots.take("album")
    app = create_app(engine)
    transport = httpx.ASGITransport(app)
    opened = engine.snapshots.file

    async def deleted_once_open(name: str) -> BinaryIO:
        file = await opened(name)
        await engine.snapshots.delete(name)
        return file

    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        engine.snapshots.file = deleted_once_open  # type: ignore[method-assign]
        answer = await http.get(f"/v1/snapshots/{one.name}", headers={"range": "bytes=1-"})
        assert (answer.status_code, len(answer.content)) == (206, one.bytes - 1)
        assert (await http.get(f"/v1/snapshots/{one.name}")).status_code == 404


async def test_other_failures_of_a_snapshot_stay_what_they_are(engine: Engine) -> None:
    with pytest.raises(StorageError), service.snapshots.present(Path("here")):
        raise StorageError("the disk is full")


async def test_a_collection_that_is_deleted_meanwhile_takes_nothing_and_is_not_found(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "album"
    shutil.copytree(folder, tmp_path / "copy")
    ledger = Ledger(tmp_path / "copy" / DATABASE)
    assert ledger.size_bytes() > 0
    connect = ledger._connect

    def too_late(cache: int) -> object:
        ledger.close()
        shutil.rmtree(tmp_path / "copy")
        return connect(cache)

    monkeypatch.setattr(ledger, "_connect", too_late)
    with pytest.raises(CollectionNotFound, match="'copy' is closed"), ledger.read():
        pass
    assert ledger.size_bytes() == 0
