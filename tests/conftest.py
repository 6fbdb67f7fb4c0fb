"""What makes the whole suite fast, and is the same for every room."""

import asyncio
import gc
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

_QUOTA = Path("/sys/fs/cgroup/cpu.max")
"""Microseconds of processors that a container may use, and in how many; or "max" and those."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """Counts what a container may use, not what its machine has: each worker takes up to 2 GB."""
    used, period = _QUOTA.read_text().split() if _QUOTA.exists() else ("max", "")
    if used == "max":
        return None
    return min(-(-int(used) // int(period)), len(os.sched_getaffinity(0)))


def pytest_collection_finish() -> None:
    """Sets apart all that was imported: to look for cycles in it takes half a second each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def graphs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a cache folder for the bundled weights, which all workers share."""
    own = tmp_path_factory.getbasetemp()
    return (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "derived"


@pytest.fixture(scope="session", autouse=True)
def _servers_end_at_once() -> Iterator[None]:
    """uvicorn looks ten times a second whether it is to end, and hundreds of tests wait for it."""

    async def sleep(seconds: float) -> None:
        await asyncio.sleep(seconds / 20)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            "uvicorn.server.asyncio", SimpleNamespace(**{**vars(asyncio), "sleep": sleep})
        )
        yield
