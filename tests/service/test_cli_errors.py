"""What the command line says when a server is not there, not the one meant, or not willing."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import trustme
from typer.testing import CliRunner, Result

from service.access.caller import Scope
from service.access.keys import KeyFile
from service.cli import app
from tests.fakes import FakeEmbedder
from tests.kindred.servers import serving
from tests.service.test_cli import said

TLS = {"http": "https", "grpc": "grpcs"}
WIRES = pytest.mark.parametrize("wire", list(TLS))


def ask(*args: str, key: str = "", **env: str) -> Result:
    """Runs a command, which must end without a traceback."""
    before = ["--api-key", key] if key else []
    result = CliRunner().invoke(app, [*before, *args], env=env)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    assert "Traceback" not in result.output
    return result


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of an authority, and of a certificate that it has signed."""
    folder, authority = tmp_path_factory.mktemp("pems"), trustme.CA()
    made = authority.issue_cert("localhost", "127.0.0.1")
    paths = {name: folder / f"{name}.pem" for name in ("ca", "certificate", "key")}
    authority.cert_pem.write_to_path(paths["ca"])
    made.private_key_pem.write_to_path(paths["key"])
    for pem in made.cert_chain_pems:
        pem.write_to_path(paths["certificate"], append=True)
    return {name: str(path) for name, path in paths.items()}


@WIRES
def test_a_server_that_is_not_there(wire: str) -> None:
    for command in (["search", "a dog"], ["jobs", "list"], ["collections", "list"]):
        told = ask(*command, "--server", f"{wire}://localhost:9")
        assert told.exit_code == 1
        assert said(told).startswith("error: UNAVAILABLE: ")
        assert "is a server there, and asked as it listens" in said(told)


@pytest.mark.parametrize("address", ["http://localhost:99999", "localhost", "ftp://a", "http://"])
def test_what_is_no_address(address: str) -> None:
    told = ask("search", "a dog", "--server", address)
    assert told.exit_code == 2
    assert "address must be host:port" in said(told)


@WIRES
def test_keys_are_told_from_one_another(tmp_path: Path, wire: str) -> None:
    with serving(tmp_path, [FakeEmbedder()]) as found:
        server = ["--server", f"{wire}://{found.grpc}" if wire == "grpc" else found.http]
        _, reader = KeyFile(tmp_path / ".keys.json").create("reader", (Scope.READ,), (), 0)
        for key, reason in (
            ("", "UNAUTHENTICATED: show a key"),
            ("wrong", "UNAUTHENTICATED: this key is unknown"),
            ("caf\xe9", "INVALID_ARGUMENT: api_key must be of printable ASCII"),
            (reader, "PERMISSION_DENIED: this takes the scope write"),
        ):
            (tmp_path / "texts").mkdir(exist_ok=True)
            told = ask("index", str(tmp_path / "texts"), *server, key=key)
            assert told.exit_code == 2
            assert reason in said(told)
        assert ask("models", *server, key=reader).exit_code == 0


@WIRES
def test_tls_that_is_not_as_it_is_meant(tmp_path: Path, pems: dict[str, str], wire: str) -> None:
    tls = {f"tls_{name}": pems[name] for name in ("certificate", "key")}
    with serving(tmp_path, [FakeEmbedder()], **tls, tls_client_ca=pems["ca"]) as found:
        host = (found.grpc if wire == "grpc" else found.http).rpartition("://")[2]
        ca = ["--ca", pems["ca"]]
        ours = ["--client-certificate", pems["certificate"], "--client-key", pems["key"]]
        models = ["models", "--server"]
        assert ask(*ca, *ours, *models, f"{TLS[wire]}://{host}").exit_code == 0
        for args, status in (
            ([*models, f"{wire}://{host}"], 1),
            ([*models, f"{TLS[wire]}://{host}"], 1),
            ([*ca, *models, f"{TLS[wire]}://{host}"], 1),
            ([*ca, *ours[:2], *models, f"{TLS[wire]}://{host}"], 2),
            (["--ca", pems["key"], *models, f"{TLS[wire]}://{host}"], 2),
            ([*ca, *models, f"{wire}://{host}"], 2),
        ):
            told = ask(*args)
            assert told.exit_code == status, args
            assert said(told).startswith("error: "), args


@WIRES
def test_tls_where_there_is_none(tmp_path: Path, wire: str) -> None:
    with serving(tmp_path, [FakeEmbedder()]) as found:
        rest, rpc = found.http.rpartition("://")[2], found.grpc
        for address in (
            f"{TLS[wire]}://{rest if wire == 'http' else rpc}",
            f"{wire}://{rpc if wire == 'http' else rest}",  # the other wire's port
        ):
            told = ask("models", "--server", address)
            assert told.exit_code == 1
            assert said(told).startswith("error: UNAVAILABLE: "), address


@contextmanager
def stranger(status: int, body: bytes, kind: str) -> Iterator[str]:
    """Yields where a server listens that is no Kindred, and answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("content-type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("status", "body", "kind", "reason"),
    [
        (200, b"<html>welcome</html>", "text/html", "it is no Kindred, or one of another version"),
        (200, b"{}", "application/json", "it is no Kindred, or one of another version"),
        (200, b"[1]", "application/json", "it is no Kindred, or one of another version"),
        (404, b"<html>" + b"no" * 9999, "text/html", "<html>nono"),
        (502, b"\x1b[2Jbad gateway", "text/plain", "\\x1b[2Jbad gateway"),
    ],
)
def test_what_is_no_kindred(status: int, body: bytes, kind: str, reason: str) -> None:
    with stranger(status, body, kind) as address:
        for command in ("models", "collections list", "jobs list"):
            told = ask(*command.split(), "--server", address)
            assert told.exit_code == (2 if status == 404 else 1)
            assert reason in told.stderr
            assert len(told.stderr) < 600
