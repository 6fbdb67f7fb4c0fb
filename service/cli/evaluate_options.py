"""What `kindred evaluate` may be told, in groups: what is judged, beside what, how it is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from service.cli import options

BUNDLED = "kindred-mini"

Folder = Annotated[
    Path, typer.Option(exists=True, file_okay=False, metavar="DIR", help="Folder of shards.")
]


@dataclass(frozen=True)
class Judged:
    """The model, and what is asked of it beside the usual."""

    model: Annotated[str, typer.Option(help="Name of the model.")] = BUNDLED
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of a forward pass.")] = None
    names: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            dir_okay=False,
            metavar="FILE",
            help="Classes to tell apart all at once: one a line, synonyms between commas.",
        ),
    ] = None
    demo: Annotated[
        bool, typer.Option("--demo", help="Ask for the demo's gallery by name too.")
    ] = False


@dataclass(frozen=True)
class Beside:
    """A finished training, for what its teachers reach."""

    run: Annotated[
        Path | None,
        typer.Option(
            exists=True,
            file_okay=False,
            metavar="DIR",
            help="Folder that `kindred train` made of this data: adds what its teachers reach.",
        ),
    ] = None
    teachers: Annotated[
        Path | None,
        typer.Option(
            exists=True, file_okay=False, metavar="DIR", help="Folder of that run's teachers."
        ),
    ] = None
    rebind: Annotated[
        bool,
        typer.Option(
            "--rebind",
            help="Bind sounds again, with each fold held out in turn and to pictures alone. "
            "Minutes.",
        ),
    ] = False

    def folders(self) -> tuple[Path, Path] | None:
        """Returns the folders of the teachers and of their run, if they were given.

        Raises:
            typer.BadParameter: If only one was.
        """
        if self.run and self.teachers:
            return self.teachers, self.run
        if self.run or self.teachers:
            raise typer.BadParameter("--run and --teachers go together: give both or neither")
        return None


@dataclass(frozen=True)
class Instead:
    """What is judged in the place of a model's vectors."""

    generated: Annotated[
        int | None,
        typer.Option(
            metavar="COUNT",
            min=1,
            help="Judge the generator instead: make so many pictures of each kind and embed them.",
        ),
    ] = None
    generator: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The generator that --generated judges. Default: bundled."
        ),
    ] = None
    conditioning: Annotated[
        bool,
        typer.Option(
            "--conditioning", help="Judge bridges to pictures and densities instead. Minutes."
        ),
    ] = False
    bridges: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The bridges that --conditioning judges. Default: bundled."
        ),
    ] = None


@dataclass(frozen=True)
class Told:
    """What is printed."""

    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the tables of the model card instead.")
    ] = False
    as_json: options.AsJson = False
