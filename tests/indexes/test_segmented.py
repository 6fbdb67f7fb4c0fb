"""The contract of collections, kept by one that searches segments alone: all rows, compacted."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexes.collection import Answer, Collection, SearchRequest
from indexes.derived.partition import Layout
from indexes.item import Item
from indexes.local.collection import LocalCollection
from indexes.local.folder import FolderStore
from indexes.local.tuning import Tuning
from indexes.ranking import Background
from indexes.store import Options
from indexes.truth.ledger import Facts, Ledger
from tests.indexes.collection_contract import DIM, PRIOR, CollectionContract
from tests.indexes.samples import unit_rows

LAYOUT = Layout(chunk=16, exact=40, tail=1, longest_tail=1, segments=2)


class Settled(LocalCollection):
    """Builds what is due after larger changes, and compares all rows, as tests expect it."""

    def upsert(self, items: Sequence[Item]) -> None:
        super().upsert(items)
        if len(items) > 1:
            self.maintain()

    def search(self, request: SearchRequest) -> Answer:
        return super().search(replace(request, exact=True))


class TestSegmentedCollection(CollectionContract):
    structure = "ivf"

    @pytest.fixture
    def collection(self, tmp_path: Path) -> Iterator[Collection]:
        self.path = tmp_path / "things" / "collection.sqlite3"
        self.path.parent.mkdir()
        prior = {pair: Background(*values) for pair, values in PRIOR.items()}
        now = datetime.now(UTC)
        facts = Facts("space", DIM, "model", now, prior, structure=self.structure)
        Ledger.create(self.path, facts)
        self.open = self._opened()
        yield self.open
        self.open.close()

    def reopened(self, collection: Collection) -> Collection:
        collection.close()
        self.open = self._opened()
        return self.open

    def _opened(self) -> LocalCollection:
        return Settled(self.path, "things", Tuning(layout=LAYOUT))


class TestCollectionOfGraphs(TestSegmentedCollection):
    structure = "graph"


def test_a_graph_is_chosen_once_and_serves_again_after_a_restart(tmp_path: Path) -> None:
    tuning = Tuning(layout=LAYOUT, background=False)
    items = [Item(str(i), "image", row) for i, row in enumerate(unit_rows(300, DIM, 1))]
    queries = unit_rows(20, DIM, 2)
    answers = []
    for _ in range(2):
        with FolderStore(tmp_path, tuning) as store:
            if not store.list():
                options = Options(structure="graph")
                store.create("things", space_id="s", dim=DIM, model="m", options=options)
                store.open("things").upsert(items)
            collection = store.open("things")
            assert isinstance(collection, LocalCollection)
            collection.maintain()
            kinds = [part.kind for part in collection.stats().segments["image"]]
            assert (kinds, collection.structure, collection.index) == (["graph"], "graph", "graph")
            found = [collection.search(SearchRequest(row, "image")) for row in queries]
            assert {answer.index for answer in found} == {"graph"}
            answers.append([[(hit.id, hit.score) for hit in answer.hits] for answer in found])
    assert answers[0] == answers[1]


def test_every_answer_is_of_one_moment_while_indexes_are_compacted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = LocalCollection.search
    monkeypatch.setattr(
        LocalCollection,
        "search",
        lambda self, request: search(self, replace(request, exact=True)),
    )
    with FolderStore(tmp_path, Tuning(layout=replace(LAYOUT, exact=10), pause=0.001)) as store:
        collection = store.create(
            "things", space_id="space", dim=DIM, model="model", options=Options(PRIOR)
        )
        TestSegmentedCollection().test_threads_search_while_others_write(collection)
