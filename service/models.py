"""The models of an engine: found by name or by space, started and stopped together."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace

from embedder.base import Embedder
from embedder.errors import ModelNotFound
from indexes.collection import Collection
from indexes.errors import SpaceMismatch
from service.decoding.pool import CAUSES, DecodePool
from service.intake import bounds_of
from service.served import ServedModel
from service.settings import Settings
from service.telemetry import Telemetry
from service.terms import Priority


class Models:
    """The models of an engine, the default one first. An async context manager.

    Args:
        embedders: At least one.
        settings: Limits of what each takes.
        telemetry: Where their work is counted.
    """

    def __init__(
        self, embedders: Sequence[Embedder], settings: Settings, telemetry: Telemetry
    ) -> None:
        self._decoders = _decoders(settings, telemetry)
        self.served = tuple(
            ServedModel(it, settings, telemetry, self._decoders) for it in embedders
        )
        self._running = AsyncExitStack()

    async def __aenter__(self) -> "Models":
        """Starts their workers, and the processes that decode for all of them."""
        for decoders in self._decoders.values():
            self._running.enter_context(decoders)
        for model in self.served:
            await self._running.enter_async_context(model)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Waits for their work, then stops their workers."""
        await self._running.aclose()

    def abandon(self) -> None:
        """Ends what is being decoded at once: nobody waits for it any more."""
        for decoders in self._decoders.values():
            decoders.abandon()

    def named(self, name: str | None) -> ServedModel:
        """Returns a model by its name; None means the default one.

        Raises:
            ModelNotFound: If it is not served.
        """
        for model in self.served:
            if name is None or model.info.name == name:
                return model
        known = ", ".join(model.info.name for model in self.served)
        raise ModelNotFound(f"a model must be one that is served ({known}), got {name!r}")

    def of(self, collection: Collection) -> ServedModel:
        """Returns the model of a collection's space.

        Raises:
            SpaceMismatch: If that model is not served.
        """
        return self.of_space(
            collection.space_id, collection.model, f"collection {collection.name!r}"
        )

    def of_space(self, space: str, model: str, holder: str) -> ServedModel:
        """Returns the model of a space.

        Args:
            space: The id of the space.
            model: The name of the model that made the vectors; empty where it is not known.
            holder: What holds its vectors, for the error.

        Raises:
            SpaceMismatch: If that model is not served.
        """
        for served in self.served:
            if served.info.space == space:
                return served
        known = ", ".join(f"{each.info.space} ({each.info.name})" for each in self.served)
        raise SpaceMismatch(
            f"{holder} holds vectors of space {space} ({model or 'of an unknown model'}); "
            f"the models served make {known}. {self._advice(model)}"
        )

    def _advice(self, model: str) -> str:
        """Says what to do where vectors of a model can't be compared with anything."""
        if any(served.info.name == model for served in self.served):
            return (
                f"The weights or the preprocessing of {model} are not those that made these "
                "vectors: put the old ones back, or index the media again into a new collection"
            )
        return f"Serve {model or 'the model of that space'} as well"

    async def failures(self) -> Mapping[str, str]:
        """Returns what fails its probe, as model/modality, with the reason."""
        found = await asyncio.gather(*(model.failures() for model in self.served))
        return {name: reason for each in found for name, reason in each.items()}


def _decoders(settings: Settings, telemetry: Telemetry) -> Mapping[Priority, DecodePool]:
    """Returns the processes that decode for each lane, if there are to be any.

    None serves both: bulk that hangs would be waited for, and a process can lower its priority, but
    not raise it again.
    """
    if not settings.decode_workers:
        return {}
    own = bounds_of(settings)
    bounds = {
        Priority.INTERACTIVE: own,
        Priority.BULK: replace(own, niceness=settings.bulk_niceness),
    }
    return {
        lane: DecodePool(settings.decode_workers, bounds[lane], replaced=_counted(telemetry, lane))
        for lane in bounds
    }


def _counted(telemetry: Telemetry, lane: Priority) -> Callable[[str], None]:
    """Returns what counts the decoding processes of a lane that are replaced."""
    # A count that is first seen as 1 would not have risen.
    counters = {cause: telemetry.decoders_replaced.labels(lane, cause) for cause in CAUSES}
    return lambda cause: counters[cause].inc()
