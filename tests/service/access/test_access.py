"""Keys, scopes, the audit log and TLS, over both transports of a real server."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import httpx
import pytest
import trustme

import kindred
from kindred import AsyncClient, InvalidArgument, ItemInput, PermissionDenied, Tls, Unauthenticated
from kindred.v1 import content_pb2, embedding_service_pb2, embedding_service_pb2_grpc
from service.access.caller import Scope
from service.access.keys import KeyFile
from service.collections import Collections
from service.engine import Engine
from service.jobs.jobs import Jobs
from service.serve import Addresses, listening
from service.settings import Settings
from service.snapshots import Snapshots
from tests.fakes import FakeEmbedder
from tests.service.test_serve import Gated

pytestmark = pytest.mark.anyio
WIRES = pytest.mark.parametrize("wire", ["http", "grpc"])


class Server:
    """A running server, and clients that show its keys."""

    def __init__(self, engine: Engine, addresses: Addresses) -> None:
        self.engine = engine
        self.addresses = addresses

    def key(self, *scopes: Scope, only: tuple[str, ...] = (), per_minute: int = 0) -> str:
        return self.engine.guard.file.create("test", scopes, only, per_minute)[1]

    def client(self, wire: str, key: str | None = None) -> AsyncClient:
        return AsyncClient(getattr(self.addresses, wire), api_key=key)


@asynccontextmanager
async def running(
    folder: Path, model: FakeEmbedder | None = None, /, **options: object
) -> AsyncIterator[Server]:
    settings = Settings.model_validate({"data": folder, "port": 0, "grpc_port": 0, **options})
    async with Engine(settings, [model or FakeEmbedder()]) as engine, listening(engine) as found:
        yield Server(engine, found)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    async with running(tmp_path) as found:
        yield found


@WIRES
async def test_a_key_is_asked_for_once_there_is_one(server: Server, wire: str) -> None:
    async with server.client(wire) as nobody:
        await nobody.models()
        key = server.key(Scope.READ)
        with pytest.raises(Unauthenticated, match="show a key"):
            await nobody.models()
        assert await nobody.health()
    async with server.client(wire, key) as reader:
        await reader.models()
        server.engine.guard.file.revoke(server.engine.guard.file.list()[0].id)
        with pytest.raises(Unauthenticated, match="revoked"):
            await reader.models()


@WIRES
async def test_a_scope_bounds_what_a_key_may_do(server: Server, wire: str) -> None:
    async with server.client(wire, server.key(Scope.READ)) as reader:
        await reader.embed(["a"])
        with pytest.raises(PermissionDenied, match="takes the scope write"):
            await reader.create_collection("photos")
    async with server.client(wire, server.key(Scope.WRITE)) as writer:
        await writer.create_collection("photos")
        with pytest.raises(PermissionDenied, match="takes the scope read"):
            await writer.search("photos", "a")
        with pytest.raises(PermissionDenied, match="takes the scope admin"):
            await writer.delete_collection("photos")
    async with server.client(wire, server.key(Scope.ADMIN)) as admin:
        await admin.search("photos", "a")
        await admin.delete_collection("photos")


@WIRES
async def test_a_key_of_one_collection_touches_no_other(server: Server, wire: str) -> None:
    async with server.client(wire, server.key(Scope.ADMIN)) as admin:
        for name in ("photos", "secrets"):
            await admin.create_collection(name)
        taken = await admin.take_snapshot("secrets")
    async with server.client(wire, server.key(Scope.ADMIN, only=("photos",))) as limited:
        assert [found.name for found in await limited.list_collections()] == ["photos"]
        await limited.search("photos", "a")
        for refused in (
            limited.search("secrets", "a"),
            limited.create_collection("more"),
            limited.restore_snapshot(taken.name),
            limited.restore_snapshot(taken.name, collection="more"),
            limited.list_snapshots(),
            limited.delete_snapshot(taken.name),
        ):
            with pytest.raises(PermissionDenied, match="only the collections photos"):
                await refused
        with pytest.raises(PermissionDenied):
            [piece async for piece in limited.snapshot_pieces(taken.name)]


@WIRES
async def test_an_alias_shows_a_limited_key_nothing_that_it_may_not_see(
    server: Server, wire: str
) -> None:
    async with server.client(wire, server.key(Scope.ADMIN)) as owner:
        for name in ("photos", "secrets"):
            await owner.create_collection(name)
            await owner.upsert(name, [ItemInput("a word", "a")])
        await owner.set_alias("shown", "photos")
        await owner.set_alias("hidden", "secrets")
        key = server.key(Scope.ADMIN, only=("photos", "hidden", "mine"))
        async with server.client(wire, key) as limited:
            assert [hit.id for hit in (await limited.search("shown", "a")).hits] == ["a"]
            assert [alias.name for alias in await limited.list_aliases()] == ["shown"]
            assert (await limited.set_alias("mine", "photos")).collection == "photos"
            for refused in (
                limited.search("hidden", "a"),
                limited.get_collection("hidden"),
                limited.upsert("hidden", [ItemInput("b", "b")]),
                limited.delete_collection("secrets"),
                limited.score_items("hidden", "a"),
                limited.condition("a", collection="hidden"),
                limited.create_job("again", kindred.Reembed("hidden")),
                limited.set_alias("hidden", "photos"),
                limited.set_alias("mine", "secrets"),
                limited.set_alias("mine", "none"),
                limited.set_alias("shown", "photos"),
                limited.delete_alias("hidden"),
                limited.delete_alias("shown"),
            ):
                with pytest.raises(PermissionDenied, match="only the collections") as told:
                    await refused
                assert told.value.reason == "PERMISSION_DENIED"
            with pytest.raises(PermissionDenied, match="not what 'hidden' stands for"):
                await limited.search("hidden", "a")
            await owner.set_alias("shown", "secrets")
            with pytest.raises(PermissionDenied, match="not 'shown'"):
                await limited.search("shown", "a")


@WIRES
async def test_a_key_that_asks_too_often_is_told_when_to_come_back(
    server: Server, wire: str
) -> None:
    async with server.client(wire, server.key(Scope.READ, per_minute=2)) as client:
        await client.models()
        await client.models()
        with pytest.raises(kindred.Overloaded, match="2 requests a minute") as refused:
            await client.models()
    assert refused.value.reason == "RATE_LIMITED"
    assert refused.value.retry_after
    assert 25 <= refused.value.retry_after <= 30


async def test_a_key_that_is_revoked_ends_its_streams(server: Server) -> None:
    shown = server.key(Scope.READ)
    words = embedding_service_pb2.EmbedStreamRequest(content=content_pb2.Content(text="red"))
    async with grpc.aio.insecure_channel(server.addresses.grpc) as channel:
        stub = embedding_service_pb2_grpc.EmbeddingServiceStub(channel)
        stream = stub.EmbedStream(metadata=(("authorization", f"Bearer {shown}"),))
        await stream.write(words)
        assert (await stream.read()).result.embedding.vector.values
        server.engine.guard.file.revoke(shown.split("_")[1])
        await stream.write(words)
        assert await stream.code() is grpc.StatusCode.UNAUTHENTICATED


@WIRES
async def test_a_key_that_is_revoked_watches_no_longer(tmp_path: Path, wire: str) -> None:
    words = tmp_path / "words"
    words.mkdir()
    (words / "a.txt").write_text("red")
    model = Gated()
    async with running(tmp_path / "data", model, job_folders=(words,)) as server:
        shown = server.key(Scope.READ, Scope.WRITE)
        async with server.client(wire, shown) as client:
            await client.create_collection("album")
            job = await client.create_job("album", kindred.IngestFolder(str(words)))
            told, refused = [], False
            try:
                async for each in client.watch_job(job.id):
                    told.append(each)
                    server.engine.guard.file.revoke(shown.split("_")[1])
                    model.gate.set()
            except Unauthenticated:
                refused = True
        assert not any(each.is_over for each in told)
        assert refused == (wire == "grpc")


@WIRES
@pytest.mark.parametrize("shown", ["Bearer " + "k" * 7_000, "Bearer kindred_" + "_" * 7_000])
async def test_a_long_key_is_no_good(server: Server, wire: str, shown: str) -> None:
    server.key(Scope.READ)
    async with server.client(wire, shown.removeprefix("Bearer ")) as client:
        with pytest.raises(Unauthenticated, match="unknown, or was revoked"):
            await client.list_collections()


@pytest.mark.parametrize(
    "sent", [b"Bearer kindred_\xff_\xff", b"\xff\xfe", b"Bearer \xc3\xa9", b"Bearer"]
)
async def test_a_key_that_is_no_ascii_is_no_good(server: Server, sent: bytes) -> None:
    server.key(Scope.READ)
    async with httpx.AsyncClient(base_url=server.addresses.http) as http:
        answer = await http.get("/v1/models", headers={b"authorization": sent})
    assert (answer.status_code, answer.json()["error"]["reason"]) == (401, "UNAUTHENTICATED")


async def test_rest_says_how_to_show_a_key_and_leaves_health_and_pages_open(
    server: Server,
) -> None:
    server.key(Scope.READ)
    async with httpx.AsyncClient(base_url=server.addresses.http) as http:
        for path in ("/v1/models", "/metrics", "/v1/collections/a/items/b/content"):
            refused = await http.get(path)
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == "Bearer"
            assert refused.json()["error"]["reason"] == "UNAUTHENTICATED"
        for path in ("/", "/docs", "/healthz", "/readyz"):
            assert (await http.get(path)).status_code == 200


async def test_only_pages_of_origins_that_are_named_may_call(tmp_path: Path) -> None:
    friend, stranger = {"origin": "https://friend.org"}, {"origin": "https://stranger.org"}
    async with (
        running(tmp_path, cors_origins=["https://friend.org"]) as server,
        httpx.AsyncClient(base_url=server.addresses.http) as http,
    ):
        answer = await http.get("/v1/models", headers=friend)
        assert answer.headers["access-control-allow-origin"] == friend["origin"]
        refused = await http.get("/v1/models", headers=stranger)
        assert refused.status_code == 403
        assert "access-control-allow-origin" not in refused.headers


@WIRES
async def test_every_change_has_a_line_in_the_audit_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, wire: str
) -> None:
    caplog.set_level(logging.INFO, logger="kindred.audit")
    (tmp_path / "red.txt").write_text("red")
    async with running(tmp_path / "data", job_folders=[tmp_path]) as server:
        async with server.client(wire, server.key(Scope.ADMIN)) as admin:
            job, taken = await changes(admin, tmp_path)
        async with server.client(wire, server.key(Scope.WRITE)) as writer:
            with pytest.raises(PermissionDenied):
                await writer.delete_collection("photos")
            with pytest.raises(InvalidArgument):
                await writer.create_collection("x" * 20_000)
        async with server.client(wire, server.key(Scope.READ)) as reader:
            await reader.search("photos", "a")
        first, second, _ = (key.id for key in server.engine.guard.file.list())
    assert list(_audited(caplog)) == [
        (first, "Collections.create", "photos", "OK", {}),
        (first, "Collections.update", "photos", "OK", {}),
        (first, "Aliases.point", "photos", "OK", {"alias": "shown"}),
        (first, "Collections.upsert", "photos", "OK", {"items": 2, "alias": "shown"}),
        (first, "Collections.delete_items", "photos", "OK", {"items": 1}),
        (first, "Aliases.delete", "shown", "OK", {}),
        (first, "Jobs.create", "photos", "OK", {}),
        (first, "Collections.upsert", "photos", "OK", {"items": 1}),
        (first, "Jobs.cancel", None, "OK", {"job": job}),
        (first, "Snapshots.take", "photos", "OK", {}),
        (first, "Snapshots.file", None, "OK", {"name": taken}),
        (first, "Snapshots.keep", None, "OK", {"name": "kept.snapshot"}),
        (first, "Snapshots.restore", "again", "OK", {"name": taken}),
        (first, "Snapshots.list", None, "OK", {}),
        (first, "Snapshots.delete", None, "OK", {"name": taken}),
        (first, "Collections.rename", "again", "OK", {"new": "once-more"}),
        (first, "Collections.delete", "once-more", "COLLECTION_ALIASED", {}),
        (second, "Collections.delete", "photos", "PERMISSION_DENIED", {}),
        (second, "Collections.create", "x" * 100, "INVALID_ARGUMENT", {}),
    ]


def _audited(caplog: pytest.LogCaptureFixture) -> Iterator[tuple[object, ...]]:
    """Yields who changed what, of which collection, how it ended, and what else is told."""
    for record in caplog.records:
        if record.name == "kindred.audit":
            facts = dict(vars(record)["facts"])
            assert facts.pop("seconds") >= 0
            main = (facts.pop(each) for each in ("caller", "method", "collection", "outcome"))
            yield *main, facts


async def changes(admin: AsyncClient, folder: Path) -> tuple[str, str]:
    """Changes whatever can be; returns the names of the job and of the snapshot."""
    await admin.create_collection("photos")
    await admin.update_collection("photos", indexed=["year"])
    await admin.set_alias("shown", "photos")
    await admin.upsert("shown", [ItemInput("a", "private/a"), ItemInput("b", "b")])
    await admin.delete_items("photos", ["private/a"])
    await admin.delete_alias("shown")
    job = await admin.create_job("photos", kindred.IngestFolder(str(folder), "by job/"))
    async for _ in admin.watch_job(job.id):
        pass
    await admin.cancel_job(job.id)
    taken = await admin.take_snapshot("photos")
    pieces = [piece async for piece in admin.snapshot_pieces(taken.name)]
    (folder / "kept.snapshot").write_bytes(b"".join(pieces))
    await admin.upload_snapshot(folder / "kept.snapshot")
    await admin.restore_snapshot(taken.name, collection="again")
    await admin.list_snapshots()
    await admin.delete_snapshot(taken.name)
    await admin.rename_collection("again", "once-more")
    with pytest.raises(kindred.KindredError):
        await admin.delete_collection("once-more")
    return job.id, taken.name


@WIRES
async def test_keys_that_are_made_and_revoked_elsewhere_are_in_the_audit_log_of_the_server(
    server: Server, caplog: pytest.LogCaptureFixture, wire: str
) -> None:
    caplog.set_level(logging.INFO, logger="kindred.audit")
    elsewhere = KeyFile(server.engine.guard.file.path)
    server.engine.guard.require_safe()
    made, shown = elsewhere.create("phone", (Scope.READ,), ("photos",))
    async with server.client(wire, shown) as client:
        await client.models()
        elsewhere.revoke(made.id)
        with pytest.raises(Unauthenticated):
            await client.models()
    lines = [record for record in caplog.records if record.name == "kindred.audit"]
    about = {"key": made.id, "scopes": ("read",), "only": ("photos",)}
    assert [vars(line)["facts"] for line in lines] == [
        {"method": "Keys.create", **about},
        {"method": "Keys.revoke", **about},
    ]


@pytest.mark.parametrize("room", [Engine, Collections, Snapshots, Jobs])
def test_every_use_case_says_what_it_takes(room: type) -> None:
    inside = {"readiness", "write", "read"}  # nobody asks for them over a wire, or anybody may
    for name, method in vars(room).items():
        if asyncio.iscoroutinefunction(method) and not name.startswith("_"):
            assert hasattr(method, "scope") or name in inside, name


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pems(authority: trustme.CA, tmp_path: Path) -> dict[str, Path]:
    """Files of a certificate for localhost, its key, and the authority of both."""
    made = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: tmp_path / f"{name}.pem" for name in ("certificate", "key", "ca")}
    made.private_key_pem.write_to_path(str(paths["key"]))
    for pem in made.cert_chain_pems:
        pem.write_to_path(str(paths["certificate"]), append=True)
    authority.cert_pem.write_to_path(str(paths["ca"]))
    return paths


def secured(addresses: Addresses, wire: str) -> str:
    return addresses.http if wire == "http" else f"grpcs://{addresses.grpc}"


@WIRES
async def test_a_connection_is_encrypted_and_the_server_known_by_its_certificate(
    tmp_path: Path, pems: dict[str, Path], wire: str
) -> None:
    tls = {"tls_certificate": pems["certificate"], "tls_key": pems["key"]}
    async with running(tmp_path, **tls) as server:
        address = secured(server.addresses, wire)
        async with AsyncClient(address, tls=Tls(pems["ca"])) as client:
            assert (await client.models())[0].name == "fake"
        async with AsyncClient(address) as stranger:
            with pytest.raises(kindred.Unavailable):
                await stranger.models()


@WIRES
async def test_with_mutual_tls_a_client_without_a_certificate_is_refused(
    tmp_path: Path, pems: dict[str, Path], wire: str
) -> None:
    tls = {
        "tls_certificate": pems["certificate"],
        "tls_key": pems["key"],
        "tls_client_ca": pems["ca"],
    }
    async with running(tmp_path, **tls) as server:
        address = secured(server.addresses, wire)
        ours = Tls(pems["ca"], pems["certificate"], pems["key"])
        async with AsyncClient(address, tls=ours) as client:
            assert (await client.models())[0].name == "fake"
        async with AsyncClient(address, tls=Tls(pems["ca"])) as stranger:
            with pytest.raises(kindred.Unavailable):
                await stranger.models()


async def test_files_that_are_no_certificates_are_refused_by_name(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    with pytest.raises(OSError, match="tls_certificate, tls_key and tls_client_ca must be PEM"):
        async with running(tmp_path, tls_certificate=wrong, tls_key=wrong):
            pass


def test_a_client_refuses_tls_where_there_is_none() -> None:
    with pytest.raises(kindred.InvalidArgument, match="tls takes an address of https"):
        AsyncClient("http://localhost:8000", tls=Tls())
    with pytest.raises(kindred.InvalidArgument, match="belong together"):
        Tls(certificate="a.pem")


@WIRES
async def test_a_client_tells_what_cannot_be_sent_or_believed(tmp_path: Path, wire: str) -> None:
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("no certificate")
    secure = {"http": "https", "grpc": "grpcs"}[wire]
    with pytest.raises(InvalidArgument, match=r"wrong\.pem.* must be of PEM files"):
        await AsyncClient(f"{secure}://localhost:1", tls=Tls(wrong)).models()
    for key in ("two\nlines", "caf\xe9", "a\0b"):
        with pytest.raises(InvalidArgument, match="must be of printable ASCII") as refused:
            AsyncClient(f"{wire}://localhost:1", api_key=key)
        assert key not in str(refused.value)


@pytest.mark.parametrize(
    "address",
    ["", "localhost", "ftp://a", "http://", "http://[::1", "http://a:99999", "grpc://a:0", "a:b"],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidArgument, match="address must be host:port"):
        AsyncClient(address)
