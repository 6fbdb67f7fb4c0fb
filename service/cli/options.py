"""Options that several commands share, or that would crowd the one they belong to, worded once."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from embedder.media import Modality
from service.terms import Priority

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
        help="Ask a running server instead: http://localhost:8000 or grpc://localhost:50051; with "
        "TLS https://... or grpcs://...",
    ),
]
ApiKey = Annotated[
    str | None,
    typer.Option(
        "--api-key", metavar="KEY", envvar="KINDRED_API_KEY", help="Shown to the server asked."
    ),
]
Authorities = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        metavar="FILE",
        envvar="KINDRED_CA",
        exists=True,
        dir_okay=False,
        help="Authorities (PEM) that the server's certificate may be of. Default: the system's.",
    ),
]
Certificate = Annotated[
    Path | None,
    typer.Option(
        "--client-certificate",
        metavar="FILE",
        envvar="KINDRED_CLIENT_CERTIFICATE",
        exists=True,
        dir_okay=False,
        help="Shown to a server that asks for one (--tls-client-ca), with --client-key. PEM.",
    ),
]
CertificateKey = Annotated[
    Path | None,
    typer.Option(
        "--client-key",
        metavar="FILE",
        envvar="KINDRED_CLIENT_KEY",
        exists=True,
        dir_okay=False,
        help="Its private key (PEM).",
    ),
]
Urgency = Annotated[
    Priority | None,
    typer.Option(
        "--priority",
        envvar="KINDRED_PRIORITY",
        help="Who goes first at the server asked. Default: asking is interactive, storing bulk.",
    ),
]
Collection = Annotated[
    str,
    typer.Option("--collection", "-c", envvar="KINDRED_COLLECTION", help="Name of the collection."),
]
Indexed = Annotated[
    list[str] | None,
    typer.Option(
        "--indexed",
        metavar="FIELD",
        help="A field of metadata that filters ask for often, to be indexed. Repeatable.",
    ),
]
Structure = Annotated[
    str | None,
    typer.Option(
        metavar="ivf|graph",
        help="What a new collection finds by where a modality is large: inverted lists of codes, "
        "or a graph, which takes longer to build and more disk.",
    ),
]
CollectionArgument = Annotated[
    str, typer.Argument(metavar="COLLECTION", help="Name of the collection.")
]
Texts = Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Each is one text.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="[WORDS]...", help="What to look for.")]
Images = Annotated[
    list[Path] | None,
    typer.Option(
        "--image",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A picture, or a film for what is seen of it. Repeatable.",
    ),
]
Sounds = Annotated[
    list[Path] | None,
    typer.Option(
        "--audio",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        help="A sound, or a film for what is heard of it. Repeatable.",
    ),
]
Likes = Annotated[
    list[str] | None,
    typer.Option("--like", metavar="ID", help="A stored item, for more of its kind. Repeatable."),
]
Negatives = Annotated[
    list[str] | None,
    typer.Option("--negative", metavar="WORDS", help="What to keep away from. Repeatable."),
]
K = Annotated[int, typer.Option("-k", min=1, help="Number of hits.")]
Modalities = Annotated[
    list[Modality] | None,
    typer.Option("--modality", "-m", help="Answer only with these. Repeatable."),
]
Filter = Annotated[
    str,
    typer.Option(
        "--filter", metavar="JSON", help="Condition on metadata, id, modality or created."
    ),
]
MinScore = Annotated[
    float | None, typer.Option("--min-score", metavar="COSINE", help="Leave weaker hits out.")
]
Exact = Annotated[bool, typer.Option("--exact", help="Compare every item, however long it takes.")]
Windows = Annotated[
    bool,
    typer.Option(
        "--windows",
        help="Also print the vectors of the windows of sounds and films, each of some seconds.",
    ),
]
Array = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE.npy", help="Write an (n, dim) float32 array."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]


@dataclass(frozen=True)
class Place:
    """Where a command works; see `service.cli.backend.Where`."""

    data: Data = None
    server: Server = None
