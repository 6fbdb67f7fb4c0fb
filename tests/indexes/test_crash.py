"""kill -9 in the middle of a stream of upserts and deletes: nothing acknowledged is lost."""

import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from indexes.collection import Collection, SearchRequest
from indexes.folder import FolderStore
from indexes.item import Item
from tests.indexes import streamer
from tests.indexes.samples import kept

KILLS = 5


def killed_after(folder: Path, lines: int, seconds: float) -> list[str]:
    """Runs the streamer, kills it a moment after so many acknowledgements, returns all of them."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.indexes.streamer", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(lines)]
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    seen += process.stdout.readlines()
    process.stdout.close()
    assert process.wait() == -9
    return [line.strip() for line in seen if line.endswith("\n")]


def states_after(acknowledged: list[str]) -> list[dict[str, Item]]:
    """Returns what may be stored: all that was acknowledged, and perhaps the one step after it."""
    state: dict[str, Item] = {}
    word, round_ = acknowledged[-1].split()
    for done in range(int(round_) + 1):
        state |= {item.id: item for item in streamer.batch(done)}
        if done < int(round_) or word == "finished":
            state = {name: state[name] for name in state if name not in streamer.deleted(done)}
    later = dict(state)
    if word == "finished":
        later |= {item.id: item for item in streamer.batch(int(round_) + 1)}
    for name in streamer.deleted(int(round_)):
        later.pop(name, None)
    return [state, later]


def require_whole(collection: Collection, expected: dict[str, Item]) -> None:
    """Compares vector, metadata, media and index of every item."""
    assert sum(collection.count().values()) == len(expected)
    for name, item in expected.items():
        stored = collection.get(name)
        np.testing.assert_array_equal(stored.vector, kept(item.vector))
        assert (stored.modality, stored.metadata) == (item.modality, item.metadata)
        assert collection.get_content(name) == item.content
        request = SearchRequest(item.vector, item.modality, k=1, ranking="cosine")
        hit = collection.search(request).hits[0]
        assert (hit.id, hit.metadata) == (name, item.metadata)
        assert hit.score == pytest.approx(1, abs=1e-3)


def test_a_kill_at_any_moment_loses_nothing_acknowledged(tmp_path: Path) -> None:
    rng = random.Random(7)
    with FolderStore(tmp_path) as store:
        store.create("things", space_id="space", dim=streamer.DIM, model="model")
    for _ in range(KILLS):
        acknowledged = killed_after(tmp_path, rng.randrange(1, 60), rng.uniform(0, 0.05))
        with FolderStore(tmp_path) as store:
            collection = store.open("things")
            stored = {item.id: item.metadata for item in collection.items(page_size=100).items}
            possible = [
                state
                for state in states_after(acknowledged)
                if {name: item.metadata for name, item in state.items()} == stored
            ]
            assert possible, f"after {acknowledged[-1]} there is {stored}"
            require_whole(collection, possible[0])
