"""`kindred evaluate`: how well a model's vectors find each other."""

import dataclasses
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table

from service.cli.evaluate_options import BUNDLED, Beside, Folder, Instead, Judged, Told
from service.cli.groups import grouped
from service.cli.refusal import needs
from service.cli.show import moving, progress, show_table
from service.settings import load_settings

if TYPE_CHECKING:
    from embedder.base import Embedder
    from embedder.evaluate import Report


@grouped
def evaluate(data: Folder, judged: Judged, beside: Beside, instead: Instead, told: Told) -> None:
    """Prints retrieval figures on the held-out part of shards, beside what chance would reach.

    R@10 is the share of questions with a right answer among the first ten.

    For example:

        kindred evaluate --data shared/data --names shared/teachers/imagenet_labels.txt

    With a finished training, also what its teachers reach in their joint space:

        kindred evaluate --data DIR --run runs/mini --teachers DIR

    Whether what the generator makes is what was meant, of photos, words and sounds:

        kindred evaluate --data DIR --generated 100

    How well words and sounds are led to pictures, and strangers told from a collection's own:

        kindred evaluate --data DIR --conditioning
    """
    trained = beside.folders()
    if beside.rebind and (trained is None or judged.model != BUNDLED):
        raise typer.BadParameter(f"--rebind needs --run, and binds {BUNDLED} alone")
    asked = _lines(judged.names) if judged.names else None
    embedder = _load(judged.model, judged.threads)
    report = _report(embedder, data, instead, asked)
    if judged.demo:
        report = report.plus(_by_name(embedder))
    if trained:
        report = _beside(report, (data, *trained), asked, embedder if beside.rebind else None)
    if told.as_json:
        typer.echo(_json(report, embedder))
    elif told.markdown:
        typer.echo(_conditioning_card(report) if instead.conditioning else _card(report))
    else:
        show_table(figures_table(report))


def _report(
    embedder: "Embedder", data: Path, instead: Instead, names: Sequence[str] | None
) -> "Report":
    if instead.conditioning:
        return _conditioning(embedder, data, instead.bridges)
    if instead.generated is None:
        return _judged(embedder, data, names)
    return _generated(embedder, data, instead.generated, instead.generator)


def _load(model: str, threads: int | None) -> "Embedder":
    from embedder.catalog import load

    return load(model, dataclasses.replace(load_settings().placement, threads=threads))


def _judged(embedder: "Embedder", data: Path, names: Sequence[str] | None) -> "Report":
    with needs("train"):
        from embedder.evaluate import evaluate

    with progress("embedding") as bar:
        task = bar.add_task("", total=None)
        return evaluate(
            embedder,
            data,
            names=names,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )


def _generated(embedder: "Embedder", data: Path, count: int, weights: Path | None) -> "Report":
    """Returns the figures of a generator in the embedder's space, asked as `generate` asks it."""
    with needs("train"):
        from embedder.evaluate.generated import Maker, evaluate_generated
    from embedder.conditioning.bridge import Choice
    from embedder.conditioning.bridge_file import find_bridges
    from embedder.conditioning.generator.sampler import Generator, PictureSampling
    from embedder.conditioning.generator.weights import WEIGHTS

    loaded = Generator.load(weights or WEIGHTS, space=embedder.space.id)
    with moving(progress("making pictures")) as advance:
        maker = Maker(
            embedder=embedder,
            bridges=find_bridges(embedder.space),
            generator=loaded,
            choice=Choice(),
            sampling=PictureSampling(),
            progress=advance,
        )
        return evaluate_generated(maker, data, count)


def _conditioning(embedder: "Embedder", data: Path, bridges: Path | None) -> "Report":
    """Returns figures of bridges and densities."""
    with needs("train"):
        from embedder.conditioning.bridge_file import find_bridges, load_bridges
        from embedder.evaluate.conditioning import judge_conditioning

    space = embedder.space
    found = load_bridges(space, bridges) if bridges else find_bridges(space)
    with moving(progress("embedding")) as told:
        return judge_conditioning(embedder, found, data, told)


def _by_name(embedder: "Embedder") -> "Report":
    from service.demo.by_name import by_name

    return by_name(embedder)


def _beside(
    report: "Report",
    folders: tuple[Path, Path, Path],
    names: Sequence[str] | None,
    bound: "Embedder | None",
) -> "Report":
    """Returns the report with what the teachers reach, and with what binding a model again gives.

    Args:
        report: On the data.
        folders: Data, teachers and run.
        names: What the report was made with.
        bound: The model whose sounds are bound again, if any.
    """
    with needs("train"):
        from embedder.evaluate.beside import beside_teachers, rebound
        from embedder.training.kept import read_kept

    kept = read_kept(*folders)
    report = beside_teachers(report, kept, names)
    return report.plus(rebound(bound, kept)) if bound else report


def _lines(path: Path) -> list[str]:
    """Returns the classes of a file; what a classifier calls "background" is none."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and line.strip() != "background"]


def _json(report: "Report", embedder: "Embedder") -> str:
    figures = [dataclasses.asdict(figure) for figure in report.figures]
    return json.dumps({"model": embedder.name, "space": embedder.space.id, "figures": figures})


def _card(report: "Report") -> str:
    from embedder.evaluate.card import card

    return card(report)


def _conditioning_card(report: "Report") -> str:
    from embedder.evaluate.conditioning_card import conditioning_card

    return conditioning_card(report)


def figures_table(report: "Report") -> Table:
    """Returns the figures, one section a direction."""
    table = Table(header_style="bold")
    for column in ("direction", "dataset", "metric"):
        table.add_column(column)
    for column in ("value", "ceiling", "chance", "queries"):
        table.add_column(column, justify="right")
    for direction, group in groupby(report.figures, key=lambda figure: figure.direction):
        table.add_section()
        for number, figure in enumerate(group):
            table.add_row(
                direction if number == 0 else "",
                figure.dataset,
                figure.metric,
                f"{figure.value:.3f}",
                _number(figure.ceiling),
                _number(figure.chance),
                str(figure.count),
            )
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
