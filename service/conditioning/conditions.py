"""The use cases of targets: which there are, and what each takes for a question."""

import asyncio
import time
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from embedder.conditioning.bridge import BridgeName, Known
from embedder.conditioning.bridge_file import find_bridges
from embedder.conditioning.condition import Input, Request
from embedder.conditioning.conditioner import Conditioner, Served
from embedder.conditioning.density import Density
from embedder.conditioning.installed import Adapters
from embedder.conditioning.profiles import PROFILES, find_profile
from embedder.errors import TooFewVectors
from embedder.media import Modality
from indexes.collection import Collection, Hit, SearchRequest
from indexes.store import Store
from service import answers
from service.access.caller import Scope
from service.access.names import Names
from service.access.needs import needs
from service.batching import Encoded
from service.conditioning.densities import Densities
from service.conditioning.messages import ConditionAnswer, ConditionQuery, ProfileInfo
from service.errors import InvalidRequest
from service.intake import check_count
from service.messages import QueryPart
from service.models import Models
from service.served import ServedModel
from service.settings import Settings
from service.stored import search_hit

NEAREST = 5
"""Pictures that an answer names, of a collection."""


class Conditions:
    """Everything that is asked of conditioning; `Engine.conditions` is the one of a process.

    Args:
        store: Where the collections are.
        models: Make the vectors.
        densities: Tell how usual a condition is among the pictures of a collection.
        settings: Limits of a request, and where adapters lie.
    """

    def __init__(
        self, store: Store, models: Models, densities: Densities, settings: Settings
    ) -> None:
        self.names = Names(store)
        self._store = store
        self._models = models
        self._densities = densities
        self._settings = settings
        adapters = Adapters(settings.adapter_folder)
        self._conditioners: Mapping[str, Conditioner] = {
            model.info.space: Conditioner(
                Served(space=model.embedder.space, encoder=model.embedder.encoder),
                find_bridges(model.embedder.space),
                adapters,
                max_vectors=settings.max_items,
            )
            for model in models.served
        }

    @needs(Scope.READ)
    async def profiles(self) -> tuple[ProfileInfo, ...]:
        """Returns every target."""
        ids = [profile.id for profile in PROFILES]
        return await asyncio.to_thread(lambda: tuple(map(self._profile, ids)))

    @needs(Scope.READ)
    async def profile(self, name: str) -> ProfileInfo:
        """Returns one target; unknown ones are ProfileNotFound."""
        return await asyncio.to_thread(self._profile, name)

    @needs(Scope.READ)
    async def condition(self, query: ConditionQuery) -> ConditionAnswer:
        """Makes the tensors of a target's call.

        Raises:
            ItemFailed: The first bad input; the negative ones come last.
            ConditioningError: If a number is out of its range, the target is unknown or does not
                take what is asked, a bridge or an adapter is missing, or the inputs cancel out.
        """
        began = time.perf_counter()
        parts = [*query.inputs, *query.negative_inputs]
        check_count(len(parts), self._settings.max_items)
        collection = await self._opened(query.collection)
        served = self._served(query.model, collection)
        encoded = answers.all_of(await served.embed([part.content for part in parts], collection))
        request = _request(query, _inputs(parts, encoded))
        known = await asyncio.to_thread(_known, request, collection)
        conditioner = self._conditioners[served.info.space]
        density = await self._density(collection)
        made = await asyncio.to_thread(conditioner.condition, request, known, density)
        searched = time.perf_counter()
        hits = await asyncio.to_thread(_pictures, collection, made.vectors[0], NEAREST)
        return ConditionAnswer(
            model=served.info.name,
            space=served.info.space,
            tensors=made.tensors,
            call=made.call,
            profile=made.profile.id,
            profile_version=made.profile.version,
            norm=made.norm,
            adapter=made.adapter,
            seed=made.seed,
            bridge_used=made.bridge_used,
            per_input=made.per_input,
            diagnostics=made.diagnostics,
            nearest=tuple(map(search_hit, hits)),
            warnings=made.warnings,
            treatments=tuple(each.treatment for each in encoded),
            timing_ms=answers.timing(encoded, began, searched),
        )

    async def _density(self, collection: Collection | None) -> Density | None:
        """Returns the density of a collection's pictures, where there are enough of them."""
        if collection is None:
            return None
        try:
            return await self._densities.of(collection, Modality.IMAGE)
        except TooFewVectors:
            return None

    def _profile(self, name: str) -> ProfileInfo:
        profile = find_profile(name)
        ready = (
            model.info.name
            for model in self._models.served
            if self._conditioners[model.info.space].ready(profile)
        )
        return ProfileInfo(profile, tuple(ready))

    async def _opened(self, name: str | None) -> Collection | None:
        if name is None:
            return None
        meant = await self.names.meant(name)
        return await asyncio.to_thread(self._store.open, meant)

    def _served(self, name: str | None, collection: Collection | None) -> ServedModel:
        """Returns the model that is named, or that of the collection.

        Raises:
            ModelNotFound: If it is not served.
            SpaceMismatch: If the collection is of another model's space, or of none that is served.
        """
        if collection is None:
            return self._models.named(name)
        if name is not None:
            collection.require_space(self._models.named(name).info.space)
        return self._models.of(collection)


def _inputs(parts: Sequence[QueryPart], encoded: Sequence[Encoded]) -> tuple[Input, ...]:
    pairs = zip(parts, encoded, strict=True)
    return tuple(Input(each.vector, each.modality, part.weight) for part, each in pairs)


def _request(query: ConditionQuery, inputs: tuple[Input, ...]) -> Request:
    count = len(query.inputs)
    return Request(
        inputs=inputs[:count],
        negative_inputs=inputs[count:],
        profile=query.profile,
        bridge=query.bridge,
        mix=query.mix,
        num_vectors=query.num_vectors,
        seed=query.seed,
        cfg=query.cfg,
        noise_level=query.noise_level,
        dtype=query.dtype,
    )


def _known(request: Request, collection: Collection | None) -> Known:
    """Returns what a collection knows of pictures, as far as the bridge asks for it.

    Raises:
        InvalidRequest: If the bridge looks among pictures, and no collection is named.
    """
    if request.bridge.name is not BridgeName.KNN:
        return Known()
    if collection is None:
        raise InvalidRequest("the bridge knn looks among pictures: name a collection")
    vectors = [
        hit.vector
        for each in (*request.inputs, *request.negative_inputs)
        if each.modality is not Modality.IMAGE
        for hit in _pictures(collection, each.vector, request.bridge.k, each.modality)
        if hit.vector is not None
    ]
    return Known(images=np.stack(vectors) if vectors else None)


def _pictures(
    collection: Collection | None,
    vector: NDArray[np.float32],
    k: int,
    modality: Modality = Modality.IMAGE,
) -> tuple[Hit, ...]:
    """Returns the nearest pictures of a collection; none without one."""
    if collection is None:
        return ()
    request = SearchRequest(
        vector=vector,
        query_modality=modality,
        k=k,
        modalities=(Modality.IMAGE,),
        ranking="cosine",
        include_vectors=True,
    )
    return tuple(collection.search(request).hits)
