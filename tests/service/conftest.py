"""What every test of the service shares: a real server over real sockets, with a tiny model."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from service.engine import Engine
from service.serve import Addresses, listening
from service.settings import Settings
from tests.fakes import FakeEmbedder


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Async tests run on uvloop, as the service does."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def decodes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps settings that are read from starting processes: each takes longer than most tests."""
    monkeypatch.setenv("KINDRED_DECODE_WORKERS", "0")


@pytest.fixture
async def addresses(tmp_path: Path) -> AsyncIterator[Addresses]:
    settings = Settings.model_validate(
        {"data": tmp_path, "port": 0, "grpc_port": 0, "decode_workers": 0, "passes": 1}
    )
    async with Engine(settings, [FakeEmbedder()]) as engine, listening(engine) as found:
        yield found


@pytest.fixture
async def http(addresses: Addresses) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=addresses.http, verify=False) as client:
        yield client
