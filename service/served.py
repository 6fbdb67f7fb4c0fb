"""Models as they are served: what they are, their queues, and whether they truly answer."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType

import numpy as np

from embedder.base import Embedder, unit
from embedder.decode import decode_as
from embedder.errors import EncodingFailed
from embedder.frames import Pick
from embedder.media import Audio, Image, Media, Modality, Text
from embedder.windows import Windowing
from indexes.collection import Collection
from indexes.errors import IndexesError, InvalidVector, SpaceMismatch
from indexes.store import Options, Store
from service.access.caller import caller
from service.answers import Outcome
from service.batching import Batcher, Encoded, Work
from service.decoding.pool import DecodePool
from service.described import describe
from service.errors import InvalidRequest, item_error, status_of
from service.intake import key_of, limits_of, load_of
from service.messages import (
    BrokenContent,
    Content,
    ItemContent,
    MediaContent,
    NewCollection,
    TextContent,
    VectorContent,
)
from service.settings import Settings
from service.telemetry import Telemetry
from service.terms import Priority, Terms, terms
from service.windowing import Windower

PROBES: Mapping[Modality, Media] = {
    Modality.TEXT: Text("ready"),
    Modality.IMAGE: Image(np.full((32, 32, 3), (200, 120, 40), dtype=np.uint8)),
    Modality.AUDIO: Audio((np.sin(np.arange(16_000)) / 2).astype(np.float32)[None], 16_000),
}
"""One small item of each modality, for readiness."""

DIGEST_BYTES = 1024 * 1024
"""So much is digested in about a millisecond, for which the event loop can be kept."""

LIGHT_CHARACTERS, LIGHT_ITEMS = 500, 4
"""So few such texts are prepared on the event loop: that takes less than to wake a thread."""

Sent = TextContent | MediaContent
"""Content that needs a forward pass."""


class ServedModel:
    """A model behind its queue. An async context manager.

    Args:
        embedder: The model.
        settings: Limits of what it takes.
        telemetry: Where its work is counted.
        decoders: Decode what it is sent, by lane; without one, threads do.
    """

    def __init__(
        self,
        embedder: Embedder,
        settings: Settings,
        telemetry: Telemetry,
        decoders: Mapping[Priority, DecodePool] = MappingProxyType({}),
    ) -> None:
        self.embedder = embedder
        self._decoders = decoders
        self.info = describe(embedder)
        self._telemetry = telemetry
        self._batcher = Batcher(embedder, settings, telemetry)
        self._limits = limits_of(settings)
        self._windowing = Windowing(seconds=settings.window_seconds, most=settings.max_windows)
        self._ready_seconds = settings.ready_seconds
        self._probed_at = -float("inf")
        self._failed: Mapping[str, str] = {}
        self._probing = asyncio.Lock()

    async def __aenter__(self) -> "ServedModel":
        """Starts its worker."""
        await self._batcher.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for its work, then stops its worker."""
        await self._batcher.__aexit__()

    async def embed(
        self,
        contents: Sequence[Content],
        collection: Collection | None = None,
        priority: Priority = Priority.INTERACTIVE,
        *,
        windows: bool = False,
    ) -> list[Outcome]:
        """Returns the unit vector of each content, or what is wrong with it, in order.

        Args:
            contents: What to embed.
            collection: Where its stored items are looked up.
            priority: That of the method, where the request names none.
            windows: Whether each vector is to be `Windowed`.

        Raises:
            Overloaded: If the queue has no room for all of them.
            DeadlineExceeded: If they are not done in time.
        """
        agreed = _agreed(priority)
        work = await self._work([it for it in contents if isinstance(it, Sent)], agreed.lane)
        embedded = iter(await self._batcher.embed(work, agreed) if work else ())
        outcomes = [
            next(embedded) if isinstance(it, Sent) else await self._known(it, collection)
            for it in contents
        ]
        if windows:
            windower = self._windower(agreed)
            pairs = zip(contents, outcomes, strict=True)
            outcomes = [await windower.windowed(*pair) for pair in pairs]
        self._count_failures(outcomes)
        return outcomes

    def _count_failures(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                reason = status_of(outcome).reason
                self._telemetry.item_errors.labels(self.info.name, reason).inc()

    def _windower(self, agreed: Terms) -> Windower:
        decode = partial(self._decode, agreed.lane, pick=self.embedder.window_frames)
        return Windower(self._windowing, decode, partial(self._batcher.embed, terms=agreed))

    async def _work(self, contents: Sequence[Sent], lane: Priority) -> list[Work]:
        """Returns what is to be embedded, known by digests, which of much take a thread."""
        decode, are_few = partial(self._decode, lane), len(contents) <= LIGHT_ITEMS

        def made() -> list[Work]:
            return [
                Work(load_of(it, self._limits, decode), key_of(it), are_few and _is_light(it))
                for it in contents
            ]

        size = sum(len(it.data) for it in contents if isinstance(it, MediaContent))
        return await asyncio.to_thread(made) if size > DIGEST_BYTES else made()

    def _decode(
        self, lane: Priority, modality: Modality, data: bytes, pick: Pick | None = None
    ) -> Media:
        pick = pick or self.embedder.frames
        if lane not in self._decoders:
            return decode_as(modality, data, self._limits, pick)
        reducer = self.embedder.reducers.get(modality, "")
        return self._decoders[lane].decode(modality, data, pick, reducer)

    async def _known(
        self, content: ItemContent | VectorContent | BrokenContent, collection: Collection | None
    ) -> Outcome:
        """Returns the vector of a content that needs no forward pass."""
        match content:
            case BrokenContent():
                return content.error
            case VectorContent():
                return self._taken(content)
            case ItemContent() if collection is None:
                return InvalidRequest("an item can only be asked about within its collection")
            case ItemContent():
                return await asyncio.to_thread(_vector_of, collection, content.id)

    def _taken(self, content: VectorContent) -> Outcome:
        """Returns a vector that was sent as it is, made a unit vector, or what is wrong with it."""
        dim, space = self.info.dim, self.info.space
        if content.space not in ("", space):
            return SpaceMismatch(
                f"a vector must be of space {space} ({self.info.name}), got one of {content.space}"
            )
        if content.vector.shape != (dim,):
            return InvalidVector(f"a vector must have {dim} numbers, got {content.vector.size}")
        try:
            vector = unit(content.vector[None])[0]
        except EncodingFailed:
            return InvalidVector("a vector must be finite and not zero")
        return Encoded(vector, content.modality)

    def checked_dim(self, dimensions: int | None) -> int:
        """Returns how many numbers a vector is to be cut to; None means all.

        Raises:
            InvalidRequest: If it is not from 1 to the model's own number.
        """
        if dimensions is not None and not 1 <= dimensions <= self.info.dim:
            raise InvalidRequest(f"dimensions must be 1 to {self.info.dim}, got {dimensions}")
        return dimensions or self.info.dim

    def create(self, store: Store, new: NewCollection, recall_target: float) -> Collection:
        """Creates a collection of this model's space, which starts from the model's calibration.

        Args:
            store: Where to.
            new: What was asked.
            recall_target: What holds where it was not asked.
        """
        background = {
            (str(query), str(item)): (known.mean, known.std)
            for (query, item), known in self.embedder.backgrounds.items()
        }
        target = recall_target if new.recall_target is None else new.recall_target
        return store.create(
            new.name,
            space_id=self.info.space,
            dim=self.info.dim,
            model=self.info.name,
            options=Options(background, new.indexed, target, new.structure),
        )

    async def failures(self) -> Mapping[str, str]:
        """Returns the modalities whose probe fails, with the reason; believed for a short time."""
        async with self._probing:
            if time.monotonic() - self._probed_at >= self._ready_seconds:
                self._failed = await self._probe()
                self._telemetry.ready.labels(self.info.name).set(not self._failed)
                self._probed_at = time.monotonic()
        return self._failed

    async def _probe(self) -> Mapping[str, str]:
        name, modalities = self.info.name, self.info.modalities
        probes = (self._batcher.probe(PROBES[modality]) for modality in modalities)
        failed = {
            f"{name}/{modality}": item_error(outcome).message
            for modality, outcome in zip(modalities, await asyncio.gather(*probes), strict=True)
            if isinstance(outcome, BaseException)
        }
        for lane, decoders in self._decoders.items():
            if decoders.is_ill and await asyncio.to_thread(decoders.still_ill):
                failed[f"{name}/decoding {lane}"] = "no decoding process starts; the log tells why"
        return failed


def _is_light(content: Sent) -> bool:
    return isinstance(content, TextContent) and len(content.text) <= LIGHT_CHARACTERS


def _agreed(priority: Priority) -> Terms:
    """Returns the terms of the request that is being answered, by a method of this priority."""
    asked = terms.get()
    return replace(asked, caller=caller.get().id, priority=asked.priority or priority)


def _vector_of(collection: Collection, item_id: str) -> Outcome:
    try:
        item = collection.get(item_id)
    except IndexesError as error:
        return error
    return Encoded(item.vector, Modality(item.modality))
