"""One model as it is served: what it is, its queue, and whether it truly answers."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import numpy as np

from embedder.base import Embedder, Treatment, unit
from embedder.catalog import CATALOGUE
from embedder.errors import EncodingFailed
from embedder.media import Audio, Image, Media, Modality, Text
from indexes.errors import InvalidVector
from service.batching import Batcher, Encoded, Stages
from service.errors import item_error
from service.intake import limits_of, load_of
from service.messages import MediaContent, ModelInfo, TextContent, VectorContent
from service.settings import Settings
from service.telemetry import Telemetry

PROBES: Mapping[Modality, Media] = {
    Modality.TEXT: Text("ready"),
    Modality.IMAGE: Image(np.full((32, 32, 3), (200, 120, 40), dtype=np.uint8)),
    Modality.AUDIO: Audio((np.sin(np.arange(16_000)) / 2).astype(np.float32)[None], 16_000),
}
"""One small item of each modality, for readiness."""

Outcome = Encoded | BaseException


class ServedModel:
    """A model behind its queue. An async context manager.

    Args:
        embedder: The model.
        settings: Limits of what it takes.
        telemetry: Where its work is counted.
    """

    def __init__(self, embedder: Embedder, settings: Settings, telemetry: Telemetry) -> None:
        self.embedder = embedder
        self.info = describe(embedder)
        self._batcher = Batcher(embedder, settings, telemetry)
        self._limits = limits_of(settings)
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

    async def embed(self, contents: Sequence[TextContent | MediaContent]) -> list[Outcome]:
        """Embeds contents; each has its unit vector or its error.

        Raises:
            Overloaded: If the queue has no room for all of them.
            DeadlineExceeded: If they are not done in time.
        """
        return await self._batcher.embed([load_of(content, self._limits) for content in contents])

    def taken(self, content: VectorContent) -> Outcome:
        """Returns a vector that was sent as it is, made a unit vector, or what is wrong with it."""
        dim = self.embedder.space.dim
        if content.vector.shape != (dim,):
            return InvalidVector(f"a vector must have {dim} numbers, got {content.vector.size}")
        try:
            vector = unit(content.vector[None])[0]
        except EncodingFailed:
            return InvalidVector("a vector must be finite and not zero")
        return Encoded(vector, content.modality, Treatment(), Stages())

    async def failures(self) -> Mapping[str, str]:
        """Returns the modalities whose probe fails, with the reason; believed for a short time."""
        async with self._probing:
            if time.monotonic() - self._probed_at >= self._ready_seconds:
                self._failed = await self._probe()
                self._probed_at = time.monotonic()
        return self._failed

    async def _probe(self) -> Mapping[str, str]:
        modalities = self.info.modalities
        probes = (self._batcher.probe(PROBES[modality]) for modality in modalities)
        return {
            f"{self.info.name}/{modality}": item_error(outcome).message
            for modality, outcome in zip(modalities, await asyncio.gather(*probes), strict=True)
            if isinstance(outcome, BaseException)
        }


def describe(embedder: Embedder) -> ModelInfo:
    """Returns what is told about a model: its own facts, and what the catalogue knows of it."""
    spec = next((spec for spec in CATALOGUE if spec.name == embedder.name), None)
    return ModelInfo(
        name=embedder.name,
        modalities=tuple(modality for modality in Modality if modality in embedder.modalities),
        dim=embedder.space.dim,
        space=embedder.space.id,
        parameters=spec.parameters if spec else 0,
        licence=spec.licence if spec else "",
        description=spec.description if spec else "",
        runtime=embedder.runtime,
        device=embedder.device,
        limits=embedder.limits,
    )
