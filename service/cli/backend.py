"""Where a command works: in this process or on a server. Commands are written once, for both."""

import os
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol

import typer

from indexes.progress import Progress
from service.ingest.ingest import Items
from service.messages import (
    AliasInfo,
    CollectionInfo,
    Content,
    EmbedAnswer,
    ModelInfo,
    NewCollection,
    SearchAnswer,
    SearchQuery,
    SnapshotInfo,
)
from service.settings import Settings, load_settings
from service.terms import Priority

if TYPE_CHECKING:
    import kindred
    from embedder.conditioning.generator.sampler import PictureSampling
    from service.conditioning.messages import ConditionAnswer, ConditionQuery, PictureAnswer
    from service.engine import Engine

MakeEngine = Callable[[Settings], "Engine"]
"""Makes the engine of a command that works in this process."""

PATIENCE_SECONDS = 600.0
"""How long an answer may take: a batch of long sounds on a small machine does take minutes."""


class Backend(Items, Protocol):
    """What the commands ask; `service.engine.Engine` says what each answer means."""

    async def models(self) -> Sequence[ModelInfo]:
        """Returns the models, the default one first."""

    async def embed(self, contents: Sequence[Content], *, windows: bool = False) -> EmbedAnswer:
        """Embeds each content; a bad one has an error in its place."""

    async def ensure_collection(self, new: NewCollection) -> None:
        """Creates the collection unless it exists; then the fields are indexed there, too."""

    async def collections(self) -> Sequence[CollectionInfo]:
        """Returns the collections, by name."""

    async def rename_collection(self, collection: str, name: str) -> CollectionInfo:
        """Gives a collection another name; the old one stays, as an alias of it."""

    async def delete_collection(self, collection: str) -> None:
        """Deletes a collection and everything in it."""

    async def aliases(self) -> Sequence[AliasInfo]:
        """Returns the aliases, by name."""

    async def set_alias(self, alias: str, collection: str, expected: str | None) -> AliasInfo:
        """Makes an alias stand for a collection."""

    async def delete_alias(self, alias: str) -> None:
        """Deletes an alias."""

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items."""

    async def condition(self, query: "ConditionQuery") -> "ConditionAnswer":
        """Makes the tensors of a target's call."""

    async def generate(self, query: "ConditionQuery", how: "PictureSampling") -> "PictureAnswer":
        """Makes small pictures."""

    async def snapshot(self, collection: str, path: Path, moved: Progress) -> SnapshotInfo:
        """Writes one moment of a collection to a new file."""

    async def restore(self, path: Path, collection: str | None, moved: Progress) -> CollectionInfo:
        """Creates a collection from such a file; without a name, of the name it had."""


_TLS = {"ca": "ca", "certificate": "client_certificate", "key": "client_key"}
"""Of each field of `kindred.Tls`, its option before the command's name."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that a command asks.

    Attributes:
        address: As `kindred.Client` takes it.
        api_key: Shown to it; None where none must be.
        tls: Whose certificate is believed and which is shown, as fields of `kindred.Tls`.
        priority: Of what it is to embed; None leaves that to it.
    """

    address: str
    api_key: str | None
    tls: Mapping[str, Path]
    priority: Priority | None = None

    @classmethod
    def of(cls, ctx: typer.Context, address: str) -> "Server":
        """Returns the server of an address, with what was said before the command's name."""
        said = ctx.find_root().params
        asked = {name: said.get(option) for name, option in _TLS.items()}
        tls = {name: path for name, path in asked.items() if path}
        return cls(address, said.get("api_key"), tls, said.get("priority"))

    @property
    def client(self) -> "kindred.Client":
        """Asks and waits."""
        access = self._access()
        from kindred import Client

        return Client(self.address, **access)

    @property
    def async_client(self) -> "kindred.AsyncClient":
        """Asks and awaits."""
        access = self._access()
        from kindred import AsyncClient

        return AsyncClient(self.address, **access)

    def _access(self) -> dict[str, Any]:
        os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it logs what it also answers
        import kindred

        tls = kindred.Tls(**self.tls) if self.tls else None
        return {"api_key": self.api_key, "tls": tls, "timeout": PATIENCE_SECONDS}


def require_structure(name: str, known: str, asked: str | None) -> None:
    """Makes sure that a collection that exists has the structure that is asked for, if any.

    Raises:
        typer.BadParameter: If it has another.
    """
    if asked not in (None, known):
        raise typer.BadParameter(
            f"collection {name!r} has structure {known!r}, which can't be changed to {asked!r}"
        )


def together(known: Sequence[str], asked: Sequence[str]) -> list[str]:
    """Returns all fields that are to be indexed, each once; none if that changes nothing."""
    fields = list(dict.fromkeys([*known, *asked]))
    return fields if len(fields) > len(known) else []


@dataclass(frozen=True, slots=True)
class Where:
    """Where a command works.

    Attributes:
        settings: Of the engine in this process, and of what is read before it is sent.
        server: A server, or None to work in this process.
        make_engine: Makes the engine of this process.
    """

    settings: Settings
    server: Server | None
    make_engine: MakeEngine

    @classmethod
    def of(cls, ctx: typer.Context, data: Path | None, server: str | None) -> "Where":
        """Returns where a command was told to work.

        Raises:
            SettingsError: If a setting breaks its rule.
        """
        if data and server:
            raise typer.BadParameter("give --data or --server, not both")
        store = "" if data else None  # a folder that is named goes before a store that is set
        settings = load_settings(data=data, store=store, request_seconds=PATIENCE_SECONDS)
        asked = Server.of(ctx, server) if server else None
        return cls(settings, asked, engine_maker(ctx))

    @contextmanager
    def without_data(self) -> Iterator["Where"]:
        """Yields the same on a passing folder: what needs no collection makes and locks none.

        Adapters are those of the folder that was named all the same.
        """
        with TemporaryDirectory(prefix="kindred-") as nowhere:
            adapters = self.settings.adapter_folder.absolute()
            passing = {"data": Path(nowhere), "store": "", "adapters": adapters}
            yield replace(self, settings=self.settings.model_copy(update=passing))

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Backend]:
        """Connects to the server, or opens the folder."""
        if self.server:
            from service.cli.remote import RemoteBackend

            async with self.server.async_client as client:
                yield RemoteBackend(client, self.server.priority)
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
