"""A server to attack: `kindred serve` with kindred-mini, in a process of its own."""

import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from benchmarks.serve.processes import children
from kindred import Client, Image, ItemInput
from tests.samples import image_bytes, picture

START_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Victim:
    """Where a server listens, and its process.

    Attributes:
        http: Address of REST.
        grpc: Address of gRPC.
        pid: The server's process.
        log: What it writes.
        folder: Its data, in a folder of nothing else.
    """

    http: str
    grpc: str
    pid: int
    log: Path
    folder: Path

    @property
    def memory(self) -> int:
        """MiB that the server holds, without its decoding processes."""
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{self.pid}/status").read_text())
        return int(found.group(1)) // 1024 if found else 0

    @property
    def files(self) -> int:
        """Open files and connections."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    @property
    def cpu_seconds(self) -> float:
        """Processor time that the server took, without its decoding processes."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    @property
    def children(self) -> frozenset[int]:
        """Decoding processes that are there."""
        return children(self.pid)

    def traceback(self) -> str:
        """Returns the first traceback of its log, cut, or ""."""
        lines = self.log.read_text().splitlines()
        told = next((line for line in lines if '"exception"' in line or "Traceback" in line), "")
        return f"{told[:200]} ... {told[-200:]}" if told else ""

    def illness(self) -> str:
        """Returns what is wrong with it, or "": ready, no traceback, and one album of two items."""
        with httpx.Client(base_url=self.http, timeout=60) as http:
            ready = http.get("/readyz").json()
            found = http.post("/v1/collections/album/items:search", json={"query": "red"})
        if not ready["ready"] or not found.is_success:
            return f"{ready} {found.text}"
        if told := self.traceback():
            return told
        return "" if len(found.json()["hits"]) == 2 else f"the album was changed: {found.text}"


@contextmanager
def victim(*, open_files: int | None = None, **options: object) -> Iterator[Victim]:
    """Yields a server with an album of two items; its settings are the defaults but for these.

    Args:
        open_files: How many it may have; None means as many as this process.
        options: Its settings.
    """
    limits = None if open_files is None else (open_files, open_files)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        log = folder / "log"
        flags = {"port": 0, "grpc_port": 0, "data": folder / "data", "log_level": "warning"}
        flags |= {"keep_content": True, **options}
        environment = {f"KINDRED_{key.upper()}": str(value) for key, value in flags.items()}
        with (
            log.open("wb") as file,
            subprocess.Popen(
                [sys.executable, "-m", "service", "serve"],
                env={**os.environ, **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=limits and partial(resource.setrlimit, resource.RLIMIT_NOFILE, limits),
            ) as process,
        ):
            try:
                found = _listening(process, log)
                _fill(found.http)
                yield found
            finally:
                process.terminate()


def _listening(process: subprocess.Popen[bytes], log: Path) -> Victim:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        text = log.read_text()
        http = re.search(r"REST\s+(http://\S+)/v1,", text)
        grpc = re.search(r"grpc://(\S+)", text)
        if http and grpc:
            return Victim(http.group(1), grpc.group(1), process.pid, log, log.parent)
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start: {log.read_text()}")


def _fill(address: str) -> None:
    with Client(address) as client:
        client.create_collection("album")
        red = ItemInput(Image(image_bytes(picture("red"))), "red", {"year": 2020})
        client.upsert("album", [red, ItemInput("some words", "words")])
        client.take_snapshot("album")
