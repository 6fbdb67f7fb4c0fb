"""`kindred index`: a folder's pictures, sounds and texts, into a collection."""

import asyncio
import platform
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer
from rich.text import Text

from service.cli import options
from service.cli.backend import Backend, Where
from service.cli.groups import grouped
from service.cli.refusal import FAILED, INTERRUPTED
from service.cli.show import answers, counted, failures, harmless, notes, progress
from service.ingest.folder import Listing, Stamp, list_files
from service.ingest.ingest import Fate, Ingest, Outcome
from service.messages import NewCollection

MARKS = {
    Fate.ADDED: ("+", "green"),
    Fate.CHANGED: ("~", "green"),
    Fate.UNCHANGED: ("=", "dim"),
    Fate.REMOVED: ("-", "magenta"),
    Fate.PASSED_BY: (".", "yellow"),
    Fate.FAILED: ("x", "red"),
}
KINDS_TOLD = 8
"""Of so many kinds of files it is told how many were passed by."""

NAMES_TOLD = 5
"""So many of the items that are to be removed are named."""

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


@dataclass(frozen=True)
class Prune:
    """What becomes of items whose files are gone."""

    prune: Annotated[
        bool,
        typer.Option(
            "--prune",
            help="Then remove, after asking, what came from FOLDER and is not in it any more.",
        ),
    ] = False
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False

    def check(self) -> None:
        """Makes sure that somebody can answer, before anything is done.

        Raises:
            typer.BadParameter: If nobody can.
        """
        if self.prune and not self.yes and not sys.stdin.isatty():
            raise typer.BadParameter("--prune asks, and nobody can answer here: give --yes as well")


@grouped
def index(  # noqa: PLR0913 - one parameter per group of options
    ctx: typer.Context,
    folder: Folder,
    into: Into,
    prune: Prune,
    place: options.Place,
    verbose: Verbose = False,
) -> None:
    """Adds a folder's media and texts to a collection; run again, only what is new.

    An item's id is its path below FOLDER. What a file is, its content says, not its name; only
    texts are known by .txt, .md and .rst. Of a long text the model reads the beginning: cut it into
    files of a few sentences to find what is further down. A film is two items: what is seen of it,
    and what is heard, whose id has #sound behind it. A file is embedded again when its content has
    changed. What can't be read is named with the reason, and the status is then 1; files that don't
    claim to be media are passed by. Bounds are settings here as well, as KINDRED_MAX_PIXELS=100000.
    Ctrl-C is safe: the next run goes on from there. --prune removes only what this command brought
    in from FOLDER with this --prefix on this machine, and nothing if none of that is left.

    For example:

        kindred index ~/Pictures
        kindred index ~/Pictures --prune
        kindred index ~/Pictures --indexed modified
        kindred index ~/Sounds --collection sounds --server http://localhost:8000
    """
    prune.check()
    work = Work(Where.of(ctx, place.data, place.server), into, Telling(verbose))
    telling, started = work.telling, time.monotonic()
    with _stopped(telling):
        listing = list_files(folder, into.prefix, machine=platform.node())
        gone = asyncio.run(work.index(listing, prunes=prune.prune))
        if gone and (prune.yes or _is_to_go(gone, folder, into.collection)):
            asyncio.run(work.remove(gone))
    _tell(telling, into.collection, time.monotonic() - started)


@contextmanager
def _stopped(telling: "Telling") -> Iterator[None]:
    """Tells how far it has got, whatever stops it.

    Raises:
        typer.Exit: If that is Ctrl-C.
    """
    try:
        yield
    except KeyboardInterrupt:
        notes().print(f"Stopped: {telling.summary()}. Run it again to go on from there.")
        raise typer.Exit(INTERRUPTED) from None
    except Exception:
        if telling.tally:
            notes().print(f"Stopped: {telling.summary()}. Run it again to go on from there.")
        raise


def _tell(telling: "Telling", collection: str, seconds: float) -> None:
    """Tells what came of it.

    Raises:
        typer.Exit: If a file failed.
    """
    if telling.strange:
        notes().print(telling.passed_by())
    if telling.cut:
        notes().print(f"of {telling.cut:,} long texts, only the beginning can be found")
    answers().print(f"{collection}: {telling.summary()}, in {seconds:.1f} s")
    if telling.tally[Fate.FAILED]:
        raise typer.Exit(FAILED)


def _is_to_go(gone: Collection[str], folder: Path, collection: str) -> bool:
    """Asks whether items whose files are gone are to be removed.

    Raises:
        KeyboardInterrupt: If Ctrl-C, or the end of what is typed, is the answer.
    """
    first = [harmless(name) for name in islice(gone, NAMES_TOLD)]
    more = f" and {len(gone) - len(first):,} more" if len(gone) > len(first) else ""
    notes().print(f"Not in {harmless(str(folder))} any more: {', '.join(first)}{more}")
    try:
        return typer.confirm(f"Remove {counted(len(gone))} from {collection}?", err=True)
    except typer.Abort:
        raise KeyboardInterrupt from None


@dataclass(frozen=True)
class Work:
    """What is done of one command, each step on an open collection: none is held while it asks.

    Attributes:
        where: Where the collection is.
        into: Which it is, and how it takes the files.
        telling: Told of every outcome.
    """

    where: Where
    into: Into
    telling: "Telling"

    async def index(self, listing: Listing, *, prunes: bool) -> Mapping[str, Stamp]:
        """Stores what is new, and returns what is gone, if that is asked."""
        from service.ingest.tracks import track_copier  # loads every codec

        settings = self.where.settings
        async with self.where.open() as backend, track_copier(settings) as track_of:
            await backend.ensure_collection(self.into.new)
            ingest = replace(self._ingest(backend), track_of=track_of)
            known = await ingest.survey(listing)
            gone = known.removable() if prunes else {}
            total = len(listing.files) + len(listing.unreadable)
            await self.telling.run(ingest.run(listing, known), "indexing", total)
        if prunes and known.elsewhere:
            notes().print(f"of files elsewhere, and left: {counted(known.elsewhere)}")
        return gone

    async def remove(self, gone: Mapping[str, Stamp]) -> None:
        """Removes what is gone."""
        async with self.where.open() as backend:
            outcomes = self._ingest(backend).remove(gone)
            await self.telling.run(outcomes, "removing", len(gone))

    def _ingest(self, backend: Backend) -> Ingest:
        limit = self.where.settings.max_item_bytes
        return Ingest(backend, self.into.collection, limit, self.into.windows)


@dataclass
class Telling:
    """Tells of every outcome as it comes: on a bar, in a line where it is worth one, in a tally.

    Attributes:
        verbose: Whether every file is worth a line.
        tally: How many files met each fate; it outlives an interruption.
        strange: How the names end of files that were passed by, and how often.
        cut: Of how many texts only the beginning was read.
    """

    verbose: bool = False
    tally: Counter[Fate] = field(default_factory=Counter)
    strange: Counter[str] = field(default_factory=Counter)
    cut: int = 0

    async def run(self, outcomes: AsyncIterator[Outcome], what: str, total: int) -> None:
        """Tells of outcomes on standard error, as they come."""
        with progress(what) as bar:
            task = bar.add_task("", total=total)
            async for outcome in outcomes:
                self.tally[outcome.fate] += 1
                self.cut += outcome.is_cut
                if outcome.fate == Fate.PASSED_BY:
                    self.strange[PurePosixPath(outcome.id).suffix.lower() or "no ending"] += 1
                if self.verbose or outcome.fate == Fate.FAILED:
                    bar.console.print(line(outcome))
                told = failures(self.tally[Fate.FAILED])
                bar.update(task, advance=1, description=told)

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
