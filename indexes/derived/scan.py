"""The one kernel: exact inner products of a query with float16 rows, by FAISS, and the best k.

Every score of every index comes from here. It depends on the query and on the row alone, bit for
bit: not on where the row lies, on how many others are scanned, or on which of them may answer.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import faiss
import numpy as np
from numpy.typing import NDArray

from indexes.base import Chosen, Half
from indexes.derived.threads import use_one_thread

_faiss: Any = faiss  # its stubs know nothing of scanners

_FEW = 16
"""Rows are gathered where fewer than a part in so many may answer: reading all takes longer."""

_MOST = 4
"""Where more than a part in so many may answer, all are scored: asking for each takes longer."""


class Found(NamedTuple):
    """Rows in order of score, and of position or key where scores are equal.

    Attributes:
        places: int64, shape (n,): positions or keys.
        scores: float32 inner products, shape (n,).
    """

    places: NDArray[np.int64]
    scores: NDArray[np.float32]


_NOTHING = Found(np.empty(0, np.int64), np.empty(0, np.float32))


def best(query: NDArray[np.float32], rows: Half, k: int, chosen: Chosen | None = None) -> Found:
    """Returns the positions of the k best of the chosen rows; all of them if they are fewer."""
    use_one_thread()
    if chosen is None:
        return _best(query, rows, min(k, len(rows)))
    if chosen.count * _FEW < len(rows):
        return best_of(query, rows, positions(chosen.bits), k)
    width = min(k, chosen.count)
    if chosen.count * _MOST > len(rows):
        found = _best_of_most(query, rows, width, chosen)
        if found is not None:
            return found
    return _best(query, rows, width, chosen)


def best_of(query: NDArray[np.float32], rows: Half, places: NDArray[np.int64], k: int) -> Found:
    """Returns the k best of the rows at these places, which increase."""
    use_one_thread()
    found = _best(query, rows.take(places, axis=0), min(k, len(places)))
    return Found(places[found.places], found.scores)


def merged(founds: Iterable[Found], k: int) -> Found:
    """Returns the k best of all that was found."""
    parts = [_NOTHING, *founds]
    places = np.concatenate([found.places for found in parts])
    scores = np.concatenate([found.scores for found in parts])
    return _ordered(places, scores, k)


def positions(bits: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Returns the positions of the bits that are set, the sooner the fewer they are."""
    filled = np.flatnonzero(bits)
    places = np.flatnonzero(np.unpackbits(bits[filled], bitorder="little"))
    spread: NDArray[np.int64] = filled[places >> 3] * 8 + (places & 7)
    return spread


def _best(
    query: NDArray[np.float32], rows: Half, width: int, chosen: Chosen | None = None
) -> Found:
    """Returns the best `width`, ties by position.

    FAISS leaves it open which of equal scores survive at the end of its list, so one more is asked
    for, and more again while the list ends in a tie.
    """
    limit = len(rows) if chosen is None else chosen.count
    asked = min(width + 1, limit)
    while width:
        found = _top(query, rows, asked, chosen)
        whole = asked == limit or len(found.places) < asked
        if whole or found.scores[width - 1] > found.scores[-1]:
            return Found(found.places[:width], found.scores[:width])
        asked = min(4 * asked, limit)
    return _NOTHING


def _best_of_most(
    query: NDArray[np.float32], rows: Half, width: int, chosen: Chosen
) -> Found | None:
    """Scores all rows and leaves out those that were not chosen; None if too few are left."""
    asked = min(2 * width * len(rows) // chosen.count + 8, len(rows))
    found = _top(query, rows, asked, None)
    fits = (chosen.bits[found.places >> 3] >> (found.places & 7)) & 1 == 1
    places, scores = found.places[fits], found.scores[fits]
    if len(places) < width or (asked < len(rows) and scores[width - 1] == found.scores[-1]):
        return None
    return Found(places[:width], scores[:width])


def _top(query: NDArray[np.float32], rows: Half, k: int, chosen: Chosen | None) -> Found:
    """Returns k rows with the highest scores, which of equal ones at the end is left open.

    They may be fewer: a damaged row, whose score is no number, is none of them.
    """
    scores = np.full(k, -np.inf, dtype=np.float32)
    places = np.full(k, -1, dtype=np.int64)
    selector = None
    if chosen is not None:  # FAISS borrows the memory of the bits
        selector = faiss.IDSelectorBitmap(len(chosen.bits), faiss.swig_ptr(chosen.bits))
    scanner = _quantizer(rows.shape[1]).select_InvertedListScanner(
        faiss.METRIC_INNER_PRODUCT, None, True, selector
    )
    try:
        scanner.set_query(faiss.swig_ptr(query))
        scanner.set_list(0, 0.0)
        codes = faiss.swig_ptr(rows.view(np.uint8).reshape(-1))
        scanner.scan_codes(
            len(rows), codes, None, faiss.swig_ptr(scores), faiss.swig_ptr(places), k
        )
    finally:
        # FAISS gives the scanner away without telling Python that it is ours to free.
        _faiss.InvertedListScanner.__swig_destroy__(scanner)
    return _ordered(places, scores, int(np.count_nonzero(places >= 0)))


def _ordered(places: NDArray[np.int64], scores: NDArray[np.float32], k: int) -> Found:
    order = np.lexsort((places, -scores))[:k]
    return Found(places[order], scores[order])


@lru_cache
def _quantizer(dim: int) -> Any:  # noqa: ANN401 - see _faiss
    return faiss.ScalarQuantizer(dim, faiss.ScalarQuantizer.QT_fp16)
