"""`kindred train`: makes kindred-mini, all stages in order."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.refusal import needs


def train(
    data: Annotated[
        Path, typer.Option(exists=True, file_okay=False, metavar="DIR", help="Folder of shards.")
    ],
    teachers: Annotated[
        Path,
        typer.Option(exists=True, file_okay=False, metavar="DIR", help="Folder of the teachers."),
    ],
    out: Annotated[
        Path,
        typer.Option(
            file_okay=False, metavar="DIR", help="Where targets, checkpoints and logs go."
        ),
    ] = Path("runs/mini"),
) -> None:
    """Trains kindred-mini by its recipe; run again, it goes on where it stopped.

    Finished stages are skipped. Ctrl-C and SIGTERM save a checkpoint first. Every number of the
    recipe is in embedder/training/recipe.py, and every step is logged in DIR as JSON lines.

    For example:

        kindred train --data shared/data --teachers shared/teachers --out runs/mini
    """
    with needs("train"):
        from embedder.training.pipeline import train

    weights = train(data, teachers, out)
    typer.echo(f"The weights are in {weights}.")
