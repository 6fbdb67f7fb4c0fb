"""The tables of bridges and densities, made of a report of `embedder.evaluate.conditioning`."""

from collections.abc import Iterator

from embedder.evaluate.bridges import ALIKE, COSINE, FRECHET, FRESH
from embedder.evaluate.densities import DIRECTION
from embedder.evaluate.report import Figure, Report

_BRIDGED = {COSINE: ".3f", "R@1": ".1%", "R@10": ".1%", FRECHET: ".4f", ALIKE: ".3f"}


def conditioning_card(report: Report) -> str:
    """Returns the tables in Markdown: one a direction of bridges, strangers found, percentiles."""
    found = report.figures
    directions = dict.fromkeys(f.direction for f in found if f.direction != DIRECTION)
    tables = [_bridged([f for f in found if f.direction == d], d) for d in directions]
    strange = [f for f in found if f.metric.startswith("AUROC")]
    fitted = [f for f in found if f.direction == DIRECTION and f not in strange]
    tables += [_grid(strange, "strangers"), _grid(fitted, "density of photos")]
    return "\n\n".join("\n".join(table) for table in tables)


def _bridged(figures: list[Figure], direction: str) -> Iterator[str]:
    """Yields the table of one direction; pictures themselves are its last row."""
    yield _line(direction, *_BRIDGED)
    yield "|---" * (1 + len(_BRIDGED)) + "|"
    names = dict.fromkeys(figure.dataset for figure in figures)
    for name in [*(n for n in names if n != FRESH), FRESH]:
        values = {f.metric: f.value for f in figures if f.dataset == name}
        yield _line(name, *(_cell(values.get(m), form) for m, form in _BRIDGED.items()))


def _grid(figures: list[Figure], title: str) -> Iterator[str]:
    """Yields a table with a row a set and a column a metric."""
    metrics = list(dict.fromkeys(figure.metric for figure in figures))
    yield _line(title, *metrics)
    yield "|---" * (1 + len(metrics)) + "|"
    for name in dict.fromkeys(figure.dataset for figure in figures):
        values = {f.metric: f.value for f in figures if f.dataset == name}
        yield _line(name, *(_cell(values.get(metric), ".3f") for metric in metrics))


def _cell(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
