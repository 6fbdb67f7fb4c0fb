"""A gRPC server of a real engine on a real socket, for the tests of it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc

from kindred.v1 import content_pb2
from service.engine import Engine
from service.rpc.server import create_server
from service.settings import Settings
from tests.fakes import FakeEmbedder

Channel = Any
"""grpc.aio.Channel, which has no types."""

BROKEN = content_pb2.Content(image=b"no picture")


def text(words: str) -> content_pb2.Content:
    """Returns words as content."""
    return content_pb2.Content(text=words)


def settings_in(folder: Path) -> Settings:
    """Returns settings that keep everything in a folder and pick free ports."""
    return Settings.model_validate(
        {"data": folder, "port": 0, "grpc_port": 0, "decode_workers": 0, "passes": 1}
    )


def engine_in(folder: Path) -> Engine:
    """Returns an engine of the fake model that keeps everything in a folder."""
    return Engine(settings_in(folder), [FakeEmbedder()])


@asynccontextmanager
async def serving(engine: Engine) -> AsyncIterator[Channel]:
    """Serves an engine; yields a channel to it."""
    async with engine:
        server, port = create_server(engine, engine.settings)
        await server.start()
        try:
            async with grpc.aio.insecure_channel(f"localhost:{port}") as channel:
                yield channel
        finally:
            await server.stop(None)
