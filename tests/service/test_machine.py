"""What a server tells of memory and disk, against folders that look like a machine."""

import shutil
from pathlib import Path

import pytest

from service.machine import Machine, memory_of

KIB, GIB = 1024, 1024**3


@pytest.fixture
def system(tmp_path: Path) -> Path:
    _write(tmp_path / "proc/meminfo", "MemTotal:  4194304 kB\nMemAvailable:  1048576 kB\n")
    _write(tmp_path / "proc/self/cgroup", "0::/\n")
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_of_a_container_its_limit_counts_and_what_files_can_be_read_again_does_not(
    system: Path,
) -> None:
    group = system / "sys/fs/cgroup"
    _write(group / "memory.current", f"{GIB}\n")
    _write(group / "memory.max", f"{2 * GIB}\n")
    _write(group / "memory.stat", f"anon 5\ninactive_file {GIB // 4}\n")
    assert memory_of(system) == (GIB - GIB // 4, 2 * GIB)


def test_of_a_unit_of_the_system_too(system: Path) -> None:
    _write(system / "proc/self/cgroup", "0::/system.slice/kindred.service\n")
    group = system / "sys/fs/cgroup/system.slice/kindred.service"
    _write(group / "memory.current", "3000")
    _write(group / "memory.max", "4000")
    _write(group / "memory.stat", "inactive_file 1000")
    assert memory_of(system) == (2000, 4000)


def test_of_the_first_version_of_control_groups_too(system: Path) -> None:
    group = system / "sys/fs/cgroup/memory"
    _write(group / "memory.usage_in_bytes", "3000")
    _write(group / "memory.limit_in_bytes", "4000")
    _write(group / "memory.stat", "inactive_file 1\ntotal_inactive_file 1000")
    assert memory_of(system) == (2000, 4000)


@pytest.mark.parametrize("limit", ["max", "9223372036854771712"])
def test_without_a_limit_it_is_the_machine_s(system: Path, limit: str) -> None:
    group = system / "sys/fs/cgroup"
    _write(group / "memory.current", "3000")
    _write(group / "memory.max", limit)
    _write(group / "memory.stat", "inactive_file 1000")
    assert memory_of(system) == (3 * GIB, 4 * GIB)


def test_where_the_system_does_not_tell_nothing_is_told_of_memory(tmp_path: Path) -> None:
    told = {
        family.name: family.samples[0].value for family in Machine(tmp_path, tmp_path).collect()
    }
    assert told.keys() == {"kindred_disk_free_bytes", "kindred_disk_size_bytes"}
    assert told["kindred_disk_size_bytes"] == shutil.disk_usage(tmp_path).total


def test_a_data_folder_that_is_not_there_yet_has_a_disk(system: Path) -> None:
    told = {it.name: it.samples[0].value for it in Machine(system / "not/yet", system).collect()}
    assert told["kindred_disk_size_bytes"] == shutil.disk_usage(system).total
    assert told["kindred_memory_limit_bytes"] == 4 * GIB
