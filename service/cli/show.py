"""What a person sees: answers on standard output, everything else on standard error."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from embedder.catalog import FAMILIES, ModelSpec
from embedder.media import Modality
from embedder.windows import Window
from service.messages import ModelInfo, SearchHit

PIPE_WIDTH = 200
"""Columns where no terminal says how many there are."""

NARROW = 60
"""Columns below which a table is no help."""

MODALITY_STYLES = {Modality.TEXT: "cyan", Modality.IMAGE: "green", Modality.AUDIO: "magenta"}


def answers() -> Console:
    """Returns the console of what was asked for; pipes get it wide and without colours."""
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    return console


def notes() -> Console:
    """Returns the console of progress and complaints, out of the way of pipes."""
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def show_table(table: Table, console: Console | None = None) -> None:
    """Prints a table, of which nothing is cut off; in a narrow terminal, a line for each cell.

    Args:
        table: With headers in words.
        console: That of answers, by default.
    """
    console = console or answers()
    for column in table.columns:
        column.overflow = "fold"
    if console.width >= NARROW:
        console.print(table)
        return
    for row in zip(*(column.cells for column in table.columns), strict=True):
        for column, cell in zip(table.columns, row, strict=True):
            named = f"{column.header} " if column.header else ""
            console.print(Text.assemble((named, "bold"), cell or ""))
        console.print()


def progress(what: str) -> Progress:
    """Returns a bar that leaves no trace; a log, which can't take back a line, gets none.

    The description of its task stands behind it: see `failures`.
    """
    console = notes()
    failed = TextColumn("[red]{task.description}")
    columns = (what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), failed)
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def failures(count: int) -> str:
    """Returns what is told behind a bar of how many have failed by now."""
    return f"{count:,} failed" if count else ""


def transfer(what: str) -> Progress:
    """Returns the bar of a file on its way; it only shows that work is done while nothing moves."""
    console = notes()
    columns = (what, BarColumn(), DownloadColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def moving(bar: Progress) -> Iterator[Callable[[int, int], object]]:
    """Yields what moves a bar when it is told how much is done and how much is to do in all."""
    with bar:
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def harmless(text: str) -> str:
    """Returns a text in one line, without what a terminal would obey: a file may have any name."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def counted(items: int) -> str:
    """Returns how many items there are, in words."""
    return f"{items:,} item{'' if items == 1 else 's'}"


def complain(message: str) -> None:
    """Says what is wrong; whoever worded it, a terminal obeys none of it."""
    told = "\n".join(map(harmless, message.splitlines()))
    notes().print(Text.assemble(("error: ", "bold red"), told))


def hits_table(hits: Sequence[SearchHit]) -> Table:
    """Returns the hits of a search, best first."""
    table = Table(header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("modality")
    table.add_column("id", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("calibrated", justify="right")
    table.add_column("probability", justify="right")
    for rank, hit in enumerate(hits, start=1):
        table.add_row(
            str(rank),
            Text(hit.modality, MODALITY_STYLES[hit.modality]),
            Text(hit.id + (f" {moment(hit.at)}" if hit.at else "") + _called(hit)),
            f"{hit.score:.3f}",
            f"{hit.calibrated:+.2f}",
            f"{hit.probability:.1%}",
        )
    return table


def _called(hit: SearchHit) -> str:
    """Returns what an upload was called, whose id may be a digest."""
    name = hit.metadata.get("filename")
    return f" {harmless(name)}" if isinstance(name, str) and name != hit.id else ""


def moment(window: Window) -> str:
    """Returns where in a sound or a film something is."""
    return f"at {window.start:.1f}-{window.end:.1f} s"


def models_table(models: Sequence[ModelInfo]) -> Table:
    """Returns the models side by side, the default one first."""
    table = Table("", *(model.name for model in models), header_style="bold")
    for name, value in _MODEL_ROWS.items():
        table.add_row(name, *(Text(value(model)) for model in models))
    return table


def specs_table(specs: Sequence[ModelSpec], *, narrow: bool = False) -> Table:
    """Returns models that may be loaded, one a row, without loading any.

    Args:
        specs: The models.
        narrow: Whether other columns are broken before the names are, which people copy.
    """
    table = Table(header_style="bold")
    widths = {"licence": 12, "weights": 16} if narrow else {}
    for column in ("name", "modalities", "dim", "parameters", "licence", "weights"):
        table.add_column(column, overflow="fold", max_width=widths.get(column))
    for spec in specs:
        table.add_row(
            Text(spec.name),
            ", ".join(spec.modalities),
            str(spec.dim or "?"),
            f"{spec.parameters / 1e6:.1f} M" if spec.parameters else "?",
            _terms(spec.licence, non_commercial=spec.non_commercial),
            _whereabouts(spec),
        )
    return table


def _whereabouts(spec: ModelSpec) -> str:
    if spec.is_here():
        return "bundled" if spec.weights == "bundled" else "here"
    return f"to be downloaded ({spec.bytes / 1e6:,.0f} MB)" if spec.bytes else "to be downloaded"


def families_table() -> Table:
    """Returns how models are named that are not bundled."""
    table = Table("more models", "", header_style="bold")
    for family in FAMILIES.values():
        table.add_row(Text(family.pattern), Text(family.description))
    return table


def _terms(licence: str, *, non_commercial: bool) -> str:
    return f"{licence} (no commercial use)" if non_commercial else licence


_MODEL_ROWS: Mapping[str, Callable[[ModelInfo], str]] = {
    "modalities": lambda model: ", ".join(model.modalities),
    "dim": lambda model: str(model.dim),
    "parameters": lambda model: f"{model.parameters / 1e6:.1f} M",
    "licence": lambda model: _terms(model.licence, non_commercial=model.non_commercial),
    "runtime": lambda model: f"{model.runtime} on {model.device}, {model.precision}",
    "cosine to float32": lambda model: f"{model.fidelity:.5f}",
    "space": lambda model: model.space,
}
