"""Random operations on a LocalCollection, restarts among them, against a dictionary."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from indexes.collection import SearchRequest
from indexes.filters import parse_filter
from indexes.folder import FolderStore
from indexes.item import Item
from indexes.matching import matches
from tests.indexes.samples import kept, nearest, unit_rows

DIM = 8
NAMES = st.sampled_from([f"name-{i}" for i in range(12)])
POOL = unit_rows(64, DIM, 1)
ITEMS = st.builds(
    lambda name, modality, row, n: Item(name, modality, POOL[row], {"n": n}),
    NAMES,
    st.sampled_from(["image", "audio"]),
    st.integers(0, len(POOL) - 1),
    st.integers(0, 3),
)


class Machine(RuleBasedStateMachine):
    """The model keeps items in the order in which they were last stored, as the collection does."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.store = FolderStore(self.folder)
        self.collection = self.store.create("things", space_id="s", dim=DIM, model="m")
        self.model: dict[str, Item] = {}

    @rule(items=st.lists(ITEMS, max_size=6, unique_by=lambda item: item.id))
    def upsert(self, items: list[Item]) -> None:
        self.collection.upsert(items)
        for item in items:
            self.model.pop(item.id, None)
            self.model[item.id] = item

    @rule(names=st.lists(NAMES, max_size=4, unique=True))
    def delete(self, names: list[str]) -> None:
        assert self.collection.delete(names) == tuple(n for n in names if n in self.model)
        self.model = {name: item for name, item in self.model.items() if name not in names}

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = FolderStore(self.folder)
        self.collection = self.store.open("things")

    @rule(row=st.integers(0, len(POOL) - 1), k=st.integers(1, 15), n=st.integers(0, 3))
    def search(self, row: int, k: int, n: int) -> None:
        condition = parse_filter({"n": {"$gte": n}})
        items = [item for item in self.model.values() if matches(condition, item)]
        request = SearchRequest(POOL[row], "image", k, filter=condition, ranking="cosine")
        found = [hit.id for hit in self.collection.search(request).hits]
        if items:
            vectors = kept(np.stack([item.vector for item in items]))
            order, _ = nearest(POOL[row][None], np.arange(len(items)), vectors, k)
            assert found == [items[place].id for place in order[0]]
        else:
            assert found == []

    @invariant()
    def holds_what_the_model_holds(self) -> None:
        listed = self.collection.items(page_size=100).items
        assert [(i.id, i.modality, i.metadata) for i in listed] == [
            (i.id, i.modality, i.metadata) for i in self.model.values()
        ]
        assert sum(self.collection.count().values()) == len(self.model)

    def teardown(self) -> None:
        self.store.close()
        shutil.rmtree(self.folder)


TestLocalCollectionAsAMachine = Machine.TestCase
TestLocalCollectionAsAMachine.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None
)
