"""A real server on real sockets, beside the tests, so that a blocking client can wait for it."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from service.engine import Engine
from service.serve import Addresses, listening
from service.settings import Settings
from tests.fakes import FakeEmbedder
from tests.generator import saved_generator

MAX_BODY_BYTES = 1_000_000


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Addresses]:
    embedder = FakeEmbedder(gap=0.5)
    settings = Settings.model_validate(
        {
            "data": folder,
            "port": 0,
            "grpc_port": 0,
            "max_body_bytes": MAX_BODY_BYTES,
            "generator": saved_generator(folder / "demo.safetensors", embedder.space),
        }
    )
    async with Engine(settings, [embedder]) as engine, listening(engine) as found:
        yield found


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Addresses]:
    """Returns where one server listens; the tests of a module share what they store."""
    folder = tmp_path_factory.mktemp("data")
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(serving(folder)) as found,
    ):
        yield found
