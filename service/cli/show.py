"""What a person sees: answers on standard output, everything else on standard error."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from service.messages import ModelInfo, SearchHit

MODALITY_STYLES = {"text": "cyan", "image": "green", "audio": "magenta"}


def answers() -> Console:
    """Returns the console of what was asked for; pipes get it without colours."""
    return Console(highlight=False, soft_wrap=False)


def notes() -> Console:
    """Returns the console of progress and complaints, out of the way of pipes."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def progress(what: str) -> Progress:
    """Returns a bar that leaves no trace; a log, which can't take back a line, gets none."""
    console = notes()
    columns = (what, BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def complain(message: str) -> None:
    """Says in one line what is wrong."""
    notes().print(Text.assemble(("error: ", "bold red"), message))


def modality_text(modality: str) -> Text:
    """Returns a modality's name in its colour."""
    return Text(modality, style=MODALITY_STYLES.get(modality, ""))


def hits_table(hits: Sequence[SearchHit], title: str | None = None) -> Table:
    """Returns the hits of a search, best first."""
    table = Table(title=title and escape(title), title_justify="left", header_style="bold")
    table.add_column("#", justify="right")
    table.add_column("modality")
    table.add_column("id", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("calibrated", justify="right")
    table.add_column("probability", justify="right")
    for rank, hit in enumerate(hits, start=1):
        table.add_row(
            str(rank),
            modality_text(hit.modality),
            Text(hit.id),
            f"{hit.score:.3f}",
            f"{hit.calibrated:+.2f}",
            f"{hit.probability:.1%}",
        )
    return table


def models_table(models: Sequence[ModelInfo]) -> Table:
    """Returns the models, the default one first."""
    table = Table(header_style="bold")
    for column in (
        "model",
        "modalities",
        "dim",
        "parameters",
        "licence",
        "runtime",
        "device",
        "space",
    ):
        table.add_column(column, overflow="fold")
    for model in models:
        table.add_row(
            model.name,
            ", ".join(model.modalities),
            str(model.dim),
            f"{model.parameters / 1e6:.1f} M",
            model.licence,
            model.runtime,
            model.device,
            model.space,
        )
    return table
