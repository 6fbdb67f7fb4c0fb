"""Draws recall against latency: one panel a question; further right and down is better."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.search.engines import OURS
from benchmarks.search.report import Report
from benchmarks.search.workload import CROSS, WITHIN

_INK, _FAINT, _OURS = "#333333", "#dddddd", "#c2410c"
_COLORS = {
    "Kindred graph": "#ea580c",
    "hnswlib": "#2563eb",
    "usearch": "#0891b2",
    "LanceDB": "#7c3aed",
    "Chroma": "#15803d",
    "Milvus Lite": "#737373",
}


def plot(reports: Sequence[Report], out: Path) -> None:
    """Writes a picture with a row of panels for each report; the suffix names its format."""
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.6 * len(reports)), layout="constrained")
    panels = figure.subplots(len(reports), 2, squeeze=False, sharey="row")
    for row, report in zip(panels, reports, strict=True):
        for panel, question in zip(row, (CROSS, WITHIN), strict=True):
            _draw(panel, report, question)
    out.parent.mkdir(parents=True, exist_ok=True)
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "search"}):  # text stays text
        figure.savefig(out, metadata={"Date": None} if out.suffix == ".svg" else None)


def _draw(panel: Any, report: Report, question: str) -> None:  # noqa: ANN401
    for result in report.results:
        points = [point for point in result.points if point.question == question]
        if not points:
            continue
        ours = result.engine == OURS
        color = _OURS if ours else _COLORS.get(result.engine, _INK)
        x, y = [point.recall for point in points], [point.p50 for point in points]
        panel.plot(x, y, "o-", color=color, ms=6 if ours else 3.5, lw=2 if ours else 1.2)
        panel.annotate(
            result.engine,
            (x[0], y[0]),
            xytext=(9 if ours else -6, 0),
            textcoords="offset points",
            ha="left" if ours else "right",
            va="center",
            color=color,
            fontsize=9,
            fontweight="bold" if ours else "normal",
        )
    panel.set_yscale("log")
    panel.yaxis.set_major_formatter("{x:g}")
    panel.set_title(f"{question}, {report.images:,} images", loc="left", fontsize=10, color=_INK)
    panel.set_xlabel("recall@10", color=_INK)
    panel.set_ylabel("p50, ms", color=_INK)
    panel.grid(color=_FAINT, lw=0.6)
    panel.spines[["top", "right"]].set_visible(False)
    panel.margins(x=0.24)
    panel.set_xticks([tick for tick in panel.get_xticks() if tick <= 1])
