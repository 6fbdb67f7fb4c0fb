"""The folder of derived graphs: what is read again, and what makes room for others."""

import os
import time
from pathlib import Path

import numpy as np
import torch

from embedder.runtime import archive
from embedder.runtime.base import Placement, Tower
from embedder.runtime.choice import place

DAY = 24 * 3600.0


def aged(path: Path, days: float) -> Path:
    """Makes a path look as if it was last used so long ago."""
    used = time.time() - days * DAY
    os.utime(path, (used, used))
    return path


def kept(folder: Path, name: str, days: float) -> Path:
    """Writes a file of a thousand numbers."""
    path = folder / f"{name}.npz"
    archive.write(path, {"weights": np.zeros(1000)})
    return aged(path, days)


def test_what_was_used_longest_ago_makes_room(tmp_path: Path) -> None:
    old, older, oldest = (kept(tmp_path, str(days), days) for days in (1, 2, 3))
    size = old.stat().st_size
    archive.trim(tmp_path, 3 * size)
    assert sorted(tmp_path.iterdir()) == sorted([old, older, oldest])
    archive.trim(tmp_path, 2 * size)
    assert sorted(tmp_path.iterdir()) == sorted([old, older])
    archive.trim(tmp_path, 2 * size - 1)
    assert list(tmp_path.iterdir()) == [old]


def test_what_is_in_use_stays_whatever_it_takes(tmp_path: Path) -> None:
    read, idle = kept(tmp_path, "read", 3), kept(tmp_path, "idle", 2)
    written = tmp_path / "written.npz"
    archive.write(written, {"weights": np.ones(1000)})
    found = archive.read(read)
    assert found is not None
    archive.trim(tmp_path, 0)
    assert sorted(tmp_path.iterdir()) == sorted([read, written])
    assert not idle.exists()


def test_what_a_killed_process_left_is_removed_and_what_is_not_ours_stays(tmp_path: Path) -> None:
    left, fresh, other = tmp_path / "tmpleft", tmp_path / "tmpfresh", tmp_path / "notes.txt"
    for folder in (left, fresh):
        folder.mkdir()
        (folder / "graph.npz").write_bytes(bytes(1000))
    other.write_text("mine")
    aged(other, 9)
    aged(left, 2)
    archive.trim(tmp_path, 0)
    assert sorted(tmp_path.iterdir()) == sorted([other, fresh])
    archive.trim(tmp_path / "nowhere", 0)


def test_a_tower_that_is_placed_makes_room_for_its_own_graph(tmp_path: Path) -> None:
    folder = archive.folder_of(tmp_path)
    old = kept(folder, "old", 1)
    batch = np.ones((2, 3), dtype=np.float32)
    tower = Tower(
        digest="linear",
        shape=(None, 3),
        build=lambda: torch.nn.Linear(3, 2),
        probes=lambda: [batch],
    )
    how = Placement(runtime="openvino", cache=tmp_path, cache_bytes=0, least_fidelity=-1.0)
    place(tower, how)
    (own,) = folder.iterdir()
    assert own != old
    assert own.name.startswith("linear-openvino")
