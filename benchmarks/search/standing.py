"""Who is ahead: every engine at the recall, and in the time, that Kindred has.

Engines are measured at settings of their own, which are comparable in neither. So what an engine
does at another recall or latency is read off its own curve, between the settings on either side:
recall against the logarithm of the latency, as the plot draws them.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.search.engines import OURS
from benchmarks.search.figures import GOOD, Point, Result, good_effort
from benchmarks.search.workload import FILTERED, MIXED, PLAIN

_PLAIN = [question.name for question in PLAIN]

RATES = {
    "1 x 1000": "rows/s in batches of 1,000",
    "1 x 100": "rows/s in batches of 100",
    "16 x 1": "rows/s of 16 writers, one by one",
}

_RATE = "{:,.0f}"


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison.

    Attributes:
        what: Is compared.
        cells: What each engine reaches, in words; those that can't do it are left out.
        ahead: The best, or nobody if nobody can do it.
    """

    what: str
    cells: Mapping[str, str]
    ahead: str


def standing(results: Sequence[Result]) -> list[Row]:
    """Returns all comparisons; at equal recall and latency only where Kindred has figures."""
    rows: list[Row] = []
    for ours in (result for result in results if result.engine == OURS):
        for mark in ours.points:
            if mark.question in _PLAIN and mark.effort == good_effort(ours):
                rows += _at_equal(results, mark.question, mark)
    rows += [_filtered(results, question.name) for question in (*FILTERED, *MIXED)]
    rows += _stored(results)
    return [row for row in rows if row.cells]


def latency_at(points: Sequence[Point], recall: float) -> float:
    """Returns the milliseconds in which this curve finds so much; infinite if it never does."""
    curve = _frontier(points)
    if not curve or curve[-1].recall < recall:
        return math.inf
    known = [point.recall for point in curve]
    return float(np.exp(np.interp(recall, known, [math.log(point.p50) for point in curve])))


def recall_at(points: Sequence[Point], milliseconds: float) -> float:
    """Returns the share that this curve finds in so long; 0 if it is never so fast."""
    curve = _frontier(points)
    if not curve or curve[0].p50 > milliseconds:
        return 0.0
    known = [math.log(point.p50) for point in curve]
    return float(np.interp(math.log(milliseconds), known, [point.recall for point in curve]))


def _frontier(points: Sequence[Point]) -> list[Point]:
    """Returns the settings that no other one beats in both, the fastest first."""
    best: list[Point] = []
    for point in sorted(points, key=lambda point: (point.p50, -point.recall)):
        if not best or point.recall > best[-1].recall:
            best.append(point)
    return best


def _curve(result: Result, question: str) -> list[Point]:
    return [point for point in result.points if point.question == question]


def _at_equal(results: Sequence[Result], question: str, mark: Point) -> list[Row]:
    """Compares everybody with one point of ours."""
    curves = {result.engine: _curve(result, question) for result in results}
    times = {name: latency_at(curve, mark.recall) for name, curve in curves.items() if curve}
    found = {name: recall_at(curve, mark.p50) for name, curve in curves.items() if curve}
    return [
        _best(f"{question}: ms at recall {mark.recall:.3f}", times, "{:.1f}", min),
        _best(f"{question}: recall in {mark.p50:.1f} ms", found, "{:.3f}", max),
    ]


def _filtered(results: Sequence[Result], question: str) -> Row:
    """Compares times; those of engines that find too little don't count, and are told with it."""
    points = {result.engine: point for result in results for point in _curve(result, question)[:1]}
    times = {name: p.p50 if p.recall >= GOOD else math.inf for name, p in points.items()}
    cells = {name: f"{p.p50:.1f} ({p.recall:.3f})" for name, p in points.items()}
    return Row(f"{question}: ms (recall)", cells, _winner(times, min))


def _stored(results: Sequence[Result]) -> list[Row]:
    """Compares rates, of what is acknowledged, of what is on disk, and of what is indexed too."""
    rows = []
    for rate, what in RATES.items():
        known = {result.engine: result for result in results if rate in result.ingest}
        taken = {name: result.ingest[rate] for name, result in known.items()}
        synced = {name: result.synced.get(rate, 0.0) for name, result in known.items()}
        rows += [_best(what, taken, _RATE, max), _best(f"{what}, on disk", synced, _RATE, max)]
    indexed = {r.engine: r.indexed if r.synced else 0.0 for r in results if r.ingest}
    return [*rows, _best("rows/s on disk and indexed", indexed, _RATE, max)]


def _best(what: str, figures: Mapping[str, float], form: str, better: Callable[..., str]) -> Row:
    cells = {
        name: form.format(figure) if _counts(figure) else "-" for name, figure in figures.items()
    }
    return Row(what, cells, _winner(figures, better))


def _winner(figures: Mapping[str, float], better: Callable[..., str]) -> str:
    good = {name: figure for name, figure in figures.items() if _counts(figure)}
    return better(good, key=lambda name: good[name]) if good else "nobody"


def _counts(figure: float) -> bool:
    return math.isfinite(figure) and figure > 0
