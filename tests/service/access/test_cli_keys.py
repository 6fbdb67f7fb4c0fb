"""`kindred keys`, and a key on the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from service.cli import app
from service.serve import Addresses
from tests.service.test_cli_server import addresses

__all__ = ["addresses"]


def kindred(*args: str | Path, key: str | None = None) -> Result:
    environment = {"COLUMNS": "160", "KINDRED_API_KEY": key}
    return CliRunner().invoke(app, [str(arg) for arg in args], env=environment)


def created(data: Path, *options: str) -> str:
    made = kindred("keys", "create", "phone", *options, "--data", data)
    assert made.exit_code == 0, made.output
    return made.stdout.strip().splitlines()[-1]


def test_a_key_is_shown_once_listed_and_revoked(tmp_path: Path) -> None:
    shown = created(tmp_path, "--scope", "write", "--only", "photos", "--per-minute", "60")
    key_id = shown.split("_")[1]
    listed = kindred("keys", "list", "--data", tmp_path).stdout
    assert all(cell in listed for cell in (key_id, "phone", "write", "photos", "60"))
    assert shown.split("_", 2)[2] not in listed
    assert kindred("keys", "revoke", key_id, "--data", tmp_path).exit_code == 0
    again = kindred("keys", "revoke", "nothing", "--data", tmp_path)
    assert again.exit_code == 2
    assert "no key has the id 'nothing'" in again.stderr


@pytest.mark.parametrize("wire", ["http", "grpc"])
def test_a_command_shows_its_key(addresses: Addresses, tmp_path: Path, wire: str) -> None:
    server = ("--server", getattr(addresses, wire))
    key = created(tmp_path / "served")
    refused = kindred("embed", "a cat", *server)
    assert refused.exit_code == 2
    assert "UNAUTHENTICATED" in refused.stderr
    assert kindred("embed", "a cat", *server, key=key).exit_code == 0
    assert kindred("--api-key", key, "embed", "a cat", *server).exit_code == 0
