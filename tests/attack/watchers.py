"""Watchers of a job by the hundred that read nothing: the job must not wait, nor memory grow."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from kindred import AsyncClient, IngestFolder, Job
from kindred.v1 import job_service_pb2, job_service_pb2_grpc
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

FILES = 4_000
SILENT = 300
"""Of each wire."""

MOST_MEMORY = 100
"""MiB by which the server may grow beside the same job without watchers."""

MOST_SLOWER = 3.0
"""How many times as long the job may take: telling so many costs something."""


def attack(seconds: float) -> Outcome:
    """Brings files in twice, alone and watched; `seconds` is not used."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(2 * FILES):
            part = folder / ("alone", "watched")[number % 2]
            part.mkdir(exist_ok=True)
            (part / f"{number}.txt").write_text(f"words of file {number}")
        with victim(job_folders=folder) as server:
            asyncio.run(_all(server, folder, outcome))
            illness = server.illness()
            outcome.expect(not illness, illness)
    return outcome


async def _all(server: Victim, folder: Path, outcome: Outcome) -> None:
    async with AsyncClient(server.http) as client:
        await client.create_collection("words")
        alone, _ = await _brought_in(client, folder / "alone")
        memory, job = server.memory, await client.create_job("words", _task(folder / "watched"))
        async with _silent(server, job.id):
            took, done = await _over(client, job.id)
            grown = server.memory - memory
        outcome.note("silent watchers", 2 * SILENT)
        outcome.note("files", done.counts.added)
        outcome.note(f"({alone:.1f} s alone, {took:.1f} s watched, {grown} MiB more)")
        outcome.expect(done.counts.added == FILES, f"{done}")
        outcome.expect(took < MOST_SLOWER * alone, f"the job took {took:.1f} s, {alone:.1f} alone")
        outcome.expect(grown < MOST_MEMORY, f"{grown} MiB more")


def _task(folder: Path) -> IngestFolder:
    return IngestFolder(str(folder))


async def _brought_in(client: AsyncClient, folder: Path) -> tuple[float, Job]:
    return await _over(client, (await client.create_job("words", _task(folder))).id)


async def _over(client: AsyncClient, job: str) -> tuple[float, Job]:
    """Waits, by asking, until a job is over; returns its seconds, by its own clock, and itself."""
    while not (found := await client.get_job(job)).is_over:
        await asyncio.sleep(0.2)
    if not (found.started and found.ended):
        raise RuntimeError(f"the job was not worked on: {found}")
    return (found.ended - found.started).total_seconds(), found


@asynccontextmanager
async def _silent(server: Victim, job: str) -> AsyncIterator[None]:
    """Watches by the hundred, over both wires, and reads nothing."""
    host, _, port = server.http.partition("//")[2].partition(":")
    ask = f"GET /v1/jobs/{job}/events HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    opened = [await asyncio.open_connection(host, int(port)) for _ in range(SILENT)]
    for _, writer in opened:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(ask)
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        stub = job_service_pb2_grpc.JobServiceStub(channel)
        calls = [stub.WatchJob(job_service_pb2.WatchJobRequest(id=job)) for _ in range(SILENT)]
        yield
        for call in calls:
            call.cancel()
    for _, writer in opened:
        writer.transport.abort()
