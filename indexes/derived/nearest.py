"""One query over all parts of a partition, its work shared among threads."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from indexes.base import Allowed, Chosen
from indexes.derived.chunk import Chunk
from indexes.derived.part import Part
from indexes.derived.scan import Found, best, merged
from indexes.derived.segment import Segment
from indexes.derived.threads import ALONE, Helpers

_SHARE = 8_192
"""Rows that one thread scans before it looks for more; a multiple of 8, the bits of a byte."""

_WORTH_SHARING = 40_000
"""Fewer codes or rows, a millisecond of comparing, are looked through as soon by one thread as by
two: the other has to wake, and both wait for Python's lock in turn."""

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
        team = helpers if _work(question, scanned, probed) >= _WORTH_SHARING else ALONE
        shares = chain(
            _probes(question, probed, team.threads), _scans(question, scanned, team.threads)
        )
        found = _run(shares, question.k, team)
        if len(found.places) == min(question.k, _count(scanned) + _count(probed)):
            return found
    return _run(_scans(question, [*scanned, *probed], helpers.threads), question.k, helpers)


def _work(question: Question, scanned: Sequence[_Scanned], probed: Sequence[_Probed]) -> float:
    """Returns what the search costs, in codes or rows compared one after another."""
    probing = (part.held.work(question.k, chosen, question.asked) for part, chosen in probed)
    return _count(scanned) + sum(probing)


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
        for search in part.held.searches(
            question.query, question.k, chosen, question.asked, threads
        ):
            yield partial(_probe, search, part)


def _probe(search: Callable[[], Found], part: Part[Segment]) -> list[Found]:
    """Returns the k nearest that one share of the search of a segment finds."""
    return [_keyed(search(), part)]


def _scans(
    question: Question, parts: Sequence[_Scanned], threads: int
) -> Iterator[Callable[[], list[Found]]]:
    """Yields shares of an exact scan, so many that a thread that is late holds nobody up."""
    for part, chosen in parts:
        rows = len(part.held.keys)
        step = rows if threads == 1 else _SHARE
        for start in range(0, rows, step):
            yield partial(_scan, question, part, chosen, slice(start, start + step))


def _scan(
    question: Question, part: Part[Chunk] | Part[Segment], chosen: Chosen | None, some: slice
) -> list[Found]:
    """Returns the k nearest of some of the rows of a part."""
    if chosen is not None:
        bits = chosen.bits[some.start // 8 : -(-some.stop // 8)]
        chosen = Chosen(bits, int(np.bitwise_count(bits).sum()))
    found = best(question.query, part.held.rows[some], question.k, chosen)
    return [_keyed(Found(found.places + some.start, found.scores), part)]


def _keyed(found: Found, part: Part[Chunk] | Part[Segment]) -> Found:
    return Found(part.held.keys[found.places], found.scores)
