"""Works in this process, straight on a folder."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from embedder.conditioning.generator.sampler import PictureSampling
from indexes.errors import CollectionExists
from indexes.progress import Progress
from service.cli.backend import require_structure, together
from service.conditioning.messages import ConditionAnswer, ConditionQuery, PictureAnswer
from service.engine import Engine
from service.jobs.items import every_item
from service.messages import (
    AliasInfo,
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


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """Asks an engine of its own; see `service.cli.backend.Backend`."""

    engine: Engine

    async def models(self) -> Sequence[ModelInfo]:
        """Returns the models, the default one first."""
        return self.engine.models()

    async def embed(self, contents: Sequence[Content], *, windows: bool = False) -> EmbedAnswer:
        """Embeds each content; a bad one has an error in its place."""
        return await self.engine.embed(contents, windows=windows)

    async def ensure_collection(self, new: NewCollection) -> None:
        """Creates the collection unless it exists; then the fields are indexed there, too."""
        collections = self.engine.collections
        try:
            await collections.create(new)
        except CollectionExists:
            known = await collections.get(new.name)
            require_structure(new.name, known.structure, new.structure)
            if fields := together(known.indexed, new.indexed):
                await collections.update(new.name, indexed=fields)

    async def items(self, collection: str) -> AsyncIterator[StoredItem]:
        """Yields every item, without vectors."""
        async for item in every_item(self.engine.collections, collection):
            yield item

    async def upsert(
        self, collection: str, items: Sequence[ItemInput], *, windows: bool = False
    ) -> Sequence[ItemResult]:
        """Stores items, each on its own, with windows if hits are to tell where they match."""
        answer = await self.engine.collections.upsert(collection, items, windows=windows)
        return answer.results

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Deletes items; one that is not there is none."""
        await self.engine.collections.delete_items(collection, ids)

    async def collections(self) -> Sequence[CollectionInfo]:
        """Returns the collections, by name."""
        return await self.engine.collections.list()

    async def rename_collection(self, collection: str, name: str) -> CollectionInfo:
        """Gives a collection another name; the old one stays, as an alias of it."""
        return await self.engine.collections.rename(collection, name)

    async def delete_collection(self, collection: str) -> None:
        """Deletes a collection and everything in it."""
        await self.engine.collections.delete(collection)

    async def aliases(self) -> Sequence[AliasInfo]:
        """Returns the aliases, by name."""
        return await self.engine.aliases.list()

    async def set_alias(self, alias: str, collection: str, expected: str | None) -> AliasInfo:
        """Makes an alias stand for a collection."""
        return await self.engine.aliases.point(alias, collection, expected=expected)

    async def delete_alias(self, alias: str) -> None:
        """Deletes an alias."""
        await self.engine.aliases.delete(alias)

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items."""
        return await self.engine.collections.search(collection, query)

    async def condition(self, query: ConditionQuery) -> ConditionAnswer:
        """Makes the tensors of a target's call."""
        return await self.engine.conditions.condition(query)

    async def generate(self, query: ConditionQuery, how: PictureSampling) -> PictureAnswer:
        """Makes small pictures."""
        return await self.engine.pictures.generate(query, how)

    async def snapshot(self, collection: str, path: Path, moved: Progress) -> SnapshotInfo:
        """Writes one moment of a collection to a new file."""
        return await self.engine.snapshots.write(collection, path, moved)

    async def restore(self, path: Path, collection: str | None, moved: Progress) -> CollectionInfo:
        """Creates a collection from such a file; without a name, of the name it had."""
        return await self.engine.snapshots.read(path, collection, moved)
