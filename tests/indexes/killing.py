"""kill -9 in the middle of it all, and what must be true afterwards."""

import random
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from indexes.collection import Collection, SearchRequest
from indexes.local.folder import FolderStore
from tests.indexes import streamer
from tests.indexes.samples import kept, unit_rows


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found after one kill.

    Attributes:
        acknowledged: Changes that were acknowledged before it.
        items: Items that were there afterwards.
        segments: Approximate segments that were loaded.
        building: Whether one was being built.
        seconds: How long opening took.
        faults: What was wrong, in words.
    """

    acknowledged: int
    items: int
    segments: int
    building: bool
    seconds: float
    faults: tuple[str, ...]


def make(folder: Path) -> None:
    """Creates the collection that is to suffer."""
    with FolderStore(folder, streamer.TUNING) as store:
        store.create("things", space_id="space", dim=streamer.DIM, model="model")


def kill_and_check(folder: Path, rng: random.Random) -> Verdict:
    """Lets the streamer work for a random moment, kills it and looks at what it left."""
    lines = _killed(folder, rng.uniform(0.1, 3))
    building = any((folder / "things").glob("segments/*.partial"))
    began = time.perf_counter()
    with FolderStore(folder, streamer.TUNING) as store:
        collection = store.open("things")
        seconds = time.perf_counter() - began
        faults = [line for line in lines if "wrong" in line]
        faults += _lost_or_risen(collection, lines)
        faults += _differences(collection)
        items = sum(collection.count().values())
        parts = collection.stats().segments.values()
        segments = sum(part.kind == "ivf" for some in parts for part in some)
    return Verdict(len(lines) - 1, items, segments, building, seconds, tuple(faults))


def _killed(folder: Path, seconds: float) -> list[str]:
    """Returns the lines that the streamer printed before it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.indexes.streamer", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    first = process.stdout.readline()
    try:
        rest, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        rest, _ = process.communicate()
    if process.returncode != -9:
        raise RuntimeError(f"the streamer ended by itself, with status {process.returncode}")
    return [line.strip() for line in (first + rest).splitlines(keepends=True) if line[-1] == "\n"]


def _lost_or_risen(collection: Collection, lines: Iterable[str]) -> list[str]:
    """Compares what is stored with what every writer was told, and at most one step more."""
    stored = {
        item.id: item.metadata["round"]
        for item in collection.items(page_size=streamer.POOL * streamer.WRITERS).items
    }
    faults = []
    for writer in range(streamer.WRITERS):
        told = [line.split()[1:] for line in lines if line.startswith(f"{writer} ")]
        if not told:
            continue
        word, round_ = told[-1][0], int(told[-1][1])
        start = f"item-{writer}-"
        mine = {
            int(id_.removeprefix(start)): at for id_, at in stored.items() if id_.startswith(start)
        }
        now, later = _states(word, round_)
        if mine not in (now, later):
            lost = sorted(name for name, at in now.items() if mine.get(name) != at)[:5]
            risen = sorted(mine.keys() - now.keys() - later.keys())[:5]
            faults.append(f"writer {writer} was told {word} {round_}: {lost} lost, {risen} risen")
    return faults


def _states(word: str, round_: int) -> tuple[dict[int, int], dict[int, int]]:
    """Returns in which rounds the names of a writer were stored: by now, and one change later."""
    state: dict[int, int] = {}
    all_names = -(-streamer.POOL // streamer.BATCH)
    for at in range(max(0, round_ - all_names), round_):
        state |= dict.fromkeys(streamer.written(at), at)
        state = _without(state, at)
    stored = state | dict.fromkeys(streamer.written(round_), round_)
    if word == "stored":
        return stored, _without(stored, round_)
    now = _without(stored, round_)
    return now, now | dict.fromkeys(streamer.written(round_ + 1), round_ + 1)


def _without(state: Mapping[int, int], round_: int) -> dict[int, int]:
    gone = streamer.deleted(round_)
    return {name: at for name, at in state.items() if name not in gone}


def _differences(collection: Collection) -> list[str]:
    """Compares every item, and what searches find, with what was written."""
    items = collection.items(page_size=streamer.POOL * streamer.WRITERS).items
    faults = []
    for item in items:
        _, writer, name = item.id.split("-")
        written = streamer.version(int(writer), int(name), item.metadata["round"])
        if (item.modality, item.metadata) != (written.modality, written.metadata):
            faults.append(f"{item.id} is not what was written")
        if not np.array_equal(item.vector, kept(written.vector)):
            faults.append(f"the vector of {item.id} is not what was written")
        if written.content and collection.get_content(item.id) != written.content:
            faults.append(f"the media of {item.id} are not what was written")
    names = {item.id for item in items}
    for query in unit_rows(5, streamer.DIM, 5):
        every = SearchRequest(query, "text", k=len(items) + 10, ranking="cosine", exact=True)
        if {hit.id for hit in collection.search(every).hits} != names:
            faults.append("an exact search for everything finds something else")
        some = SearchRequest(query, "text", k=10)
        if not {hit.id for hit in collection.search(some).hits} <= names:
            faults.append("a search finds what is not there")
    return faults
