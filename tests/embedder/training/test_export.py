from dataclasses import dataclass

import numpy as np
import pytest

from embedder.base import unit
from embedder.media import Modality
from embedder.training.export import measure_geometry, recipe_digest


def test_geometry_is_that_of_unrelated_pairs() -> None:
    random = np.random.default_rng(0)
    vectors = {m: unit(random.standard_normal((30, 8)).astype(np.float32)) for m in Modality}
    geometry = measure_geometry(vectors, 20.0)
    across = vectors[Modality.TEXT] @ vectors[Modality.IMAGE].T
    spread = geometry.backgrounds[Modality.TEXT, Modality.IMAGE]
    assert spread.mean == pytest.approx(across.mean())
    assert spread.std == pytest.approx(across.std())
    within = [a @ b for i, a in enumerate(vectors[Modality.TEXT]) for j, b in
              enumerate(vectors[Modality.TEXT]) if i != j]  # fmt: skip
    assert geometry.backgrounds[Modality.TEXT, Modality.TEXT].mean == pytest.approx(np.mean(within))
    np.testing.assert_array_equal(
        geometry.means[Modality.AUDIO], vectors[Modality.AUDIO].mean(axis=0)
    )
    assert len(geometry.backgrounds) == 9


@dataclass(frozen=True)
class Recipe:
    steps: int = 1


def test_a_recipe_digest_changes_with_any_number() -> None:
    assert recipe_digest(Recipe()) == recipe_digest(Recipe())
    assert recipe_digest(Recipe()) != recipe_digest(Recipe(steps=2))
