"""Works in this process, straight on a folder."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from indexes.errors import CollectionExists
from indexes.progress import Progress
from service.engine import Engine
from service.messages import (
    CollectionInfo,
    Content,
    EmbedAnswer,
    ItemInput,
    ItemResult,
    ModelInfo,
    NewCollection,
    SearchAnswer,
    SearchQuery,
    SnapshotInfo,
    StoredItem,
)

PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """Asks an engine of its own; see `service.cli.backend.Backend`."""

    engine: Engine

    async def models(self) -> Sequence[ModelInfo]:
        """Returns the models, the default one first."""
        return self.engine.models()

    async def embed(self, contents: Sequence[Content]) -> EmbedAnswer:
        """Embeds each content; a bad one has an error in its place."""
        return await self.engine.embed(contents)

    async def ensure_collection(self, name: str) -> None:
        """Creates the collection unless it exists."""
        try:
            await self.engine.collections.create(NewCollection(name))
        except CollectionExists:
            return

    async def items(self, collection: str) -> AsyncIterator[StoredItem]:
        """Yields every item, without vectors."""
        token = ""
        while True:
            page = await self.engine.collections.items(
                collection, page_size=PAGE_SIZE, page_token=token
            )
            for item in page.items:
                yield item
            if not (token := page.next_page_token):
                return

    async def upsert(self, collection: str, items: Sequence[ItemInput]) -> Sequence[ItemResult]:
        """Stores items, each on its own."""
        return await self.engine.collections.upsert(collection, items)

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items."""
        return await self.engine.collections.search(collection, query)

    async def snapshot(self, collection: str, path: Path, moved: Progress) -> SnapshotInfo:
        """Writes one moment of a collection to a new file."""
        return await self.engine.snapshots.write(collection, path, moved)

    async def restore(self, path: Path, collection: str | None, moved: Progress) -> CollectionInfo:
        """Creates a collection from such a file; without a name, of the name it had."""
        return await self.engine.snapshots.read(path, collection, moved)
