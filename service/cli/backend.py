"""Where a command works: in this process or on a server. Commands are written once, for both."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Protocol

import typer

from service.messages import (
    Content,
    EmbedAnswer,
    ItemInput,
    ItemResult,
    ModelInfo,
    SearchAnswer,
    SearchQuery,
    StoredItem,
)
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from service.engine import Engine

MakeEngine = Callable[[Settings], "Engine"]
"""Makes the engine of a command that works in this process."""

PATIENCE_SECONDS = 600.0
"""How long an answer may take: a batch of long sounds on a small machine does take minutes."""


class Backend(Protocol):
    """What the commands ask; `service.engine.Engine` says what each answer means."""

    async def models(self) -> Sequence[ModelInfo]:
        """Returns the models, the default one first."""

    async def embed(self, contents: Sequence[Content]) -> EmbedAnswer:
        """Embeds each content; a bad one has an error in its place."""

    async def ensure_collection(self, name: str) -> None:
        """Creates the collection unless it exists."""

    def items(self, collection: str) -> AsyncIterator[StoredItem]:
        """Yields every item, without vectors."""

    async def upsert(self, collection: str, items: Sequence[ItemInput]) -> Sequence[ItemResult]:
        """Stores items, each on its own."""

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items."""


@dataclass(frozen=True, slots=True)
class Where:
    """Where a command works.

    Attributes:
        settings: Of the engine in this process, and of what is read before it is sent.
        server: The address of a server, or None to work in this process.
        make_engine: Makes the engine of this process.
    """

    settings: Settings
    server: str | None
    make_engine: MakeEngine

    @classmethod
    def of(cls, ctx: typer.Context, data: Path | None, server: str | None) -> "Where":
        """Returns where a command was told to work.

        Raises:
            SettingsError: If a setting breaks its rule.
        """
        if data and server:
            raise typer.BadParameter("give --data or --server, not both")
        settings = load_settings(data=data, request_seconds=PATIENCE_SECONDS)
        return cls(settings, server, engine_maker(ctx))

    @contextmanager
    def without_data(self) -> Iterator["Where"]:
        """Yields the same on a passing folder: what needs no collection makes and locks none."""
        with TemporaryDirectory(prefix="kindred-") as nowhere:
            yield replace(self, settings=self.settings.model_copy(update={"data": Path(nowhere)}))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Backend]:
        """Connects to the server, or opens the folder."""
        if self.server:
            import kindred
            from service.cli.remote import RemoteBackend

            async with kindred.AsyncClient(self.server, timeout=PATIENCE_SECONDS) as client:
                yield RemoteBackend(client)
        else:
            from service.cli.local import LocalBackend

            async with self.make_engine(self.settings) as engine:
                yield LocalBackend(engine)


def engine_maker(ctx: typer.Context) -> MakeEngine:
    """Returns what makes the engine; a caller of the app may hand in its own as `obj`."""
    return ctx.obj or _make_engine


def _make_engine(settings: Settings) -> "Engine":
    from service.engine import Engine  # loads faiss and every codec

    return Engine(settings)
