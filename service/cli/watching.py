"""What is told of jobs: on a bar as they get on, and in a line when they are over."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from service.cli.refusal import FAILED, INTERRUPTED
from service.cli.show import answers, failures, harmless, notes, progress

if TYPE_CHECKING:
    import kindred


def watch_job(client: "kindred.Client", name: str, server: str) -> None:
    """Shows how a job gets on until it is over, or nobody tells of it any more.

    Raises:
        typer.Exit: If it or one of its items failed, if the server has ended, or after Ctrl-C.
    """
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
        print_errors(client.list_job_errors(name), notes())
    answers().print(summary(job))
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


def print_errors(errors: Iterable["kindred.JobError"], console: Console) -> None:
    """Names what went wrong with single items."""
    for each in errors:
        told = f"x {harmless(each.id)}: {harmless(each.error.message)}"
        console.print(told, soft_wrap=True)


def summary(job: "kindred.Job") -> str:
    """Returns in one line what a job has come to."""
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
    reason = f" ({harmless(job.error.message)})" if job.error else ""
    return f"{job.collection}: job {job.id} {job.state}{reason}: {told}{_swapped(job.swap)}"


def _swapped(swap: "kindred.AliasSwap | None") -> str:
    if swap is None or swap.time is None:
        return ""
    dropped = ", which is deleted" if swap.source_dropped else ""
    before = f", before for {swap.previous}{dropped}" if swap.previous else ""
    return f"; {swap.alias} stands for {swap.collection}{before}"
