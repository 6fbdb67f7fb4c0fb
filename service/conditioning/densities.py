"""How usual a content is among the items of a collection: anomaly detection, and diagnostics.

A density is fitted when it is first asked for, to a sample of the items of one modality, kept in
memory, and fitted again once the collection has grown or shrunk by a tenth.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from embedder.base import EmbeddingSpace, Vectors
from embedder.conditioning.density import Density, DensityRecipe
from embedder.errors import ConditioningError, MissingDependency, TooFewVectors
from embedder.media import Modality
from indexes.collection import Collection
from indexes.filters.language import parse_filter
from indexes.store import Store
from service import answers
from service.access.caller import Scope
from service.access.names import Names
from service.access.needs import needs
from service.answers import Outcome
from service.batching import Encoded
from service.conditioning.messages import DensityInfo, Score, ScoreAnswer
from service.errors import item_error
from service.intake import check_count
from service.messages import Content
from service.models import Models
from service.settings import Settings

MOST_KEPT = 16
"""Densities in memory: each takes a megabyte or so."""

DRIFT = 0.1
"""Share by which a collection may grow or shrink before its density is fitted again."""

PAGE = 1000


@dataclass(frozen=True, slots=True)
class _Fitted:
    density: Density
    count: int


class Densities:
    """Everything that is asked of densities; `Engine.densities` is the one of a process.

    Args:
        store: Where the collections are.
        models: Make the vectors.
        settings: Limits of a request, and of what a density is fitted to.
    """

    def __init__(self, store: Store, models: Models, settings: Settings) -> None:
        self.names = Names(store)
        self._store = store
        self._models = models
        self._settings = settings
        self._recipe = DensityRecipe(most=settings.density_items)
        self._fitted: OrderedDict[tuple[object, ...], _Fitted] = OrderedDict()
        self._fitting = asyncio.Lock()

    @needs(Scope.READ, of="collection")
    async def score(self, collection: str, contents: Sequence[Content]) -> ScoreAnswer:
        """Tells how usual contents are among the items of their modality; a bad one costs itself.

        Raises:
            SpaceMismatch: If no served model makes vectors of the collection's space.
        """
        began = time.perf_counter()
        check_count(len(contents), self._settings.max_items)
        opened = await asyncio.to_thread(self._store.open, collection)
        outcomes: list[Outcome] = await self._models.of(opened).embed(contents, opened)
        searched = time.perf_counter()
        known = await self._known(opened, outcomes)
        scores = await asyncio.to_thread(_scores, outcomes, known)
        infos = (_info(modality, each) for modality, each in known.items())
        return ScoreAnswer(
            collection=opened.name,
            space=opened.space_id,
            scores=scores,
            densities=tuple(info for info in infos if info),
            timing_ms=answers.timing(outcomes, began, searched),
        )

    async def of(self, collection: Collection, modality: Modality) -> Density:
        """Returns the density of one modality of a collection, fitted as far as need be.

        Raises:
            TooFewVectors: If there are too few items.
        """
        count = await asyncio.to_thread(lambda: collection.count().get(str(modality), 0))
        key = (collection.name, collection.created, modality)
        if known := self._fresh(key, count):
            return known.density
        async with self._fitting:  # one fit at a time: it takes the cores that serve
            known = self._fresh(key, count)  # who waited may have waited for this very one
            if known is None:
                density = await asyncio.to_thread(_fit, collection, modality, self._recipe)
                known = self._fitted[key] = _Fitted(density, count)
                while len(self._fitted) > MOST_KEPT:
                    self._fitted.popitem(last=False)
        return known.density

    def _fresh(self, key: tuple[object, ...], count: int) -> _Fitted | None:
        """Returns what was fitted, unless the collection has changed too much since."""
        known = self._fitted.get(key)
        if known is None or abs(count - known.count) > DRIFT * known.count:
            return None
        self._fitted.move_to_end(key)
        return known

    async def _known(
        self, collection: Collection, outcomes: Sequence[Outcome]
    ) -> dict[Modality, Density | ConditioningError]:
        """Returns the density of each modality that is asked about, or why there is none."""
        found: dict[Modality, Density | ConditioningError] = {}
        for modality in {each.modality for each in outcomes if isinstance(each, Encoded)}:
            try:
                found[modality] = await self.of(collection, modality)
            except TooFewVectors as error:
                found[modality] = error
        return found


def _fit(collection: Collection, modality: Modality, recipe: DensityRecipe) -> Density:
    vectors = _sample(collection, modality, recipe.most, recipe.seed)
    space = EmbeddingSpace(collection.space_id, collection.dim)
    try:
        return Density.fit(vectors, space, recipe)
    except MissingDependency as error:
        plain = Density.fit(vectors, space, replace(recipe, kind="gaussian"))
        return replace(plain, warnings=(*plain.warnings, f"a Gaussian was fitted: {error}"))


def _sample(collection: Collection, modality: Modality, most: int, seed: int) -> Vectors:
    """Returns the vectors of so many items, drawn from all with equal chances (algorithm R)."""
    random = np.random.default_rng(seed)
    drawn: list[np.ndarray[tuple[int, ...], np.dtype[np.float32]]] = []
    seen, token, wanted = 0, "", parse_filter({"modality": str(modality)})
    while True:
        page = collection.items(page_size=PAGE, page_token=token, filter=wanted)
        for item in page.items:
            seen += 1
            if len(drawn) < most:
                drawn.append(item.vector)
            elif (place := int(random.integers(seen))) < most:
                drawn[place] = item.vector
        if not (token := page.next_page_token):
            return np.stack(drawn) if drawn else np.empty((0, collection.dim), np.float32)


def _scores(
    outcomes: Sequence[Outcome], known: dict[Modality, Density | ConditioningError]
) -> tuple[Score, ...]:
    return tuple(_score(index, outcome, known) for index, outcome in enumerate(outcomes))


def _score(
    index: int, outcome: Outcome, known: dict[Modality, Density | ConditioningError]
) -> Score:
    if isinstance(outcome, BaseException):
        return Score(index, error=item_error(outcome))
    density = known[outcome.modality]
    if isinstance(density, ConditioningError):
        return Score(index, outcome.modality, error=item_error(density))
    found = density.score(outcome.vector[None])
    return Score(
        index,
        outcome.modality,
        percentile=float(found.percentile[0]),
        density_percentile=float(found.density_percentile[0]),
        residual_percentile=float(found.residual_percentile[0]),
        log_density=float(found.log_density[0]),
        residual=float(found.residual[0]),
    )


def _info(modality: Modality, density: Density | ConditioningError) -> DensityInfo | None:
    if isinstance(density, ConditioningError):
        return None
    kind, fitted, held_out = density.kind, density.fitted, density.held_out
    return DensityInfo(modality, kind, fitted, held_out, density.warnings)
