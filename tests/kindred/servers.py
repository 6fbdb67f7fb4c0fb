"""A real server beside a test, of any models and settings, for as long as it is needed."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from embedder.base import Embedder
from service.engine import Engine
from service.serve import Addresses, listening
from service.settings import Settings


@contextmanager
def serving(
    folder: Path, embedders: Sequence[Embedder] = (), **options: object
) -> Iterator[Addresses]:
    """Yields where a server listens; without embedders it loads the models of its settings."""
    settings = Settings.model_validate({"data": folder, "port": 0, "grpc_port": 0, **options})
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(_running(settings, embedders)) as found,
    ):
        yield found


@asynccontextmanager
async def _running(settings: Settings, embedders: Sequence[Embedder]) -> AsyncIterator[Addresses]:
    async with Engine(settings, embedders) as engine, listening(engine) as found:
        yield found
