"""`kindred demo`: a gallery, questions about it, and then the search page."""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table
from rich.text import Text

from service.cli.backend import Where
from service.cli.index import Telling
from service.cli.serve import run_server
from service.cli.show import answers, show_table
from service.ingest.folder import list_files
from service.ingest.ingest import Ingest
from service.messages import NewCollection, QueryPart, SearchHit, SearchQuery
from service.settings import Settings, load_settings

if TYPE_CHECKING:
    from service.demo.questions import Question
    from service.engine import Engine

COLLECTION = "default"


@dataclass(frozen=True, slots=True)
class Answer:
    """A question and the hit that came first."""

    question: "Question"
    first: SearchHit

    @property
    def is_right(self) -> bool:
        """Whether the expected item came first."""
        return self.first.id == self.question.expected


def demo(
    ctx: typer.Context,
    folder: Annotated[
        Path, typer.Option(metavar="DIR", file_okay=False, help="Where gallery and index are kept.")
    ] = Path("demo"),
    port: Annotated[int | None, typer.Option(help="Port of the search page.")] = None,
    serve: Annotated[
        bool | None,
        typer.Option(help="Serve the search page afterwards.", show_default="in a terminal"),
    ] = None,
) -> None:
    """Indexes photographs and sounds, asks about them in all directions, and serves a search page.

    Nothing is downloaded: the photographs come with scikit-image and scikit-learn, and the sounds
    are computed. No model of ours was trained on any of them.

    For example:

        kindred demo
        kindred demo --folder ~/kindred-demo --no-serve
    """
    from service.demo.gallery import write_gallery

    gallery, data = folder / "gallery", folder / "data"
    write_gallery(gallery)
    found = asyncio.run(_run(Where.of(ctx, data, None), gallery))
    show_table(table(found))
    answers().print(*score(found), sep="\n")
    if serve if serve is not None else sys.stdout.isatty():
        run_server(ctx, _settings(data, port))
    else:
        typer.echo(f"To search it in a browser: kindred serve --data {data}")


def _settings(data: Path, port: int | None) -> Settings:
    """Returns where to serve: on any port, if the usual one is taken and none was asked for."""
    settings = load_settings(data=data, port=port, grpc_port=0, log_level="warning")
    try:
        socket.create_server((settings.host, settings.port)).close()
    except OSError:
        if port is not None:
            raise
        return settings.model_copy(update={"port": 0})
    return settings


async def _run(where: Where, gallery: Path) -> list[Answer]:
    from service.cli.local import LocalBackend
    from service.demo.questions import questions

    async with where.make_engine(where.settings) as engine:
        await _fresh_collection(engine)
        ingest = Ingest(LocalBackend(engine), COLLECTION, where.settings.max_item_bytes)
        telling, started = Telling(), time.monotonic()
        listing = list_files(gallery)
        await telling.run(ingest.run(listing), "indexing", len(listing.files))
        answers().print(f"Gallery: {telling.summary()}, in {time.monotonic() - started:.1f} s")
        return [await _ask(engine, question) for question in questions(gallery)]


async def _fresh_collection(engine: "Engine") -> None:
    """Creates the collection, in place of one that another model's vectors are in."""
    space = engine.models()[0].space
    for info in await engine.collections.list():
        if info.name == COLLECTION and info.space == space:
            return
        if info.name == COLLECTION:
            await engine.collections.delete(COLLECTION)
    await engine.collections.create(NewCollection(COLLECTION))


async def _ask(engine: "Engine", question: "Question") -> Answer:
    query = SearchQuery([QueryPart(question.content)], k=1, modalities=(question.modality,))
    answer = await engine.collections.search(COLLECTION, query)
    return Answer(question, answer.hits[0])


def table(found: Sequence[Answer]) -> Table:
    """Returns questions and first hits, one section a direction."""
    table = Table(header_style="bold")
    for column in ("direction", "question", "first hit"):
        table.add_column(column, overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("")
    for direction, group in groupby(found, key=lambda answer: answer.question.direction):
        table.add_section()
        for number, answer in enumerate(group):
            table.add_row(
                direction if number == 0 else "",
                Text(answer.question.words),
                Text(answer.first.id),
                f"{answer.first.score:.3f}",
                Text("✓", "green") if answer.is_right else Text("✗", "red"),
            )
    return table


def score(found: Sequence[Answer]) -> Iterator[str]:
    """Yields for each direction how many questions had the expected item first."""
    for direction, group in groupby(found, key=lambda answer: answer.question.direction):
        rights = [answer.is_right for answer in group]
        yield f"{direction}: the expected one first in {sum(rights)} of {len(rights)}"
