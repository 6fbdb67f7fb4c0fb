"""What the machine still has for the process: memory and disk, read whenever metrics are."""

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

SYSTEM = Path("/")
"""Where `proc` and `sys` are mounted; without them, as on macOS, nothing is told of memory."""


class Machine(Collector):
    """Memory that the process, its decoders and its files take, and the disk of the data folder.

    Memory is that of the control group, to which a container is held, else of the whole machine.

    Args:
        data: The data folder, which may not be there yet.
        system: Where `proc` and `sys` are mounted.
    """

    def __init__(self, data: Path, system: Path = SYSTEM) -> None:
        self._data = data.absolute()
        self._system = system

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yields what is taken, and how much there may be."""
        if memory := memory_of(self._system):
            used, limit = memory
            yield _told("memory_used", "Memory in use, without what files can be read from.", used)
            yield _told("memory_limit", "Memory that there may be in use.", limit)
        folder = next(it for it in (self._data, *self._data.parents) if it.exists())
        disk = shutil.disk_usage(folder)
        yield _told("disk_free", "Free on the disk of the data folder.", disk.free)
        yield _told("disk_size", "Size of the disk of the data folder.", disk.total)


def _told(name: str, meaning: str, size: int) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"kindred_{name}_bytes", meaning, value=size)


def memory_of(system: Path) -> tuple[int, int] | None:
    """Returns the bytes in use and their limit; None where the system does not tell.

    In use is what the kernel can't take back without writing: kubelet's "working set".
    """
    try:
        machine = _numbers(system / "proc/meminfo")
    except OSError:
        return None
    total = 1024 * machine["MemTotal:"]
    for usage, limit, inactive in _groups(system):
        try:
            most = limit.read_text().strip()
            used = int(usage.read_text()) - _numbers(usage.with_name("memory.stat"))[inactive]
        except (OSError, KeyError):
            continue
        if most != "max" and int(most) < total:
            return used, int(most)
    return total - 1024 * machine["MemAvailable:"], total


def _groups(system: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yields where the group may be: usage, limit, and what of the usage can be taken back."""
    root = system / "sys/fs/cgroup"
    lines = (system / "proc/self/cgroup").read_text().splitlines()
    for name in (line.removeprefix("0::/") for line in lines if line.startswith("0::/")):
        group = root / name
        yield group / "memory.current", group / "memory.max", "inactive_file"
    group = root / "memory"  # the first version of control groups
    yield (
        group / "memory.usage_in_bytes",
        group / "memory.limit_in_bytes",
        "total_inactive_file",
    )


def _numbers(file: Path) -> Mapping[str, int]:
    """Returns the numbers of a file that has a name and a number in each line."""
    lines = (line.split() for line in file.read_text().splitlines())
    return {words[0]: int(words[1]) for words in lines}
