"""`kindred evaluate`: how well a model's vectors find each other."""

import dataclasses
import json
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from service.cli import options
from service.cli.refusal import needs
from service.cli.show import answers, progress
from service.settings import load_settings

if TYPE_CHECKING:
    from embedder.evaluate import Report


def evaluate(
    data: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, metavar="DIR", help="Folder of shards."),
    ],
    model: Annotated[str, typer.Option(help="Name of the model.")] = "kindred-mini",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of a forward pass.")] = None,
    names: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Classes to tell apart all at once: one a line, synonyms between commas.",
        ),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Prints retrieval figures on the held-out part of shards, beside what chance would reach.

    R@10 is the share of questions with a right answer among the first ten.

    For example:

        kindred evaluate --data shared/data --names shared/teachers/imagenet_labels.txt
    """
    with needs("train"):
        from embedder.catalog import load
        from embedder.evaluate import evaluate

    with progress("embedding") as bar:
        task = bar.add_task("", total=None)
        settings = load_settings()
        embedder = load(
            model, threads=threads, runtime=settings.chosen_runtime, cache=settings.cache
        )
        report = evaluate(
            embedder,
            data,
            names=_lines(names) if names else None,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    if as_json:
        figures = [dataclasses.asdict(figure) for figure in report.figures]
        typer.echo(json.dumps({"model": model, "space": embedder.space.id, "figures": figures}))
    else:
        answers().print(figures_table(report))


def _lines(path: Path) -> list[str]:
    """Returns the classes of a file; what a classifier calls "background" is none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and line.strip() != "background"]


def figures_table(report: "Report") -> Table:
    """Returns the figures, one section a direction."""
    table = Table(header_style="bold")
    for column in ("direction", "dataset", "metric"):
        table.add_column(column)
    for column in ("value", "chance", "queries"):
        table.add_column(column, justify="right")
    for direction, group in groupby(report.figures, key=lambda figure: figure.direction):
        table.add_section()
        for number, figure in enumerate(group):
            table.add_row(
                direction if number == 0 else "",
                figure.dataset,
                figure.metric,
                f"{figure.value:.3f}",
                "" if figure.chance is None else f"{figure.chance:.3f}",
                str(figure.count),
            )
    return table
