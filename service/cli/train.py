"""`kindred train`: makes kindred-mini, all stages in order, or the generator that listens to it."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.refusal import needs

Data = Annotated[
    Path, typer.Option(exists=True, file_okay=False, metavar="DIR", help="Folder of shards.")
]
Teachers = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, metavar="DIR", help="Folder of the teachers."),
]
Out = Annotated[
    Path,
    typer.Option(file_okay=False, metavar="DIR", help="Where targets, checkpoints and logs go."),
]
Generator = Annotated[
    bool, typer.Option("--generator", help="Make the generator kindred-demo instead; no teachers.")
]
Bridges = Annotated[
    bool,
    typer.Option(
        "--bridges", help="Fit the bridges to pictures alone, of finished weights; no teachers."
    ),
]
Device = Annotated[str, typer.Option(help="Where the generator trains: cpu or cuda.")]


def train(  # noqa: PLR0913 - one parameter per option
    data: Data,
    teachers: Teachers = None,
    out: Out = Path("runs/mini"),
    generator: Generator = False,
    bridges: Bridges = False,
    device: Device = "cpu",
) -> None:
    """Trains kindred-mini by its recipe; run again, it goes on where it stopped.

    Finished stages are skipped. Ctrl-C and SIGTERM save a checkpoint first. Every number of the
    recipe is in embedder/training/recipe.py, and every step is logged in DIR as JSON lines.

    For example:

        kindred train --data shared/data --teachers shared/teachers --out runs/mini

    The generator learns from pictures and their vectors by the kindred-mini in DIR, or else by the
    bundled one:

        kindred train --generator --data shared/data --out runs/mini --device cuda

    The bridges from words and sounds to pictures are the last stage, and can be fitted alone:

        kindred train --bridges --data shared/data --out runs/mini
    """
    with needs("train"):
        from embedder.training.pipeline import train, train_bridges, train_generator

    if generator:
        weights = train_generator(data, out, device)
    elif bridges:
        weights = train_bridges(data, out)
    elif teachers is None:
        raise typer.BadParameter("--teachers must be given, except with --generator or --bridges")
    else:
        weights = train(data, teachers, out)
    typer.echo(f"The weights are in {weights}.")
