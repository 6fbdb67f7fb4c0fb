"""Random operations on a LocalCollection, restarts, compactions and damage among them.

The model is a dictionary, and exact search over it. Partitions are segmented from a few rows on.
"""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from indexes.collection import Hit, SearchRequest
from indexes.derived.partition import Layout
from indexes.filters.language import EVERYTHING, parse_filter
from indexes.filters.matching import matches
from indexes.item import Item
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from tests.indexes.samples import kept, nearest, unit_rows

DIM = 8
NAMES = 200
MODALITIES = ("image", "audio")
TUNING = Tuning(
    layout=Layout(chunk=16, exact=40, tail=15, longest_tail=30, segments=2, dead=0.4),
    background=False,
    fewest_queries=3,
    live_queries=3,
    judged_queries=3,
    filter_bytes=2_000,
)
POOL = unit_rows(64, DIM, 1)
"""Fewer than there are names, so that some items lie in one place."""

FILES = ("manifest.json", "keys.i64", "codes.faiss", "rows.f16", "effort.json")
STARTS, COUNTS = st.integers(0, NAMES - 1), st.integers(1, 50)
QUERIES = st.integers(0, len(POOL) - 1)


def names(start: int, count: int) -> list[str]:
    return [f"name-{i % NAMES}" for i in range(start, start + count)]


class Machine(RuleBasedStateMachine):
    """The model keeps items in the order in which they were last stored, as the collection does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = FolderStore(self.folder, TUNING)
        self.store.create("things", space_id="s", dim=DIM, model="m")
        self.model: dict[str, Item] = {}
        self.open()

    def open(self) -> None:
        collection = self.store.open("things")
        assert isinstance(collection, LocalCollection)
        self.collection = collection

    @rule(start=STARTS, count=COUNTS, seed=st.integers(0, 1_000))
    def upsert(self, start: int, count: int, seed: int) -> None:
        items = [
            Item(name, MODALITIES[(seed + i) % 5 // 4], POOL[(seed + i) % 64], {"n": i % 4})
            for i, name in enumerate(names(start, count))
        ]
        self.collection.upsert(items)
        for item in items:
            self.model.pop(item.id, None)
            self.model[item.id] = item

    @rule(start=STARTS, count=st.integers(1, 25))
    def delete(self, start: int, count: int) -> None:
        gone = names(start, count)
        assert self.collection.delete(gone) == tuple(name for name in gone if name in self.model)
        self.model = {name: item for name, item in self.model.items() if name not in gone}

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = FolderStore(self.folder, TUNING)
        self.open()

    @rule()
    def maintain(self) -> None:
        self.collection.maintain()

    @precondition(lambda self: any(self.files()))
    @rule(kind=st.sampled_from(FILES), place=st.integers(0, 10**6))
    def damage(self, kind: str, place: int) -> None:
        self.store.close()
        for file in self.files():
            if file.name == kind:
                content = bytearray(file.read_bytes())
                content[place % len(content)] ^= 1
                file.write_bytes(content)
        self.store = FolderStore(self.folder, TUNING)
        self.open()
        self.collection.maintain()

    @rule(row=QUERIES, k=st.integers(1, 15), n=st.integers(0, 3))
    def search_exactly(self, row: int, k: int, n: int) -> None:
        condition = parse_filter({"n": {"$gte": n}}) if n else EVERYTHING
        request = SearchRequest(
            POOL[row], "image", k, filter=condition, ranking="cosine", exact=True
        )
        answer = self.collection.search(request)
        assert answer.exact
        assert self.ids(answer.hits) == self.nearest(
            [item for item in self.model.values() if matches(condition, item)], row, k
        )

    @rule(row=QUERIES, k=st.integers(1, 15), asked=st.sampled_from(["image", "text"]))
    def search(self, row: int, k: int, asked: str) -> None:
        answer = self.collection.search(SearchRequest(POOL[row], asked, k, ranking="cosine"))
        found = self.ids(answer.hits)
        if answer.exact:
            assert found == self.nearest([*self.model.values()], row, k)
        assert len(set(found)) == min(k, len(self.model))
        scores = [hit.score for hit in answer.hits]
        cosines = [kept(self.model[name].vector) @ POOL[row] for name in found]
        np.testing.assert_allclose(scores, cosines, atol=1e-6)
        assert scores == sorted(scores, reverse=True)

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        listed = self.collection.items(page_size=NAMES).items
        assert [(i.id, i.modality, i.metadata) for i in listed] == [
            (i.id, i.modality, i.metadata) for i in self.model.values()
        ]
        assert sum(self.collection.count().values()) == len(self.model)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)

    def files(self) -> list[Path]:
        """Returns the files of all segments."""
        return [file for file in self.folder.glob("things/segments/*/*") if file.is_file()]

    @staticmethod
    def ids(hits: tuple[Hit, ...]) -> list[str]:
        return [hit.id for hit in hits]

    @staticmethod
    def nearest(items: list[Item], row: int, k: int) -> list[str]:
        if not items:
            return []
        vectors = kept(np.stack([item.vector for item in items]))
        order, _ = nearest(POOL[row][None], np.arange(len(items)), vectors, k)
        return [items[place].id for place in order[0]]


TestLocalCollectionAsAMachine = Machine.TestCase
TestLocalCollectionAsAMachine.settings = settings(
    max_examples=15, stateful_step_count=25, deadline=None
)
