"""Writes what was measured to a JSON file, and prints it as tables."""

import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.search.figures import Point, Result
from benchmarks.search.profile import KNOWN
from benchmarks.search.standing import standing
from benchmarks.search.workload import FILTERED, MIXED, PLAIN

RATES = ("1 x 1000", "1 x 100", "16 x 1")


@dataclass(frozen=True, slots=True)
class Report:
    """A run.

    Attributes:
        images: Rows of the first modality.
        sounds: Rows beside them for the mixed questions.
        dim: Length of a vector.
        vectors: What they are like, by the names of `profile.KNOWN`.
        machine: What it ran on, when.
        results: One for each engine.
    """

    images: int
    sounds: int
    dim: int
    vectors: dict[str, str]
    machine: dict[str, str]
    results: list[Result]

    def write(self, path: Path) -> None:
        """Writes the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> "Report":
        """Returns a report that was written."""
        fields = json.loads(path.read_text())
        results = [
            Result(**{**result, "points": [Point(**point) for point in result["points"]]})
            for result in fields.pop("results")
        ]
        return cls(**fields, results=results)


def machine(threads: int) -> dict[str, str]:
    """Returns what figures depend on, as it is before the run."""
    return {
        "processor": _processor(),
        "cpus": f"{threads} of {os.cpu_count()}",
        "load": f"{os.getloadavg()[0]:.1f}",
        "python": platform.python_version(),
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
    }


def show(report: Report, console: Console) -> None:
    """Prints a report."""
    console.print(_of_vectors(report))
    for question in (*PLAIN, *FILTERED, *MIXED):
        console.print(_of_question(report, question.name))
    console.print(_of_storing(report))
    console.print(_of_adds(report))
    console.print(_of_standing(report))
    for result in report.results:
        if result.failed:
            console.print(f"{result.engine}: {result.failed}", style="red")


def compared(report: Report) -> list[Sequence[str]]:
    """Returns the table of who is ahead, its headings included."""
    engines = [result.engine for result in report.results]
    rows = [
        (row.what, *(row.cells.get(engine, "") for engine in engines), row.ahead)
        for row in standing(report.results)
    ]
    return [("", *engines, "ahead"), *rows]


def _of_standing(report: Report) -> Table:
    headings, *rows = compared(report)
    caption = "at a recall or latency of Kindred's, others are read off their own curves"
    table = _table("who is ahead", ("compared", *headings[1:]), caption)
    for row in rows:
        table.add_row(*row)
    return table


def _of_vectors(report: Report) -> Table:
    said = ", ".join(f"{name} {value}" for name, value in report.machine.items())
    table = _table(
        f"{report.images:,} images, then {report.sounds:,} sounds, {report.dim} numbers each",
        ("vectors", "here", "known of CLIP"),
        said,
    )
    for name, value in report.vectors.items():
        table.add_row(name, value, KNOWN[name])
    return table


def _of_question(report: Report, question: str) -> Table:
    columns = ("engine", "effort", "recall@10", "p50 ms", "p99 ms", "CPU ms", "queries/s")
    table = _table(question, columns)
    for result in report.results:
        for point in result.points:
            if point.question == question:
                table.add_row(
                    result.engine,
                    str(point.effort),
                    f"{point.recall:.3f}",
                    f"{point.p50:.2f}",
                    f"{point.p99:.2f}",
                    f"{point.cpu:.2f}",
                    f"{point.rate:,.0f}",
                )
    return table


def _of_storing(report: Report) -> Table:
    rates = [heading for rate in RATES for heading in (rate, "on disk")]
    table = _table(
        "storing: rows/s by writers x rows in a batch",
        ("engine", "on disk at once", *rates, "indexed", "RAM B/row", "disk B/row"),
        "indexed: on disk and indexed, in batches of 1,000; RAM without mapped files",
    )
    for result in report.results:
        stored = (result.ingest, result.synced)
        figures = [known.get(rate, math.nan) for rate in RATES for known in stored]
        figures += [result.indexed, result.memory, result.disk]
        name = f"{result.engine} {result.version}"
        table.add_row(name, result.kept, *(f"{figure:,.0f}" for figure in figures))
    return table


def _of_adds(report: Report) -> Table:
    table = _table(
        "searches, text -> images, while rows are added in batches of 100",
        ("engine", "rows/s", "p99 ms without", "p99 ms with", "ratio"),
        "the ratio is the median over rounds, each without and with adds",
    )
    for result in report.results:
        if adds := result.adds:
            figures = (adds["p99 idle"], adds["p99 busy"], adds["ratio"])
            table.add_row(
                result.engine, f"{adds['rate']:,.0f}", *(f"{figure:.2f}" for figure in figures)
            )
    return table


def _table(title: str, headings: Sequence[str], caption: str = "") -> Table:
    table = Table(title=title, caption=caption)
    for place, heading in enumerate(headings):
        table.add_column(heading, justify="right" if place else "left")
    return table


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "?")
