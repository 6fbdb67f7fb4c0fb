"""A genuine Milvus standalone server for tests, from the wheel in a virtual environment of its own.

`make test-milvus` builds that environment. The server listens on all interfaces and knows no
password, which is why it runs only as long as the tests that need it.
"""

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / ".venv-milvus/bin/milvus-server"

_HEALTH = "http://127.0.0.1:9091/healthz"  # the one port that cannot be chosen
_PATIENCE = 180.0
"""Seconds until it must be healthy; it unpacks 250 MB and replays its log first."""

_PORTS = (
    "etcd", "root-coord", "proxy", "proxy-internal", "query-coord", "query-node", "index-coord",
    "index-node", "data-coord", "data-node",
)  # fmt: skip

_QUICK = (
    "proxy.timeTickInterval=50",  # milliseconds; what a strongly consistent read waits for
    "queryCoord.checkInterval=100",
    "queryCoord.distPullInterval=100",
)


class MilvusServer:
    """One server over one folder; it may be killed and started again.

    Attributes:
        address: Of a store on it.
    """

    def __init__(self, folder: Path) -> None:
        self._ports = _free_ports(len(_PORTS))
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"milvus://127.0.0.1:{self._ports[_PORTS.index('proxy')]}"

    def start(self) -> None:
        """Starts it and waits until it is healthy."""
        if not PROGRAM.exists():
            raise FileNotFoundError(f"{PROGRAM} is missing: make test-milvus builds it")
        command = [str(PROGRAM), "--data", str(self._folder)]
        for name, port in zip(_PORTS, self._ports, strict=True):
            command += [f"--{name}-port", str(port)]
        for setting in _QUICK:
            command += ["--extra-config", setting]
        with (self._folder.parent / "milvus.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, start_new_session=True
            )
        self._wait()

    def kill(self) -> None:
        """Kills it at once: asked to end, its child would go on for a while."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not _healthy():
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"Milvus was not healthy after {_PATIENCE:.0f} s")
            time.sleep(0.1)


def _healthy() -> bool:
    try:
        with urllib.request.urlopen(_HEALTH, timeout=1) as answer:
            return bool(answer.read().strip() == b"OK")
    except (OSError, urllib.error.URLError):
        return False


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
