"""Fits an adapter to pairs: ridge regression in closed form, judged on pairs it has not seen.

A pair is a picture seen by both encoders: its vector in our space, and what the target's own
encoder makes of it, un-normalised, since the target knows sizes by those.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from embedder.base import EmbeddingSpace, unit
from embedder.conditioning.adapter import Adapter, Card, Head
from embedder.conditioning.profile import Argument, Axis, Holds, Profile, Unconditional
from embedder.errors import ConditioningError, TooFewVectors, UnfitForTarget

Array = NDArray[np.float32]
Array64 = NDArray[np.float64]

LEAST_PAIRS = 30
PENALTIES = tuple(10.0**power for power in np.arange(-5.0, 1.5, 0.5))
"""Candidates for the penalty, as shares of the mean variance of a source's number."""

HELD_OUT = 0.1
"""Share of the pairs that the penalty is chosen on, and that the figures are of: two parts."""


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """What an adapter is fitted to.

    Attributes:
        sources: Vectors of our space, (n, dim), of any norm.
        targets: What the target's encoder makes of the same pictures, (n, *shape), CONDITION and,
            where the target takes it, POOLED.
        negatives: What guidance is measured against, (*shape), by the same; zeros where missing.
    """

    sources: Array
    targets: Mapping[Holds, Array]
    negatives: Mapping[Holds, Array] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Ridge regression of many penalties for the price of one: sources are decomposed once.

    Attributes:
        centre: Mean of the sources, (dim,).
        axes: Eigenvectors of their covariance, (dim, dim).
        variances: Its eigenvalues, (dim,).
        middle: Mean of the targets, (numbers,).
        products: Covariance of sources and targets along the axes, (dim, numbers).
    """

    centre: Array64
    axes: Array64
    variances: Array64
    middle: Array64
    products: Array64

    @classmethod
    def of(cls, sources: Array64, targets: Array64) -> "Ridge":
        """Prepares the regression of targets (n, numbers) on sources (n, dim)."""
        centre, middle = sources.mean(axis=0), targets.mean(axis=0)
        x = sources - centre
        variances, axes = np.linalg.eigh(x.T @ x / len(x))
        products = axes.T @ (x.T @ (targets - middle)) / len(x)
        return cls(centre, axes, np.clip(variances, 0.0, None), middle, products)

    def solve(self, penalty: float) -> tuple[Array64, Array64]:
        """Returns weights and offset under a penalty; the offset is not penalised."""
        shrunk = self.variances + penalty * self.variances.mean()
        weights = self.axes @ (self.products / shrunk[:, None])
        return weights, self.middle - self.centre @ weights


def fit_adapter(profile: Profile, space: EmbeddingSpace, pairs: Pairs, *, seed: int = 0) -> Adapter:
    """Fits an adapter: chooses the penalty, judges it, then fits it to every pair.

    The figures are of a fit that saw neither the pairs it is judged on nor those that the penalty
    was chosen on; the adapter itself saw all, and should not be worse.

    Args:
        profile: The target.
        space: Of the sources.
        pairs: What to fit it to.
        seed: Same pairs and seed: same adapter.

    Raises:
        TooFewVectors: If there are fewer than 30 pairs.
        UnfitForTarget: If arrays are not of the space's or the target's shape.
        ConditioningError: If a value is not finite, or the target's own negative is missing.
        EncodingFailed: If a source is zero or not finite.
    """
    _check(profile, space, pairs)
    x = unit(pairs.sources).astype(np.float64)
    flat = {what: _flat(rows) for what, rows in pairs.targets.items()}
    chosen = _chosen(x, flat[Holds.CONDITION], seed)
    heads = {
        what: _head(Ridge.of(x, rows).solve(chosen.penalty), pairs, what)
        for what, rows in flat.items()
    }
    card = Card(
        profile=profile.id,
        space=space.id,
        dim=space.dim,
        pairs=len(x),
        held_out=chosen.held_out,
        penalty=chosen.penalty,
        cosine=chosen.cosine,
        recall_at_1=chosen.recall_at_1,
        norms={str(what): head.norm for what, head in heads.items()},
        made=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    return Adapter(card, heads)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A penalty, and the figures that it reaches on pairs that are held out."""

    penalty: float
    held_out: int
    cosine: float
    recall_at_1: float


def _chosen(x: Array64, y: Array64, seed: int) -> _Chosen:
    """Chooses the penalty on some pairs, and judges a fit to most on others."""
    order = np.random.default_rng(seed).permutation(len(x))
    judged, choosing, seen = np.split(order, _cuts(len(x)))
    ridge = Ridge.of(x[seen], y[seen])
    penalty = min(PENALTIES, key=lambda p: _error(ridge.solve(p), x[choosing], y[choosing]))
    weights, offset = ridge.solve(penalty)
    return _Chosen(penalty, len(judged), *_judged(x[judged] @ weights + offset, y[judged]))


def _cuts(count: int) -> tuple[int, int]:
    part = max(1, round(HELD_OUT * count))
    return part, 2 * part


def _flat(rows: Array) -> Array64:
    return rows.reshape(len(rows), -1).astype(np.float64)


def _error(solved: tuple[Array64, Array64], x: Array64, y: Array64) -> float:
    weights, offset = solved
    return float(((x @ weights + offset - y) ** 2).sum())


def _judged(made: Array64, true: Array64) -> tuple[float, float]:
    """Returns the mean cosine of pairs, and how often the own target is the nearest of all."""
    made = made / np.linalg.norm(made, axis=1, keepdims=True)
    true = true / np.linalg.norm(true, axis=1, keepdims=True)
    cosines = made @ true.T
    own = np.diagonal(cosines)
    return float(own.mean()), float((cosines.argmax(axis=1) == np.arange(len(own))).mean())


def _head(solved: tuple[Array64, Array64], pairs: Pairs, what: Holds) -> Head:
    weights, offset = solved
    rows = _flat(pairs.targets[what])
    negative = pairs.negatives.get(what)
    blank = np.zeros(rows.shape[1]) if negative is None else negative.reshape(-1)
    return Head(
        weights=weights.astype(np.float32),
        offset=offset.astype(np.float32),
        shape=pairs.targets[what].shape[1:],
        mean=rows.mean(axis=0).astype(np.float32),
        std=rows.std(axis=0).astype(np.float32),
        norm=float(np.linalg.norm(rows, axis=1).mean()),
        negative=blank.astype(np.float32),
    )


def _check(profile: Profile, space: EmbeddingSpace, pairs: Pairs) -> None:
    """Refuses pairs that are not of the space and the target."""
    if pairs.sources.ndim != 2 or pairs.sources.shape[1] != space.dim:
        raise UnfitForTarget(f"sources must be (n, {space.dim}), got {pairs.sources.shape}")
    if len(pairs.sources) < LEAST_PAIRS:
        raise TooFewVectors(f"there must be {LEAST_PAIRS} pairs, got {len(pairs.sources)}")
    due = [a for a in profile.arguments if a.holds in (Holds.CONDITION, Holds.POOLED)]
    if {argument.holds for argument in due} != set(pairs.targets):
        raise UnfitForTarget(
            f"targets of {profile.id} must be {', '.join(argument.name for argument in due)}, got "
            f"{', '.join(pairs.targets) or 'none'}"
        )
    for argument in due:
        _check_target(argument, pairs)
    if profile.unconditional is Unconditional.SHIPPED and not pairs.negatives:
        raise ConditioningError(
            f"{profile.id} measures guidance against its encoder's vector of an all-zero picture: "
            "it must be given as the negative"
        )


def _check_target(argument: Argument, pairs: Pairs) -> None:
    target, negative = pairs.targets[argument.holds], pairs.negatives.get(argument.holds)
    axes = [axis for axis in argument.axes[1:] if axis is not Axis.VECTORS]
    fits = len(target) == len(pairs.sources) and len(axes) == target.ndim - 1
    lengths = zip(axes, target.shape[1:], strict=False)
    if not fits or any(axis != length for axis, length in lengths if isinstance(axis, int)):
        words = ", ".join(str(axis) for axis in (len(pairs.sources), *axes))
        raise UnfitForTarget(f"targets of {argument.name} must be ({words}), got {target.shape}")
    if negative is not None and negative.size != np.prod(target.shape[1:]):
        raise UnfitForTarget(
            f"the negative of {argument.name} must have the shape of one target, "
            f"{target.shape[1:]}, got {negative.shape}"
        )
    if not np.isfinite(target).all() or not (np.linalg.norm(_flat(target), axis=1) > 0).all():
        raise ConditioningError(f"targets of {argument.name} must be finite and not zero")
