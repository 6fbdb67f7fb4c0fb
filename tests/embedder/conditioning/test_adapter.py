"""Adapters are ridge regressions, judged honestly, and belong to one space."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from embedder.conditioning.adapter import Adapter, read_card
from embedder.conditioning.fitting import PENALTIES, Pairs, Ridge, fit_adapter
from embedder.conditioning.installed import Adapters
from embedder.conditioning.profile import Holds
from embedder.conditioning.profiles import find_profile
from embedder.errors import (
    ConditioningError,
    FittedElsewhere,
    TooFewVectors,
    UnfitForTarget,
    WeightsError,
)
from tests.embedder.conditioning.spaces import (
    DRIVEN,
    ELSEWHERE,
    SPACE,
    TOKENS,
    random_pairs,
    vectors,
)

UNCLIP = find_profile("sd21-unclip-l")
Rows = NDArray[np.float32]


def noisy(count: int, noise: float, seed: int = 3) -> Pairs:
    """Returns pairs that a linear map explains but for noise, and whose norms are about 20."""
    dealer = np.random.default_rng(seed)
    sources = vectors(count, seed=seed)
    true = np.random.default_rng(0).standard_normal((SPACE.dim, UNCLIP.dim))
    targets = sources @ true + 0.5 + noise * dealer.standard_normal((count, UNCLIP.dim))
    return Pairs(sources, {Holds.CONDITION: targets.astype(np.float32)})


def condition_of(pairs: Pairs) -> Rows:
    return pairs.targets[Holds.CONDITION]


@pytest.mark.parametrize("penalty", [0.0, 0.1, 3.0])
def test_ridge_solves_its_normal_equations(penalty: float) -> None:
    x, y = vectors(50).astype(np.float64), vectors(50, 7, seed=1).astype(np.float64)
    weights, offset = Ridge.of(x, y).solve(penalty)
    centred = x - x.mean(axis=0)
    shrink = penalty * np.trace(centred.T @ centred) / SPACE.dim * np.eye(SPACE.dim)
    oracle = np.linalg.solve(centred.T @ centred + shrink, centred.T @ (y - y.mean(axis=0)))
    np.testing.assert_allclose(weights, oracle, atol=1e-9)
    np.testing.assert_allclose(x.mean(axis=0) @ weights + offset, y.mean(axis=0), atol=1e-9)


def test_a_linear_map_is_found_and_said_to_be() -> None:
    pairs = noisy(400, noise=0.01)
    adapter = fit_adapter(UNCLIP, SPACE, pairs)
    made = adapter.heads[Holds.CONDITION](pairs.sources)
    np.testing.assert_allclose(made, condition_of(pairs), atol=0.1)
    assert (adapter.card.pairs, adapter.card.held_out) == (400, 40)
    assert adapter.card.cosine > 0.999
    assert adapter.card.recall_at_1 == 1.0


def test_figures_are_of_pairs_that_were_not_seen() -> None:
    """With no relation between the two, a fit of fewer pairs than numbers would look perfect."""
    sources = vectors(40)
    targets = np.random.default_rng(9).standard_normal((40, UNCLIP.dim)).astype(np.float32)
    card = fit_adapter(UNCLIP, SPACE, Pairs(sources, {Holds.CONDITION: targets})).card
    assert abs(card.cosine) < 0.3
    assert card.penalty == max(PENALTIES)


def test_mean_std_and_norm_are_the_targets() -> None:
    pairs = noisy(100, noise=0.1)
    head, rows = fit_adapter(UNCLIP, SPACE, pairs).heads[Holds.CONDITION], condition_of(pairs)
    np.testing.assert_allclose(head.mean, rows.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(head.std, rows.std(axis=0), atol=1e-5)
    assert head.norm == pytest.approx(np.linalg.norm(rows, axis=1).mean(), rel=1e-6)


def test_sources_count_by_their_direction() -> None:
    pairs = noisy(100, noise=0.1)
    longer = replace(pairs, sources=20 * pairs.sources)
    one, other = (fit_adapter(UNCLIP, SPACE, each).heads for each in (pairs, longer))
    np.testing.assert_allclose(
        one[Holds.CONDITION].weights, other[Holds.CONDITION].weights, atol=1e-3
    )


@pytest.mark.parametrize("profile", [profile.id for profile in DRIVEN])
def test_files_give_back_what_was_fitted(tmp_path: Path, profile: str) -> None:
    target = find_profile(profile)
    adapter = fit_adapter(target, SPACE, random_pairs(target))
    adapter.save(tmp_path / "a.safetensors")
    found = Adapter.load(tmp_path / "a.safetensors", SPACE.id)
    assert found.card == adapter.card == read_card(tmp_path / "a.safetensors")
    rows = vectors(3)
    for what, head in adapter.heads.items():
        np.testing.assert_array_equal(found.heads[what](rows), head(rows))
        np.testing.assert_array_equal(found.heads[what].negative, head.negative)


def test_an_adapter_of_another_space_is_refused(tmp_path: Path) -> None:
    adapters = Adapters(tmp_path)
    path = adapters.install(fit_adapter(UNCLIP, SPACE, noisy(60, 0.1)))
    assert adapters.find(UNCLIP.id, ELSEWHERE) is None
    path.rename(adapters.path(UNCLIP.id, ELSEWHERE.id))
    with pytest.raises(FittedElsewhere, match=r"other-space.*small-space"):
        adapters.find(UNCLIP.id, ELSEWHERE)


def test_a_new_adapter_takes_the_old_ones_place_at_once(tmp_path: Path) -> None:
    adapters, rows = Adapters(tmp_path), vectors(2)
    assert adapters.cards() == ()
    assert adapters.find(UNCLIP.id, SPACE) is None
    for seed in (3, 4):
        fitted = fit_adapter(UNCLIP, SPACE, noisy(60, 0.1, seed))
        adapters.install(fitted)
        found = adapters.find(UNCLIP.id, SPACE)
        assert found is not None
        np.testing.assert_array_equal(
            found.heads[Holds.CONDITION](rows), fitted.heads[Holds.CONDITION](rows)
        )
        assert adapters.cards() == (fitted.card,)


@pytest.mark.parametrize("bytes_", [b"", b"nothing of the kind", None])
def test_files_of_another_kind_are_refused(tmp_path: Path, bytes_: bytes | None) -> None:
    from safetensors.numpy import save

    path = tmp_path / "sd21-unclip-l@small-space.safetensors"
    path.write_bytes(save({"x": np.zeros(3)}, {"config": "{}"}) if bytes_ is None else bytes_)
    for read in (lambda: Adapter.load(path, SPACE.id), lambda: read_card(path)):
        with pytest.raises(WeightsError, match="must be a file of conditioning adapter"):
            read()


def rows(*shape: int) -> Rows:
    return np.ones(shape, dtype=np.float32)


@pytest.mark.parametrize(
    ("profile", "pairs", "error", "said"),
    [
        ("sd21-unclip-l", Pairs(rows(40, 9), {}), UnfitForTarget, r"\(n, 16\), got \(40, 9\)"),
        ("sd21-unclip-l", Pairs(rows(29, 16), {}), TooFewVectors, "30 pairs, got 29"),
        ("sd21-unclip-l", Pairs(rows(40, 16), {}), UnfitForTarget, "must be image_embeds, got no"),
        (
            "sd21-unclip-l",
            Pairs(rows(40, 16), {Holds.CONDITION: rows(40, 1024)}),
            UnfitForTarget,
            r"\(40, 768\), got \(40, 1024\)",
        ),
        (
            "sd21-unclip-l",
            Pairs(rows(40, 16), {Holds.CONDITION: rows(39, 768)}),
            UnfitForTarget,
            r"got \(39, 768\)",
        ),
        (
            "sd-prompt",
            Pairs(rows(40, 16), {Holds.CONDITION: rows(40, 768)}),
            UnfitForTarget,
            r"\(40, T, 768\), got",
        ),
        (
            "sdxl-prompt",
            Pairs(rows(40, 16), {Holds.CONDITION: rows(40, TOKENS, 2048)}),
            UnfitForTarget,
            "prompt_embeds, pooled_prompt_embeds, got condition",
        ),
        (
            "kandinsky22",
            Pairs(rows(40, 16), {Holds.CONDITION: rows(40, 1280)}),
            ConditioningError,
            "all-zero picture",
        ),
        (
            "sd21-unclip-l",
            Pairs(rows(40, 16), {Holds.CONDITION: rows(40, 768) * np.nan}),
            ConditioningError,
            "finite",
        ),
    ],
)
def test_pairs_are_checked(
    profile: str, pairs: Pairs, error: type[ConditioningError], said: str
) -> None:
    with pytest.raises(error, match=said):
        fit_adapter(find_profile(profile), SPACE, pairs)
