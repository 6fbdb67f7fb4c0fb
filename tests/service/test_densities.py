"""How usual contents are among a collection's items: what is fitted, when, and what is told."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, unit
from embedder.conditioning.density import Density, DensityRecipe
from embedder.media import Modality
from service.conditioning.densities import DRIFT
from service.conditioning.messages import ConditionQuery
from service.engine import Engine
from service.messages import (
    ItemContent,
    ItemInput,
    NewCollection,
    QueryPart,
    TextContent,
    VectorContent,
)
from service.settings import Settings
from tests.fakes import DIM, FakeEmbedder

pytestmark = pytest.mark.anyio
COUNT = 120


def bunch(count: int, seed: int) -> NDArray[np.float32]:
    """Vectors that lie about one direction."""
    random = np.random.default_rng(seed)
    centre = np.random.default_rng(99).standard_normal(DIM)
    return unit((centre + 0.3 * random.standard_normal((count, DIM))).astype(np.float32))


def items(vectors: NDArray[np.float32], prefix: str = "") -> list[ItemInput]:
    return [
        ItemInput(VectorContent(vector, Modality.IMAGE), f"{prefix}{row}")
        for row, vector in enumerate(vectors)
    ]


@pytest.fixture
async def engine(tmp_path: Path) -> AsyncIterator[Engine]:
    settings = Settings.model_validate({"data": tmp_path, "density_items": 100})
    async with Engine(settings, [FakeEmbedder()]) as made:
        await made.collections.create(NewCollection("photos"))
        await made.collections.upsert("photos", items(bunch(COUNT, 0)))
        yield made


async def test_an_outlier_lies_below_all_that_is_usual(engine: Engine) -> None:
    odd = unit(np.eye(1, DIM, dtype=np.float32))
    contents = [VectorContent(vector, Modality.IMAGE) for vector in (*bunch(20, 1), *odd)]
    answer = await engine.densities.score("photos", [*contents, ItemContent("7")])
    *usual, outlier, stored = (score.percentile or 0.0 for score in answer.scores)
    assert 20 < np.median([*usual, stored]) < 80
    assert outlier < 3
    assert outlier <= min(usual)
    (info,) = answer.densities
    assert (info.modality, info.kind) == (Modality.IMAGE, "gaussian")
    assert info.fitted + info.held_out <= 100
    assert "too few for a flow" in info.warnings[0]


async def test_scores_are_those_of_a_density_of_all_items_where_all_fit(tmp_path: Path) -> None:
    vectors = bunch(COUNT, 0)
    settings = Settings.model_validate({"data": tmp_path})
    async with Engine(settings, [FakeEmbedder()]) as engine:
        await engine.collections.create(NewCollection("photos"))
        await engine.collections.upsert("photos", items(vectors))
        content = VectorContent(vectors[3], Modality.IMAGE)
        (score,) = (await engine.densities.score("photos", [content])).scores
    stored = unit(vectors.astype(np.float16).astype(np.float32))
    space = EmbeddingSpace(FakeEmbedder().space.id, DIM)
    recipe = DensityRecipe(most=Settings.model_fields["density_items"].default)
    expected = Density.fit(stored, space, recipe).score(vectors[3:4])
    assert score.percentile == pytest.approx(expected.percentile[0], abs=0.5)
    assert score.residual == pytest.approx(expected.residual[0], abs=1e-3)


async def test_a_modality_with_too_few_items_costs_its_contents_alone(engine: Engine) -> None:
    known = VectorContent(bunch(1, 1)[0], Modality.IMAGE)
    words, picture = (await engine.densities.score("photos", [TextContent("red"), known])).scores
    assert words.error
    assert words.error.reason == "TOO_FEW_VECTORS"
    assert picture.percentile is not None


async def test_a_density_is_fitted_again_when_the_collection_has_grown(engine: Engine) -> None:
    collection = engine.collections._store.open("photos")
    first = await engine.densities.of(collection, Modality.IMAGE)
    assert await engine.densities.of(collection, Modality.IMAGE) is first
    more = bunch(int(DRIFT * COUNT) + 1, 2)
    await engine.collections.upsert("photos", items(more, "more-"))
    assert await engine.densities.of(collection, Modality.IMAGE) is not first


async def test_a_condition_tells_how_usual_it_is_among_the_pictures(engine: Engine) -> None:
    part = QueryPart(VectorContent(bunch(1, 1)[0], Modality.IMAGE))
    answer = await engine.conditions.condition(ConditionQuery(inputs=[part], collection="photos"))
    assert answer.diagnostics.log_density_percentile is not None
    assert answer.diagnostics.residual_percentile is not None
    assert len(answer.nearest) == 5


async def test_who_asks_of_a_fitted_density_does_not_wait_for_another_fit(engine: Engine) -> None:
    collection = engine.collections._store.open("photos")
    known = await engine.densities.of(collection, Modality.IMAGE)
    async with engine.densities._fitting, asyncio.timeout(10):
        assert await engine.densities.of(collection, Modality.IMAGE) is known
