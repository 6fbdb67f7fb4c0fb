"""`kindred bind`: teaches a frozen model to hear."""

from pathlib import Path
from typing import Annotated

import typer

from service.cli.refusal import needs

Base = Annotated[
    str, typer.Option(metavar="MODEL", help="The frozen model, e.g. open_clip:ViT-B-32/openai.")
]
Data = Annotated[
    Path, typer.Option(exists=True, file_okay=False, metavar="DIR", help="Folder of shards.")
]
Out = Annotated[
    Path, typer.Option("--out", "-o", dir_okay=False, metavar="FILE", help="What to write.")
]
Sense = Annotated[str, typer.Option(help="The new sense; audio so far.")]
Start = Annotated[
    str, typer.Option(help="Where the new tower starts: kindred-mini, which hears, or random.")
]
Steps = Annotated[int | None, typer.Option(min=1, help="Optimiser steps.")]
Batch = Annotated[int | None, typer.Option(min=2, help="Sounds a step; fewer need less memory.")]


def bind(  # noqa: PLR0913 - one parameter per option
    base: Base,
    data: Data,
    out: Out,
    modality: Sense = "audio",
    start: Start = "kindred-mini",
    steps: Steps = None,
    batch: Batch = None,
) -> None:
    """Binds sounds to the space of a frozen model of words and pictures.

    Sounds are taught to lie where the model has their captions and, where there are any, pictures
    of what makes them. Run again, it goes on where it stopped. What comes out is one file:

        kindred bind --base open_clip:ViT-B-32/openai --data shards/train -o clip-hears.safetensors
        kindred serve --model bound:clip-hears.safetensors
    """
    _require("modality", modality, ("audio",))
    _require("start", start, ("kindred-mini", "random"))
    with needs("train"):
        from embedder.training.bind import bind_named
        from embedder.training.bind_pairs import recipe_of

    found = bind_named(
        base, data, out, heard=start == "kindred-mini", recipe=recipe_of(steps, batch)
    )
    typer.echo(
        f"{out}: held-out sounds find their text first in {found.first:.1%} "
        f"(chance {found.chance:.1%}), among ten in {found.first_ten:.1%}. "
        f"Serve it with --model bound:{out}"
    )


def _require(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise typer.BadParameter(f"{name} must be {' or '.join(known)}, got {value!r}")
