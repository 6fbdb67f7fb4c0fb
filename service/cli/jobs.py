"""`kindred jobs`: long work that a server does by itself."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.cli import options
from service.cli.backend import Server
from service.cli.refusal import FAILED, INTERRUPTED, RefusingGroup
from service.cli.show import answers, failures, harmless, notes, progress

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


@commands.command()
def index(  # noqa: PLR0913 - one parameter per option
    ctx: typer.Context,
    path: Annotated[
        str,
        typer.Argument(
            metavar="PATH", help="A folder on the server; or a manifest there, FILE.jsonl."
        ),
    ],
    server: TheServer,
    collection: options.Collection = "default",
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Put before every id, of a folder.")
    ] = "",
    windows: Annotated[bool, typer.Option(help="Keep windows of longer sounds and films.")] = True,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Then remove what jobs brought in of files that are gone."),
    ] = False,
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
    import kindred

    is_manifest = path.endswith(MANIFEST_SUFFIX)
    if is_manifest and prune:
        raise typer.BadParameter("--prune is of folders: of a manifest, nothing tells what is gone")
    task: kindred.IngestFolder | kindred.IngestManifest = (
        kindred.IngestManifest(path, windows)
        if is_manifest
        else kindred.IngestFolder(path, prefix, windows, prune)
    )
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
    answers().print(table)


@commands.command()
def watch(ctx: typer.Context, job: JobId, server: TheServer) -> None:
    """Shows how a job gets on, until it is over; the status is 1 if something failed.

    Ctrl-C ends watching, not the job.

    For example:

        kindred jobs watch 20261123t101500-1b2c3d4e --server http://localhost:8000
    """
    with Server.of(ctx, server).client as client:
        _watch(client, job, server)


@commands.command()
def cancel(ctx: typer.Context, job: JobId, server: TheServer) -> None:
    """Ends a job; what it stored stays.

    One that is over stays as it is.

    For example:

        kindred jobs cancel 20261123t101500-1b2c3d4e --server http://localhost:8000
    """
    with Server.of(ctx, server).client as client:
        answers().print(_summary(client.cancel_job(job)))


@commands.command()
def errors(ctx: typer.Context, job: JobId, server: TheServer) -> None:
    """Lists what went wrong with single items of a job.

    Of one that runs, what has gone wrong by now.

    For example:

        kindred jobs errors 20261123t101500-1b2c3d4e --server http://localhost:8000
    """
    with Server.of(ctx, server).client as client:
        _print_errors(client.list_job_errors(job), answers())


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
        _watch(client, job.id, server)
    else:
        answers().print(job.id)


def _watch(client: "kindred.Client", name: str, server: str) -> None:
    try:
        job = _last(client.watch_job(name))
    except KeyboardInterrupt:
        notes().print(
            f"Nobody watches; job {name} goes on. "
            f"`kindred jobs cancel {name} --server {server}` ends it."
        )
        raise typer.Exit(INTERRUPTED) from None
    if not job.is_over:
        notes().print(
            f"The server has stopped; job {name} goes on when it starts again. "
            f"`kindred jobs watch {name} --server {server}` then shows how."
        )
        raise typer.Exit(FAILED)
    if job.counts.failed:
        _print_errors(client.list_job_errors(name), notes())
    answers().print(_summary(job))
    if job.state != "succeeded" or job.counts.failed:
        raise typer.Exit(FAILED)


def _last(told: Iterable["kindred.Job"]) -> "kindred.Job":
    """Moves a bar as a job gets on, and returns what was told of it last.

    Raises:
        kindred.Unavailable: If the server has ended before it told anything.
    """
    import kindred

    job = None
    with progress("job") as bar:
        task = bar.add_task("", total=None)
        try:
            for job in told:
                counts = job.counts
                failed = failures(counts.failed)
                bar.update(task, completed=counts.done, total=counts.total, description=failed)
        except kindred.Unavailable:
            if job is None:
                raise
    if job is None:
        raise kindred.Unavailable("the server has ended before it told of the job")
    return job


def _print_errors(errors: Iterable["kindred.JobError"], console: Console) -> None:
    for each in errors:
        told = f"x {harmless(each.id)}: {harmless(each.error.message)}"
        console.print(told, markup=False, soft_wrap=True)


def _summary(job: "kindred.Job") -> str:
    counts = job.counts
    fates = {
        "added": counts.added,
        "changed": counts.changed,
        "unchanged": counts.unchanged,
        "removed": counts.removed,
        "passed by": counts.passed_by,
        "failed": counts.failed,
    }
    told = ", ".join(f"{count} {fate}" for fate, count in fates.items() if count) or "no item"
    reason = f" ({job.error.message})" if job.error else ""
    return f"{job.collection}: job {job.id} {job.state}{reason}: {told}{_swapped(job.swap)}"


def _swapped(swap: "kindred.AliasSwap | None") -> str:
    if swap is None or swap.time is None:
        return ""
    dropped = ", which is deleted" if swap.source_dropped else ""
    before = f", before for {swap.previous}{dropped}" if swap.previous else ""
    return f"; {swap.alias} stands for {swap.collection}{before}"


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
