"""Writes, deletes, searches and compacts at once, and prints each acknowledgement.

It goes on until it is killed. Each writer has ids of its own and makes one change after another, so
that what it must have stored follows from its acknowledgements.
"""

import sys
import threading
import time
from pathlib import Path

from indexes.collection import SearchRequest
from indexes.derived.partition import Layout
from indexes.filters.language import parse_filter
from indexes.item import Content, Item
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from tests.indexes.collection_contract import MODALITIES
from tests.indexes.samples import unit_rows

DIM = 16
WRITERS = 3
BATCH = 23
POOL = 200
TUNING = Tuning(
    layout=Layout(chunk=32, exact=80, tail=40, longest_tail=100), background=False, group_rows=64
)
"""So small that indexes are built and compacted all the time."""


_PAUSE = 0.01
"""Seconds between two changes or searches of a thread, so that compaction gets its turn."""


def version(writer: int, name: int, round_: int) -> Item:
    """Returns the item of this name as it is written in this round: all of it tells the round."""
    return Item(
        f"item-{writer}-{name}",
        MODALITIES[(name + round_) % 3],
        unit_rows(1, DIM, 100_000 * writer + 1_000 * round_ + name)[0],
        {"writer": writer, "round": round_, "odd": bool(name % 2)},
        content=Content("text/plain", f"{name} in {round_}".encode()) if name % 7 == 0 else None,
    )


def written(round_: int) -> list[int]:
    """Returns the names that one round writes: they come around again, and are replaced."""
    return [(BATCH * round_ + i) % POOL for i in range(BATCH)]


def deleted(round_: int) -> list[int]:
    """Returns the names that one round then deletes: every third round some of its own."""
    return written(round_)[:5] if round_ % 3 == 2 else []


def _write(collection: LocalCollection, writer: int) -> None:
    mine = parse_filter({"writer": writer})
    stored = collection.items(page_size=POOL, filter=mine).items
    last = max((item.metadata["round"] for item in stored), default=-1)
    if last >= 0:  # the kill may have come between the two
        _delete(collection, writer, last)
    for round_ in range(last + 1, 10**9):
        collection.upsert([version(writer, name, round_) for name in written(round_)])
        _say(writer, "stored", round_)
        _pause()
        _delete(collection, writer, round_)


def _delete(collection: LocalCollection, writer: int, round_: int) -> None:
    collection.delete([f"item-{writer}-{name}" for name in deleted(round_)])
    _say(writer, "deleted", round_)


def _search(collection: LocalCollection) -> None:
    odd = parse_filter({"odd": True})
    for i, query in enumerate(unit_rows(10_000, DIM, 1)):
        request = SearchRequest(query, MODALITIES[i % 3], k=20)
        for hit in collection.search(request).hits:
            _require(hit.score <= 1 + 1e-3)
        request = SearchRequest(query, "text", filter=odd)
        for hit in collection.search(request).hits:
            _require(hit.metadata["odd"])
        _pause()


def _require(holds: bool) -> None:
    if not holds:
        _say(-1, "wrong", 0)


def _pause() -> None:
    time.sleep(_PAUSE)


def _say(writer: int, word: str, round_: int) -> None:
    sys.stdout.write(f"{writer} {word} {round_}\n")  # shorter than what a pipe takes at once
    sys.stdout.flush()


def main(folder: str) -> None:
    """Goes on from what the collection holds."""
    with FolderStore(Path(folder), TUNING) as store:
        collection = store.open("things")
        assert isinstance(collection, LocalCollection)
        for writer in range(WRITERS):
            threading.Thread(target=_write, args=(collection, writer), daemon=True).start()
        threading.Thread(target=_search, args=(collection,), daemon=True).start()
        _say(-1, "ready", 0)
        while True:
            collection.maintain()


if __name__ == "__main__":
    main(sys.argv[1])
