"""The processes of a measurement: a server, the model alone, and clients."""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.serve.load import Load


def _python(module: str, *arguments: str, **options: Any) -> "subprocess.Popen[str]":  # noqa: ANN401
    command = [sys.executable, "-m", f"benchmarks.serve.{module}", *arguments]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, **options)


@contextlib.contextmanager
def ended(process: "subprocess.Popen[str]") -> Iterator["subprocess.Popen[str]"]:
    """Ends a process as its operator would."""
    with process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


ANSWER_SECONDS = 30.0
"""Longer than readiness may take on a busy machine, and no answer afterwards is none."""


class Server:
    """A server that listens.

    Args:
        process: Prints its addresses first.
    """

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.url, self.rpc = _line(process).split()

    @property
    def rss_mib(self) -> float:
        """Memory of the server and of its decoding processes."""
        pids = [self._process.pid, *children(self._process.pid)]
        return sum(_rss_kib(pid) for pid in pids) / 1024

    @property
    def cpu_seconds(self) -> tuple[float, float]:
        """Processor time so far of the server, and of its decoding processes."""
        pid = self._process.pid
        return _cpu_seconds(pid), sum(map(_cpu_seconds, children(pid)))

    def post(self, path: str, body: object) -> int:
        """Sends one request and returns its status."""
        return self._status(urllib.request.Request(self.url + path, json.dumps(body).encode()))

    def is_ready(self) -> bool:
        """Asks whether the server thinks that it is well."""
        return self._status(urllib.request.Request(f"{self.url}/readyz")) == 200

    def _status(self, request: urllib.request.Request) -> int:
        request.add_header("content-type", "application/json")
        with urllib.request.urlopen(request, timeout=ANSWER_SECONDS) as answer:
            return int(answer.status)


@contextlib.contextmanager
def server(model: str) -> Iterator[Server]:
    """Serves a model without a cache, since clients send the same pictures again."""
    # Its log has a line for each request and write, to which a terminal would be no help.
    with ended(_python("server", "--model", model, stderr=subprocess.DEVNULL)) as process:
        yield Server(process)


@contextlib.contextmanager
def echo() -> Iterator[Server]:
    """Runs what does no more than answer."""
    with ended(_python("echo")) as process:
        yield Server(process)


PEER_PORT = 7997
PEER_SECONDS = 240.0


@contextlib.contextmanager
def peer(python: str, folder: Path) -> Iterator[str]:
    """Serves ViT-B/32 with Infinity, by the Python that has it; yields its address."""
    found = importlib.util.find_spec("open_clip")
    if found is None or found.origin is None:
        raise RuntimeError("open_clip must be installed: its tokenizer is CLIP's")
    bpe = Path(found.origin).with_name("bpe_simple_vocab_16e6.txt.gz")
    script = Path(__file__).with_name("peer.py")
    command = [python, str(script), str(folder), str(bpe), str(PEER_PORT)]
    env = {**os.environ, "OMP_NUM_THREADS": str(len(os.sched_getaffinity(0)))}
    url, until = f"http://127.0.0.1:{PEER_PORT}", time.monotonic() + PEER_SECONDS
    with ended(subprocess.Popen(command, text=True, stderr=subprocess.DEVNULL, env=env)) as process:
        while not _answers(f"{url}/health"):
            if process.poll() is not None or time.monotonic() > until:
                raise RuntimeError(f"Infinity did not start: {command}")
            time.sleep(0.5)
        yield url


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


class Raw:
    """The model alone."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.runtime = _line(process)

    def rates(self, kind: str, batch: int, seconds: float) -> tuple[float, float]:
        """Returns items a second of forward passes of so many items, and with their decoding."""
        assert self._process.stdin
        self._process.stdin.write(f"{kind} {batch} {seconds}\n")
        self._process.stdin.flush()
        forward, most = _line(self._process).split()
        return float(forward), float(most)


@contextlib.contextmanager
def raw(model: str) -> Iterator[Raw]:
    """Loads a model in a process of its own."""
    with ended(_python("raw", "--model", model, stdin=subprocess.PIPE)) as process:
        yield Raw(process)


def sent(*loads: Load) -> Sequence[dict[str, Any]]:
    """Sends loads at the same time, each from a process of its own."""
    processes = [_python("load", stdin=subprocess.PIPE) for _ in loads]
    for process, load in zip(processes, loads, strict=True):
        assert process.stdin
        process.stdin.write(json.dumps(asdict(load)))
        process.stdin.close()
        process.stdin = None
    return [json.loads(process.communicate()[0]) for process in processes]


def _line(process: "subprocess.Popen[str]") -> str:
    assert process.stdout
    line = process.stdout.readline().strip()
    if not line:
        raise RuntimeError(f"{process.args!r} ended")
    return line


def children(pid: int) -> frozenset[int]:
    """Returns the processes that a process, or a thread of it, has begun."""
    found: set[int] = set()
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found.update(map(int, (task / "children").read_text().split()))
    return frozenset(found)


def _rss_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next((int(line.split()[1]) for line in status if line.startswith("VmRSS")), 0)


def _cpu_seconds(pid: int) -> float:
    # Fields 14 and 15 of proc_pid_stat(5); the name before them may hold spaces.
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def pin(cpus: str) -> None:
    """Keeps this process and those that it starts on some CPUs, such as "2,3"."""
    if cpus:
        os.sched_setaffinity(0, {int(cpu) for cpu in cpus.split(",")})
