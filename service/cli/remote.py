"""Works on a server, through the same client that users have."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

import numpy as np

import kindred
from embedder.base import Treatment
from embedder.conditioning.generator.sampler import PictureSampling
from embedder.media import Modality
from embedder.windows import Window, WindowVectors
from indexes.progress import Progress
from service.cli.backend import require_structure, together
from service.cli.remote_conditioning import condition, conditioned, generate, generated
from service.conditioning.messages import ConditionAnswer, ConditionQuery, PictureAnswer
from service.errors import InvalidRequest
from service.messages import (
    AliasInfo,
    CollectionInfo,
    Content,
    EmbedAnswer,
    Embedded,
    ItemContent,
    ItemError,
    ItemInput,
    ItemResult,
    MediaContent,
    ModelInfo,
    NewCollection,
    SearchAnswer,
    SearchHit,
    SearchQuery,
    SnapshotInfo,
    StoredItem,
    TextContent,
    TimingMs,
    VectorContent,
)
from service.terms import Priority

PIECE_BYTES = 256 * 1024
"""So much of a file is sent at a time."""

PATIENT_TRIES = 60
"""How often a busy server is asked again, each time after as long as it says."""


@dataclass(frozen=True, slots=True)
class RemoteBackend:
    """Asks a server; see `service.cli.backend.Backend`."""

    client: kindred.AsyncClient
    priority: Priority | None = None

    async def models(self) -> Sequence[ModelInfo]:
        """Returns the models, the default one first."""
        return [
            ModelInfo(**{**asdict(model), "modalities": tuple(map(Modality, model.modalities))})
            for model in await self.client.models()
        ]

    async def embed(self, contents: Sequence[Content], *, windows: bool = False) -> EmbedAnswer:
        """Embeds each content; a bad one has an error in its place."""
        sent = [_content(content) for content in contents]
        answer = await self.client.embed(
            sent, on_error="item", windows=windows, priority=self._priority
        )
        results = tuple(
            Embedded(
                index=found.index,
                vector=found.vector,
                modality=_modality(found.modality),
                treatment=_treatment(found.treatment),
                error=_error(found.error),
                windows=_windows(found.windows),
            )
            for found in answer.results
        )
        timing = TimingMs(**asdict(answer.timing_ms))
        return EmbedAnswer(answer.model, answer.space, results, answer.units, timing)

    async def ensure_collection(self, new: NewCollection) -> None:
        """Creates the collection unless it exists; then the fields are indexed there, too."""
        try:
            await self.client.create_collection(
                new.name, model=new.model, indexed=new.indexed, structure=new.structure
            )
        except kindred.Conflict:
            known = await self.client.get_collection(new.name)
            require_structure(new.name, known.structure, new.structure)
            if fields := together(known.indexed, new.indexed):
                await self.client.update_collection(new.name, indexed=fields)

    async def items(self, collection: str) -> AsyncIterator[StoredItem]:
        """Yields every item, without vectors."""
        async for item in self.client.list_items(collection):
            yield StoredItem(
                id=item.id,
                modality=Modality(item.modality),
                metadata=item.metadata,
                created=_text(item.created),
                has_content=item.has_content,
            )

    async def upsert(
        self, collection: str, items: Sequence[ItemInput], *, windows: bool = False
    ) -> Sequence[ItemResult]:
        """Stores items, each on its own, with windows if hits are to tell where they match."""
        sent = [kindred.ItemInput(_content(item.content), item.id, item.metadata) for item in items]
        answer = await self._upsert_patiently(collection, sent, windows)
        return [
            ItemResult(
                index=result.index,
                id=result.id,
                modality=_modality(result.modality),
                treatment=_treatment(result.treatment),
                error=_error(result.error),
            )
            for result in answer.results
        ]

    async def delete(self, collection: str, ids: Sequence[str]) -> None:
        """Deletes items; one that is not there is none."""
        await self.client.delete_items(collection, ids)

    async def _upsert_patiently(
        self, collection: str, items: Sequence[kindred.ItemInput], windows: bool
    ) -> kindred.ItemResults:
        """Waits while others keep the server busy: indexing a folder has no deadline."""
        upsert = partial(
            self.client.upsert, collection, items, windows=windows, priority=self._priority
        )
        for _ in range(PATIENT_TRIES):
            try:
                return await upsert()
            except kindred.Overloaded as error:
                await asyncio.sleep(error.retry_after or 1.0)
        return await upsert()

    @property
    def _priority(self) -> kindred.Priority | None:
        return self.priority.value if self.priority else None

    async def collections(self) -> Sequence[CollectionInfo]:
        """Returns the collections, by name."""
        return [_collection(each) for each in await self.client.list_collections()]

    async def rename_collection(self, collection: str, name: str) -> CollectionInfo:
        """Gives a collection another name; the old one stays, as an alias of it."""
        return _collection(await self.client.rename_collection(collection, name))

    async def delete_collection(self, collection: str) -> None:
        """Deletes a collection and everything in it."""
        await self.client.delete_collection(collection)

    async def aliases(self) -> Sequence[AliasInfo]:
        """Returns the aliases, by name."""
        return [AliasInfo(**asdict(each)) for each in await self.client.list_aliases()]

    async def set_alias(self, alias: str, collection: str, expected: str | None) -> AliasInfo:
        """Makes an alias stand for a collection."""
        return AliasInfo(
            **asdict(await self.client.set_alias(alias, collection, expected=expected))
        )

    async def delete_alias(self, alias: str) -> None:
        """Deletes an alias."""
        await self.client.delete_alias(alias)

    async def search(self, collection: str, query: SearchQuery) -> SearchAnswer:
        """Finds the nearest items."""
        answer = await self.client.search(
            collection,
            [kindred.Part(_content(part.content), part.weight) for part in query.parts],
            k=query.k,
            modalities=query.modalities,
            k_per_modality=query.k_per_modality,
            filter=query.filter,
            min_score=query.min_score,
            ranking=query.ranking,
            exact=query.exact,
            priority=self._priority,
        )
        return SearchAnswer(
            collection=answer.collection or collection,
            hits=tuple(_hit(hit) for hit in answer.hits),
            space=answer.space,
            index=answer.index,
            exact=answer.exact,
            ranking=answer.ranking,
            treatments=tuple(map(_treatment, answer.treatments)),
            timing_ms=TimingMs(**asdict(answer.timing_ms)),
        )

    async def condition(self, query: ConditionQuery) -> ConditionAnswer:
        """Makes the tensors of a target's call."""
        asked = condition(query, _content)
        answer = await self.client.condition(**asked, priority=self._priority)
        return conditioned(answer, _hit)

    async def generate(self, query: ConditionQuery, how: PictureSampling) -> PictureAnswer:
        """Makes small pictures."""
        asked = generate(query, how, _content)
        return generated(await self.client.generate(**asked, priority=self._priority))

    async def snapshot(self, collection: str, path: Path, moved: Progress) -> SnapshotInfo:
        """Has the server copy one moment of a collection, fetches the copy, deletes it there."""
        taken = await self.client.take_snapshot(collection)
        try:
            await self.client.download_snapshot(
                taken.name, path, moved=lambda done: moved(done, taken.bytes)
            )
        finally:
            await self.client.delete_snapshot(taken.name)
        return SnapshotInfo(**{**asdict(taken), "created": _text(taken.created)})

    async def restore(self, path: Path, collection: str | None, moved: Progress) -> CollectionInfo:
        """Sends the file to the server, has it restored, deletes it there."""
        sent = await self.client.upload_snapshot(
            _pieces(path, moved), name=f"sent-{uuid.uuid4().hex}.snapshot"
        )
        try:
            made = await self.client.restore_snapshot(sent.name, collection=collection)
        finally:
            await self.client.delete_snapshot(sent.name)
        return _collection(made)


def _pieces(path: Path, moved: Progress) -> Iterator[bytes]:
    total = path.stat().st_size
    with path.open("rb") as file:
        while piece := file.read(PIECE_BYTES):
            yield piece
            moved(file.tell(), total)


def _content(content: Content) -> kindred.Content:
    match content:
        case TextContent():
            return kindred.Text(content.text)
        case MediaContent(modality=Modality.IMAGE):
            return kindred.Image(content.data)
        case MediaContent(modality=Modality.AUDIO):
            return kindred.Audio(content.data)
        case ItemContent():
            return kindred.Item(content.id)
        case VectorContent():
            return kindred.Vector(content.vector, content.modality, content.space)
    raise InvalidRequest(f"a server can be asked with words, media, items and vectors: {content}")


def _hit(hit: kindred.Hit) -> SearchHit:
    return SearchHit(
        id=hit.id,
        modality=Modality(hit.modality),
        score=hit.score,
        calibrated=hit.calibrated,
        probability=hit.probability,
        metadata=hit.metadata,
        has_content=hit.has_content,
        at=Window(hit.at.start, hit.at.end) if hit.at else None,
    )


def _collection(found: kindred.Collection) -> CollectionInfo:
    return CollectionInfo(**{**asdict(found), "created": _text(found.created), "stats": None})


def _windows(found: Sequence[kindred.WindowEmbedding]) -> WindowVectors | None:
    if not found:
        return None
    windows = tuple(Window(each.window.start, each.window.end) for each in found)
    return WindowVectors(windows, np.stack([each.vector for each in found]))


def _modality(modality: str | None) -> Modality | None:
    return Modality(modality) if modality else None


def _treatment(treatment: kindred.Treatment) -> Treatment:
    return Treatment(**asdict(treatment))


def _error(error: kindred.ItemError | None) -> ItemError | None:
    return ItemError(error.reason, error.message) if error else None


def _text(time: datetime) -> str:
    return time.isoformat().replace("+00:00", "Z")
