"""From what became of each item to the answers of `service.messages`."""

import time
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace

import numpy as np

from embedder.base import unit
from embedder.errors import EncodingFailed
from embedder.windows import WindowVectors
from indexes.errors import InvalidVector, ItemNotFound
from indexes.item import Item
from service.batching import Encoded
from service.errors import ItemFailed, item_error
from service.messages import Embedded, ItemInput, ItemResult, RankedCandidate, TimingMs
from service.windowing import Windowed

Outcome = Encoded | BaseException
"""A vector, or what went wrong."""

Made = Item | BaseException
"""An item that can be stored, or why it can't."""


def all_of(outcomes: Sequence[Outcome]) -> list[Encoded]:
    """Returns the vectors, if there is one for each item.

    Raises:
        ItemFailed: The first item that has none.
    """
    vectors = []
    for index, outcome in enumerate(outcomes):
        if isinstance(outcome, BaseException):
            raise ItemFailed(index, outcome) from outcome
        vectors.append(outcome)
    return vectors


def cut(outcome: Outcome, dim: int) -> Outcome:
    """Returns an outcome with `dim` leading numbers of its vectors, unit again.

    Where there is nothing but zeros, as a client's own vector may have it, it is an InvalidVector.
    """
    if isinstance(outcome, BaseException) or dim == outcome.vector.size:
        return outcome
    try:
        shorter = replace(outcome, vector=unit(outcome.vector[None, :dim])[0])
        if not isinstance(shorter, Windowed):
            return shorter
        windows = shorter.windows
        vectors = unit(windows.vectors[:, :dim])
        return replace(shorter, windows=WindowVectors(windows.windows, vectors))
    except EncodingFailed:
        return InvalidVector(f"a vector must not be zero in all of its first {dim} dimensions")


def embedded(index: int, outcome: Outcome) -> Embedded:
    """Returns one entry of an embed answer."""
    if isinstance(outcome, BaseException):
        return Embedded(index, error=item_error(outcome))
    windows = outcome.windows if isinstance(outcome, Windowed) else None
    return Embedded(index, outcome.vector, outcome.modality, outcome.treatment, windows=windows)


def ranked(
    query: Encoded, candidates: Sequence[Encoded], logit_scale: float
) -> tuple[RankedCandidate, ...]:
    """Returns the candidates, best first: cosine, and softmax of logit_scale times cosine."""
    matrix = np.stack([candidate.vector for candidate in candidates]).astype(np.float64)
    scores = np.clip(matrix @ query.vector, -1, 1)
    odds = np.exp(logit_scale * (scores - scores.max()))
    probabilities = odds / odds.sum()
    return tuple(
        RankedCandidate(int(i), float(scores[i]), float(probabilities[i]))
        for i in np.argsort(-scores, kind="stable")
    )


def upserted(index: int, asked: ItemInput, outcome: Outcome, made: Made) -> ItemResult:
    """Returns what became of an item that was sent to be stored."""
    if isinstance(outcome, BaseException):
        return ItemResult(index, asked.id, error=item_error(outcome))
    if isinstance(made, BaseException):
        return ItemResult(index, asked.id, outcome.modality, error=item_error(made))
    return ItemResult(index, made.id, outcome.modality, outcome.treatment)


def deleted(index: int, item_id: str, collection: str, known: Container[str]) -> ItemResult:
    """Returns what became of an item that was to be deleted."""
    if item_id in known:
        return ItemResult(index, item_id)
    error = ItemNotFound(f"collection {collection!r} has no item {item_id!r}")
    return ItemResult(index, item_id, error=item_error(error))


def timing(outcomes: Iterable[Outcome], began: float, searched: float | None = None) -> TimingMs:
    """Returns where the time since `began` went; of items side by side, the slowest counts.

    Args:
        outcomes: What was embedded.
        began: When the request came, by `time.perf_counter`.
        searched: When its search began, if it had one.
    """
    now = time.perf_counter()
    stages = [outcome.stages for outcome in outcomes if isinstance(outcome, Encoded)]
    return TimingMs(
        decode=1000 * max((stage.decode for stage in stages), default=0.0),
        queue=1000 * max((stage.queue for stage in stages), default=0.0),
        embed=1000 * max((stage.embed for stage in stages), default=0.0),
        search=0.0 if searched is None else 1000 * (now - searched),
        total=1000 * (now - began),
    )
