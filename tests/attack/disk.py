"""A disk that is full: what was answered is on it, reads go on, and writes do once there is room.

The data lie in a small file system of their own, which takes the right to mount one.
"""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx

from indexes.local.folder import FolderStore
from tests.attack.outcome import Outcome
from tests.attack.victim import Victim, victim

MIB = 1024 * 1024
DISK_BYTES = 64 * MIB
WORDS = "x" * 4_000
"""Of the metadata of each item: what fills the disk."""

ROUNDS = 4


def attack(seconds: float) -> Outcome:
    """Fills the disk and makes room again, by turns; `seconds` is not used."""
    outcome, acknowledged = Outcome(), set[str]()
    with _small_disk() as disk:
        with victim(data=disk / "data", exact_rows=100, job_folders=disk) as server:
            with httpx.Client(base_url=server.http, timeout=60) as http:
                assert http.post("/v1/collections", json={"name": "full"}).is_success
                for number in range(ROUNDS):
                    _filled(server, http, outcome, disk, acknowledged, number)
            illness = server.illness()
            outcome.expect(not illness or illness == server.traceback(), illness)
            os.kill(server.pid, 9)
        with FolderStore(disk / "data") as store:
            found = {item.id for item in store.open("full").items(page_size=100_000).items}
        outcome.expect(acknowledged <= found, f"{len(acknowledged - found)} acknowledged were lost")
        outcome.note("acknowledged items found after a kill", len(acknowledged & found))
    return outcome


@contextmanager
def _small_disk() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", name]
        if subprocess.run(mount, check=False).returncode:
            raise SystemExit("this needs the right to mount a small file system")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", "-l", name], check=True)


def _filled(
    server: Victim,
    http: httpx.Client,
    outcome: Outcome,
    disk: Path,
    acknowledged: set[str],
    number: int,
) -> None:
    """Leaves less and less room, asks everything, and makes room again."""
    ballast = disk / "ballast"
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    with ballast.open("wb") as file, suppress(OSError):
        file.write(bytes(max(0, free - (3, 1, 0.2, 0)[number % 4] * MIB).__trunc__()))
        file.flush()
    for batch in range(200):
        names = [f"{number}-{batch}-{n}" for n in range(20)]
        if not _stored(http, outcome, names, acknowledged):
            break
    else:
        outcome.expect(False, "the disk was never full")
    _read(http, outcome)
    _written(http, outcome)
    ready = http.get("/readyz").json()
    outcome.note(f"ready while full: {ready['ready']}")
    left = [path.name for path in disk.rglob("*partial*")]
    outcome.expect(not left, f"left behind: {left}")
    ballast.unlink()
    outcome.expect(_stored(http, outcome, [f"after-{number}"], acknowledged), "no write after it")
    taken = http.post("/v1/collections/full:snapshot")
    outcome.expect(taken.is_success, f"no snapshot after it: {taken.text}")
    if taken.is_success:
        http.delete(f"/v1/snapshots/{taken.json()['name']}")


def _stored(http: httpx.Client, outcome: Outcome, names: list[str], acknowledged: set[str]) -> bool:
    items = [{"content": f"words {name}", "id": name, "metadata": {"x": WORDS}} for name in names]
    answer = http.post("/v1/collections/full/items:upsert", json={"items": items})
    if not answer.is_success:
        _refused(outcome, "upsert", answer)
        return False
    done = [it["id"] for it in answer.json()["results"] if it["status"] == "ok"]
    acknowledged.update(done)
    outcome.note("items acknowledged", len(done))
    return len(done) == len(names)


def _refused(outcome: Outcome, what: str, answer: httpx.Response) -> None:
    reason = answer.json()["error"]["reason"]
    outcome.note(f"{what} {reason}")
    outcome.expect(reason in ("DISK_FULL", "COLLECTION_NOT_FOUND"), f"{what}: {answer.text}")


READS = (
    ("GET", "/v1/collections/full?stats=true", None),
    ("GET", "/v1/collections/full/items?page_size=5", None),
    ("GET", "/v1/collections/full/items/0-0-0", None),
    ("POST", "/v1/collections/full/items:search", {"query": "words 0-0-0"}),
    ("POST", "/v1/collections/album/items:search", {"query": "red", "filter": {"year": 2020}}),
    ("POST", "/v1/embeddings", {"input": "words on a full disk"}),
    ("GET", "/v1/snapshots", None),
    ("GET", "/v1/jobs", None),
)

WRITES = (
    ("POST", "/v1/collections/full:snapshot", None),
    ("POST", "/v1/collections", {"name": "more"}),
    ("DELETE", "/v1/collections/more", None),
    ("PATCH", "/v1/collections/full", {"indexed": ["x"]}),
    ("POST", "/v1/collections/full/items:delete", {"ids": ["nobody"]}),
    ("PUT", "/v1/aliases/other", {"collection": "full"}),
    ("PUT", "/v1/snapshots/sent", None),
)


def _read(http: httpx.Client, outcome: Outcome) -> None:
    for method, path, body in READS:
        answer = http.request(method, path, json=body)
        outcome.note("reads while it is full")
        outcome.expect(answer.is_success, f"{method} {path}: {answer.text}")


def _written(http: httpx.Client, outcome: Outcome) -> None:
    for method, path, body in WRITES:
        content = bytes(8 * MIB) if path.endswith("sent") else None
        try:
            answer = http.request(method, path, json=body, content=content)
        except httpx.TransportError:  # closed after a failure of ours
            answer = http.request(method, path, json=body, content=content)
        if not answer.is_success:
            _refused(outcome, f"{method} {path.rpartition('/')[2]}", answer)
