"""One query over all parts of a partition, its work shared among threads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from indexes.base import Allowed, Chosen
from indexes.chunk import Chunk
from indexes.part import Part
from indexes.scan import Found, best, merged
from indexes.segment import Segment
from indexes.threads import Helpers

_WORTH_SHARING = 4_096
"""Fewer rows are scanned sooner than a second thread wakes."""

_WORTH_PROBING = 50_000
"""So are fewer codes looked through."""

_Scanned = tuple[Part[Chunk] | Part[Segment], Chosen | None]
"""A part, and which of its rows may answer."""

_Probed = tuple[Part[Segment], Chosen | None]


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """One query, shape (dim,), and what it asks for; see `Index.search`."""

    query: NDArray[np.float32]
    k: int
    allowed: Allowed | None
    asked: str
    exact: bool


def nearest(
    question: Question,
    chunks: Sequence[Part[Chunk]],
    segments: Sequence[Part[Segment]],
    helpers: Helpers,
) -> Found:
    """Returns keys and scores of the k nearest; all that may answer if they are fewer.

    Approximate parts may propose fewer rows than there are; then all are compared.
    """
    scanned: list[_Scanned] = [(part, part.chosen(question.allowed)) for part in chunks]
    probed: list[_Probed] = [(part, part.chosen(question.allowed)) for part in segments]
    if not question.exact:
        shares = chain(
            _scans(question, scanned, helpers.threads), _probes(question, probed, helpers.threads)
        )
        found = _run(shares, question.k, helpers)
        if len(found.places) == min(question.k, _count(scanned) + _count(probed)):
            return found
    return _run(_scans(question, [*scanned, *probed], helpers.threads), question.k, helpers)


def _run(shares: Iterator[Callable[[], list[Found]]], k: int, helpers: Helpers) -> Found:
    return merged(chain.from_iterable(helpers.run(list(shares))), k)


def _count(parts: Sequence[_Scanned] | Sequence[_Probed]) -> int:
    """Returns how many rows may answer."""
    return sum(len(part.held.keys) if chosen is None else chosen.count for part, chosen in parts)


def _probes(
    question: Question, parts: Sequence[_Probed], threads: int
) -> Iterator[Callable[[], list[Found]]]:
    """Yields shares of approximate searches."""
    for part, chosen in parts:
        shares = threads if len(part.held.keys) >= _WORTH_PROBING else 1
        for share in range(shares):
            yield partial(_probe, question, part, chosen, (share, shares))


def _probe(
    question: Question, part: Part[Segment], chosen: Chosen | None, share: tuple[int, int]
) -> list[Found]:
    """Returns the k nearest that one share of the search of a segment finds."""
    found = part.held.nearest(question.query, question.k, chosen, question.asked, share)
    return [_keyed(found, part)]


def _scans(
    question: Question, parts: Sequence[_Scanned], threads: int
) -> Iterator[Callable[[], list[Found]]]:
    """Yields shares of equal size of an exact scan."""
    rows = sum(len(part.held.keys) for part, _ in parts)
    shares = min(threads, 1 + rows // _WORTH_SHARING)
    for share in range(shares if parts else 0):
        yield partial(_scan, question, parts, (share, shares))


def _scan(question: Question, parts: Sequence[_Scanned], part_of: tuple[int, int]) -> list[Found]:
    """Returns the k nearest of one share of the rows of each part."""
    share, shares = part_of
    found = []
    for part, chosen in parts:
        step = -(-len(part.held.keys) // (8 * shares))  # whole bytes of the bits
        first, last = 8 * step * share, 8 * step * (share + 1)
        rows = part.held.rows[first:last]
        some = chosen
        if chosen is not None:
            bits = chosen.bits[first // 8 : last // 8]
            some = Chosen(bits, int(np.bitwise_count(bits).sum()))
        near = best(question.query, rows, question.k, some)
        found.append(_keyed(Found(near.places + first, near.scores), part))
    return found


def _keyed(found: Found, part: Part[Chunk] | Part[Segment]) -> Found:
    return Found(part.held.keys[found.places], found.scores)
