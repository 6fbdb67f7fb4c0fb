"""Options that several commands share, worded once."""

from pathlib import Path
from typing import Annotated

import typer

from embedder.media import Modality

Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="DIR",
        help="Folder of the collections, opened in this process. Default: kindred-data.",
    ),
]
Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="KINDRED_SERVER",
        help="Ask a running server instead: http://localhost:8000 or grpc://localhost:50051.",
    ),
]
Collection = Annotated[
    str,
    typer.Option("--collection", "-c", envvar="KINDRED_COLLECTION", help="Name of the collection."),
]
Images = Annotated[
    list[Path] | None,
    typer.Option(
        "--image", metavar="FILE", exists=True, dir_okay=False, help="A picture. Repeatable."
    ),
]
Sounds = Annotated[
    list[Path] | None,
    typer.Option(
        "--audio", metavar="FILE", exists=True, dir_okay=False, help="A sound. Repeatable."
    ),
]
Modalities = Annotated[
    list[Modality] | None,
    typer.Option("--modality", "-m", help="Answer only with these. Repeatable."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
