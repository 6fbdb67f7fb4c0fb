"""How soon `kindred serve` is ready after its command: the first time on a machine, and then.

    python -m benchmarks.launch --rounds 5

A server is ready when `/readyz` says so, for which it embeds a probe of each modality. The first
start derives graphs from the weights, as `kindred models warm` does beforehand.
"""

import argparse
import os
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from rich.console import Console
from rich.table import Table

PATIENCE_SECONDS = 120.0


def launch(cache: Path) -> tuple[float, float]:
    """Starts a server on an empty data folder and ends it; returns seconds to ready, and of CPU."""
    before = _cpu_seconds()
    with tempfile.TemporaryDirectory() as data, socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        taken.close()
        options = ("--port", str(port), "--grpc-port", "0", "--data", data, "--cache", str(cache))
        began = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "service", "serve", *options], stderr=subprocess.DEVNULL
        )
        try:
            _await_ready(server, f"http://127.0.0.1:{port}/readyz")
            ready = time.perf_counter() - began
        finally:
            server.terminate()
            server.wait()
    return ready, _cpu_seconds() - before


def _await_ready(server: "subprocess.Popen[bytes]", address: str) -> None:
    late = time.monotonic() + PATIENCE_SECONDS
    while server.poll() is None and time.monotonic() < late:
        try:
            urllib.request.urlopen(address, timeout=PATIENCE_SECONDS).close()
            return
        except OSError:
            time.sleep(0.01)
    raise RuntimeError(f"a server must be ready within {PATIENCE_SECONDS:g} s and was not")


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    """Starts and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    found: dict[str, list[tuple[float, float]]] = {"the first": [], "later": []}
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as name:
            for times in found.values():
                times.append(launch(Path(name)))
    table = Table("start", "ready after, median", "at most", "CPU, median")
    for start, times in found.items():
        ready, cpu = zip(*times, strict=True)
        shown = (statistics.median(ready), max(ready), statistics.median(cpu))
        table.add_row(start, *(f"{seconds:.1f} s" for seconds in shown))
    cpus, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    table.caption = f"{rounds} of each, {cpus} CPUs, load {load:.1f}"
    Console().print(table)


if __name__ == "__main__":
    main()
