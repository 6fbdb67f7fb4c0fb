"""`kindred jobs`: long work that a server does by itself."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from service.cli import options
from service.cli.backend import Server
from service.cli.groups import grouped
from service.cli.refusal import RefusingGroup
from service.cli.show import answers, show_table
from service.cli.watching import print_errors, summary, watch_job

if TYPE_CHECKING:
    import kindred

commands = typer.Typer(
    cls=RefusingGroup,
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="""Long work that a server does by itself, behind every question.

A job reads only what lies below the folders that the server's `--job-folder` names. It goes on when
nobody watches, and after the server's next start; what is stored is not embedded again. Ctrl-C
only ends watching.

For example:

    kindred jobs index /photos --collection album --server http://localhost:8000
    kindred jobs index /photos/list.jsonl --server http://localhost:8000
    kindred jobs reembed photos photos-2 --model other --alias photos --server http://localhost:8000
""",
)

TheServer = Annotated[
    str,
    typer.Option(
        "--server",
        metavar="URL",
        envvar="KINDRED_SERVER",
        help="As of `kindred index`; jobs are its.",
    ),
]
JobId = Annotated[str, typer.Argument(metavar="ID", help="As `kindred jobs list` shows it.")]
Wait = Annotated[bool, typer.Option(help="Watch it until it is over.")]
MANIFEST_SUFFIX = ".jsonl"


@dataclass(frozen=True)
class Files:
    """Which files are brought in, and how."""

    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="A folder on the server; or a manifest there, FILE.jsonl."
        ),
    ]
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Put before every id, of a folder.")
    ] = ""
    windows: Annotated[bool, typer.Option(help="Keep windows of longer sounds and films.")] = True
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Then remove what jobs brought in of files that are gone."),
    ] = False

    def task(self) -> "kindred.IngestFolder | kindred.IngestManifest":
        """Returns what the server is asked to do.

        Raises:
            typer.BadParameter: If a manifest is to be pruned.
        """
        import kindred

        if not self.path.endswith(MANIFEST_SUFFIX):
            return kindred.IngestFolder(self.path, self.prefix, self.windows, self.prune)
        if self.prune:
            raise typer.BadParameter("--prune is of folders: no manifest tells what is gone")
        return kindred.IngestManifest(self.path, self.windows)


@commands.command()
@grouped
def index(
    ctx: typer.Context,
    files: Files,
    server: TheServer,
    collection: options.Collection = "default",
    wait: Wait = True,
) -> None:
    """Has the server bring in a folder, or the files of a manifest: only what is new.

    A manifest has a JSON object a line: path, and if wanted id and metadata. --prune removes, of a
    folder, only what jobs brought in from PATH with this --prefix; the job fails, and does nothing,
    if none of that is there: no disk may be mounted.

    For example:

        kindred jobs index /photos --collection album --server http://localhost:8000
        kindred jobs index /photos --collection album --prune --server http://localhost:8000
        kindred jobs index /photos/list.jsonl --server http://localhost:8000
    """
    task = files.task()
    with Server.of(ctx, server).client as client:
        _begun(client, _job_into(client, collection, task), wait, server)


@commands.command()
def reembed(  # noqa: PLR0913 - one parameter per option
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The collection to read.")],
    collection: options.CollectionArgument,
    server: TheServer,
    model: Annotated[str | None, typer.Option(help="Whose space; by default the first.")] = None,
    windows: Annotated[bool, typer.Option(help="Keep windows of longer sounds and films.")] = True,
    alias: Annotated[
        str | None,
        typer.Option(help="Made to stand for the new collection when every item went over."),
    ] = None,
    allow_failed: Annotated[
        bool, typer.Option("--allow-failed", help="Swap it though items failed.")
    ] = False,
    drop_source: Annotated[
        bool, typer.Option("--drop-source", help="Delete the old collection then.")
    ] = False,
    wait: Wait = True,
) -> None:
    """Has the server embed a collection again, from the media it kept, into a new one.

    With --alias, clients that ask by that name go on meanwhile, and find the new collection from
    one moment to the next; what they write to the old one until then goes over as well.

    For example:

        kindred jobs reembed photos photos-2 --model other --alias photos --server http://localhost:8000
    """
    import kindred

    task = kindred.Reembed(source, model, windows, alias, allow_failed, drop_source)
    with Server.of(ctx, server).client as client:
        _begun(client, client.create_job(collection, task), wait, server)


@commands.command("list")
def list_(ctx: typer.Context, server: TheServer) -> None:
    """Lists the jobs, the newest first.

    Those that this key created; an admin's key lists all.

    For example:

        kindred jobs list --server http://localhost:8000
    """
    table = Table("id", "collection", "state", "done", "of", "failed", "created")
    with Server.of(ctx, server).client as client:
        for job in client.list_jobs():
            table.add_row(*_cells(job))
    show_table(table)


@commands.command()
def watch(ctx: typer.Context, job: JobId, server: TheServer) -> None:
    """Shows how a job gets on, until it is over; the status is 1 if something failed.

    Ctrl-C ends watching, not the job.

    For example:

        kindred jobs watch 20261123t101500-1b2c3d4e --server http://localhost:8000
    """
    with Server.of(ctx, server).client as client:
        watch_job(client, job, server)


@commands.command()
def cancel(ctx: typer.Context, job: JobId, server: TheServer) -> None:
    """Ends a job; what it stored stays.

    One that is over stays as it is.

    For example:

        kindred jobs cancel 20261123t101500-1b2c3d4e --server http://localhost:8000
    """
    with Server.of(ctx, server).client as client:
        answers().print(summary(client.cancel_job(job)))


@commands.command()
def errors(ctx: typer.Context, job: JobId, server: TheServer) -> None:
    """Lists what went wrong with single items of a job.

    Of one that runs, what has gone wrong by now.

    For example:

        kindred jobs errors 20261123t101500-1b2c3d4e --server http://localhost:8000
    """
    with Server.of(ctx, server).client as client:
        print_errors(client.list_job_errors(job), answers())


def _job_into(
    client: "kindred.Client",
    collection: str,
    task: "kindred.IngestFolder | kindred.IngestManifest",
) -> "kindred.Job":
    """Creates a job, and a collection for it if there is none; for one that is refused, none."""
    import kindred

    try:
        return client.create_job(collection, task)
    except kindred.NotFound:
        client.create_collection(collection)
    return client.create_job(collection, task)


def _begun(client: "kindred.Client", job: "kindred.Job", wait: bool, server: str) -> None:
    if wait:
        watch_job(client, job.id, server)
    else:
        answers().print(job.id)


def _cells(job: "kindred.Job") -> tuple[str, ...]:
    counts = job.counts
    total = "?" if counts.total is None else str(counts.total)
    created = f"{job.created:%Y-%m-%d %H:%M:%S}"
    return (
        job.id,
        job.collection,
        job.state,
        str(counts.done),
        total,
        str(counts.failed),
        created,
    )
