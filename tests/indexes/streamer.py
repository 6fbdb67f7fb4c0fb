"""Writes to a collection for ever and prints each acknowledgement: it is to be killed."""

import sys
from pathlib import Path

from indexes.folder import FolderStore
from indexes.item import Content, Item
from tests.indexes.collection_contract import MODALITIES
from tests.indexes.samples import unit_rows

DIM = 16
BATCH = 7
POOL = 40


def version(name: int, round_: int) -> Item:
    """Returns the item of this name as it is written in this round: all of it tells the round."""
    return Item(
        f"item-{name}",
        MODALITIES[round_ % 3],
        unit_rows(1, DIM, 1_000 * round_ + name)[0],
        {"name": name, "round": round_},
        content=Content("text/plain", f"{name} in {round_}".encode()),
    )


def batch(round_: int) -> list[Item]:
    """Returns what one round writes: names come around again, so that items are replaced."""
    return [version((BATCH * round_ + i) % POOL, round_) for i in range(BATCH)]


def deleted(round_: int) -> list[str]:
    """Returns what one round deletes: every fifth round the first of its items."""
    return [batch(round_)[0].id] if round_ % 5 == 4 else []


def main(folder: str) -> None:
    """Goes on from the round after the last one that the collection holds."""
    with FolderStore(Path(folder)) as store:
        collection = store.open("things")
        stored = collection.items(page_size=POOL).items
        start = max((item.metadata["round"] for item in stored), default=-1) + 1
        for round_ in range(start, 10**9):
            collection.upsert(batch(round_))
            sys.stdout.write(f"upserted {round_}\n")
            sys.stdout.flush()
            collection.delete(deleted(round_))
            sys.stdout.write(f"finished {round_}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
