"""A report as the tables of the README."""

from collections.abc import Sequence

from benchmarks.search.engines import OURS
from benchmarks.search.figures import Result, good_effort
from benchmarks.search.report import RATES, Report, compared
from benchmarks.search.workload import FILTERED, MIXED, PLAIN

_ASKED = {
    "text to pictures": (PLAIN[0],),
    "picture to pictures": (PLAIN[1],),
    "text, filter of 1 / 10 / 50 %": FILTERED[:3],
    "of exactly 7 rows": FILTERED[3:],
    "text to sounds among pictures": MIXED[:1],
    "text to both": MIXED[2:],
}
_STORED = (
    "on disk when acknowledged",
    "rows/s, batches of 1,000 (on disk)",
    "of 100 (on disk)",
    "16 writers one by one (on disk)",
    "on disk and indexed",
    "p99 while adding / before",
    "RAM, disk bytes a row",
)


def markdown(report: Report) -> str:
    """Returns what engines find at their `good_effort`, how they store, and who is ahead."""
    asked = [("recall@10, p50 ms", *_ASKED), *map(_found, report.results)]
    stored = [("", *_STORED), *map(_kept, report.results)]
    about = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    tables: Sequence[Sequence[Sequence[str]]] = (asked, stored, compared(report))
    return "\n\n".join([about, *map(_table, tables)])


def _found(result: Result) -> tuple[str, ...]:
    effort = good_effort(result)
    points = {it.question: it for it in result.points if it.effort == effort}
    cells = []
    for questions in _ASKED.values():
        known = [points.get(question.name) for question in questions]
        cells.append(" / ".join(f"{it.recall:.3f}, {_ms(it.p50)}" if it else "-" for it in known))
    return (_name(result), *cells)


def _kept(result: Result) -> tuple[str, ...]:
    rates = []
    for rate in RATES:
        taken, synced = result.ingest.get(rate), result.synced.get(rate)
        both = [f"{taken:,.0f}"] if taken else []
        both += [f"({synced:,.0f})"] if synced and synced != taken else []
        rates.append(" ".join(both))
    adds = result.adds
    beside = (
        f"{adds['ratio']:.1f} ({_ms(adds['p99 busy'])} ms, {adds['rate']:,.0f} rows/s)"
        if adds
        else ""
    )
    indexed = f"{result.indexed:,.0f}" if result.synced else ""
    size = f"{result.memory:,.0f}, {result.disk:,.0f}"
    return (_name(result), result.kept, *rates, indexed, beside, size)


def _ms(milliseconds: float) -> str:
    """Returns two digits, as far as they are before the point."""
    return f"{milliseconds:.0f}" if milliseconds >= 10 else f"{milliseconds:.2g}"


def _name(result: Result) -> str:
    if not result.engine.startswith(OURS):
        return f"{result.engine} {result.version}"
    return f"**{OURS}**, {'a graph' if result.engine != OURS else 'lists'}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    headings, *lines = [f"| {' | '.join(cells)} |" for cells in rows]
    return "\n".join([headings, "|---" * len(rows[0]) + "|", *lines])
