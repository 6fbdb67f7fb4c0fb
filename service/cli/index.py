"""`kindred index`: a folder's pictures, sounds and texts, into a collection."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from rich.text import Text

from service.cli import options
from service.cli.backend import Where
from service.cli.groups import grouped
from service.cli.refusal import FAILED, INTERRUPTED
from service.cli.show import answers, harmless, notes, progress
from service.ingest.folder import Listing, list_files
from service.ingest.ingest import Fate, Ingest, Outcome
from service.messages import NewCollection

MARKS = {
    Fate.ADDED: ("+", "green"),
    Fate.CHANGED: ("~", "green"),
    Fate.UNCHANGED: ("=", "dim"),
    Fate.PASSED_BY: ("-", "yellow"),
    Fate.FAILED: ("x", "red"),
}
KINDS_TOLD = 8
"""Of so many kinds of files it is told how many were passed by."""

Folder = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="Where the files are, at any depth.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Name every file.")]


@dataclass(frozen=True)
class Into:
    """The collection, and how it takes the files."""

    collection: options.Collection = "default"
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Put before every id, to keep two folders apart.")
    ] = ""
    windows: Annotated[
        bool,
        typer.Option(help="Keep windows of longer sounds and films: hits tell where they match."),
    ] = True
    indexed: options.Indexed = None
    structure: options.Structure = None

    @property
    def new(self) -> NewCollection:
        """What is created, unless it exists."""
        indexed = tuple(self.indexed or ())
        return NewCollection(self.collection, indexed=indexed, structure=self.structure)


@grouped
def index(
    ctx: typer.Context,
    folder: Folder,
    into: Into,
    place: options.Place,
    verbose: Verbose = False,
) -> None:
    """Adds a folder's media and texts to a collection; run again, only what is new.

    An item's id is its path below FOLDER. What a file is, its content says, not its name; only
    texts are known by .txt. A film is two items: what is seen of it, and what is heard, whose id
    has #sound behind it. A file is embedded again when its content has changed. What can't be read
    is named with the reason, and the status is then 1; files that don't claim to be media are
    passed by. Bounds are settings here as well: KINDRED_MAX_PIXELS=100000000. Ctrl-C is safe: the
    next run goes on from there.

    For example:

        kindred index ~/Pictures
        kindred index ~/Pictures --indexed modified
        kindred index ~/Sounds --collection sounds --server http://localhost:8000
    """
    where = Where.of(ctx, place.data, place.server)
    telling, started = Telling(verbose), time.monotonic()
    try:
        asyncio.run(_index(where, into, list_files(folder, into.prefix), telling))
    except KeyboardInterrupt:
        notes().print(f"Stopped: {telling.summary()}. Run it again to go on from there.")
        raise typer.Exit(INTERRUPTED) from None
    seconds = time.monotonic() - started
    if telling.strange:
        notes().print(telling.passed_by())
    answers().print(f"{into.collection}: {telling.summary()}, in {seconds:.1f} s")
    if telling.tally[Fate.FAILED]:
        raise typer.Exit(FAILED)


async def _index(where: Where, into: Into, listing: Listing, telling: "Telling") -> None:
    from service.ingest.tracks import track_copier  # loads every codec

    limit = where.settings.max_item_bytes
    async with where.open() as backend, track_copier(where.settings) as track_of:
        await backend.ensure_collection(into.new)
        ingest = Ingest(backend, into.collection, limit, into.windows, track_of)
        await telling.run(ingest, listing)


@dataclass
class Telling:
    """Tells of every outcome as it comes: on a bar, in a line where it is worth one, in a tally.

    Attributes:
        verbose: Whether every file is worth a line.
        tally: How many files met each fate; it outlives an interruption.
        strange: How the names end of files that were passed by, and how often.
    """

    verbose: bool = False
    tally: Counter[Fate] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)

    async def run(self, ingest: Ingest, listing: Listing) -> None:
        """Runs the ingest and tells of it on standard error."""
        total = len(listing.files) + len(listing.unreadable)
        with progress("indexing") as bar:
            task = bar.add_task("", total=total)
            async for outcome in ingest.run(listing):
                self.tally[outcome.fate] += 1
                if outcome.fate == Fate.PASSED_BY:
                    self.strange[PurePosixPath(outcome.id).suffix.lower() or "no ending"] += 1
                if self.verbose or outcome.fate == Fate.FAILED:
                    bar.console.print(line(outcome))
                bar.advance(task)

    def summary(self) -> str:
        """Returns the counts in words; a fate that no file met is not mentioned."""
        counts = [f"{self.tally[fate]} {fate}" for fate in Fate if self.tally[fate]]
        return ", ".join(counts) or "no file"

    def passed_by(self) -> str:
        """Returns of which kinds the files were that are neither media nor texts."""
        most = self.strange.most_common(KINDS_TOLD)
        told = ", ".join(f"{count} {harmless(ending)}" for ending, count in most)
        rest = self.strange.total() - sum(count for _, count in most)
        return f"passed by: {told}" + (f", {rest} others" if rest else "")


def line(outcome: Outcome) -> Text:
    """Returns an outcome in one line: mark, id, reason."""
    mark, style = MARKS[outcome.fate]
    told = f"{outcome.id}: {outcome.reason}" if outcome.reason else outcome.id
    return Text.assemble((f"{mark} ", style), harmless(told))
