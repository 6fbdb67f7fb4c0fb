"""A genuine Milvus standalone server for tests, from the wheel in a virtual environment of its own.

`make test-milvus` builds that environment. The server listens on all interfaces and knows no
password, which is why it runs only as long as the tests that need it.
"""

import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

PROGRAM = Path(__file__).parents[1] / ".venv-milvus/bin/milvus-server"

_PATIENCE = 75.0
"""Seconds until it must be up: it unpacks 250 MB, and started again it replays its log and waits
half a minute for the sessions of the one that was killed to end."""

_ATTEMPTS = 3
"""Killed soon after its start, 2.3.5 may come up healthy but for its proxy, which waits for ever
for a coordinator that is initializing: then it is killed and started once more."""

_GUARDED = '"$@" & cat >/dev/null; kill -9 0'
"""Runs a command as long as its standard input is open: whoever holds that may be killed, too."""

_PEERS = 2380
"""The one port that cannot be chosen: where another etcd has it, Milvus crashes at its start."""

_DYING = 30.0
"""Seconds in which a server must have let go of its ports."""

_LISTENING = re.compile(r'"management listen"\] \[addr=:(\d+)\]')

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
        self.address = f"milvus://127.0.0.1:{self._proxy}"

    def start(self) -> None:
        """Starts it and waits until it serves; one that hangs is killed and started again.

        Raises:
            FileNotFoundError: If it is not installed.
            TimeoutError: If another one is running, or it does not serve.
        """
        if not PROGRAM.exists():
            raise FileNotFoundError(f"{PROGRAM} is missing: make test-milvus builds it")
        for left in reversed(range(_ATTEMPTS)):
            self._run()
            try:
                _wait_for(self._is_up, _PATIENCE, "Milvus was not up")
                return
            except TimeoutError:
                self.kill()
                if not left:
                    raise

    def _run(self) -> None:
        _wait_for(lambda: not _listens(_PEERS), _DYING, f"port {_PEERS} was taken, still")
        command = [str(PROGRAM), "--data", str(self._folder)]
        for name, port in zip(_PORTS, self._ports, strict=True):
            command += [f"--{name}-port", str(port)]
        for setting in _QUICK:
            command += ["--extra-config", setting]
        with (self._folder.parent / "milvus.log").open("ab") as log:
            self._process = subprocess.Popen(
                ["sh", "-c", _GUARDED, "sh", *command],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """Kills it at once: asked to end, its child would go on for a while."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.communicate()
            self._process = None
            _wait_for(lambda: not _listens(self._proxy), _DYING, "Milvus, killed, went on")

    @property
    def _proxy(self) -> int:
        return self._ports[_PORTS.index("proxy")]

    def _is_up(self) -> bool:
        return self._healthy() and _listens(self._proxy)

    def _healthy(self) -> bool:
        """Asks where the server says that it tells of its health.

        That is 9091, or what is free beyond: of a server that was just asked there and killed, the
        port stays taken for a minute.
        """
        log = self._folder / "logs" / "milvus-stdout.log"
        told = _LISTENING.search(log.read_text()) if log.exists() else None
        if told is None:
            return False
        url = f"http://127.0.0.1:{told[1]}/healthz"
        try:
            with urllib.request.urlopen(url, timeout=1) as answer:
                return bool(answer.read().strip() == b"OK")
        except (OSError, urllib.error.URLError):
            return False


def _listens(port: int) -> bool:
    with socket.socket() as each:
        return each.connect_ex(("127.0.0.1", port)) == 0


def _wait_for(reached: Callable[[], bool], seconds: float, otherwise: str) -> None:
    deadline = time.monotonic() + seconds
    while not reached():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{otherwise} after {seconds:.0f} s")
        time.sleep(0.1)


def _free_ports(n: int) -> list[int]:
    sockets = [socket.socket() for _ in range(n)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
