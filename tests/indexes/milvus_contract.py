"""What collections on any Milvus promise beyond the contract, and how it is tried.

A subclass says which Milvus; stores are opened by address.
"""

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from indexes.collection import Collection, SearchRequest
from indexes.errors import (
    CollectionExists,
    CollectionNotFound,
    InvalidName,
    ItemNotFound,
    SpaceMismatch,
    StorageError,
    Unsupported,
)
from indexes.filters.language import parse_filter
from indexes.filters.matching import matches
from indexes.item import MAX_METADATA_BYTES, Content, Item
from indexes.milvus.collection import MilvusCollection
from indexes.milvus.rows import encode
from indexes.milvus.store import MilvusStore
from indexes.store import Options
from indexes.windows import Windows
from tests.indexes.collection_contract import (
    DIM,
    PRIOR,
    CollectionContract,
    expected_ids,
    ids,
    some_items,
)
from tests.indexes.samples import unit_rows
from tests.indexes.test_filters import EXPRESSIONS, ITEMS

SMALL = settings(
    max_examples=5,
    phases=[Phase.explicit, Phase.generate],  # a failure names its filter; shrinking takes minutes
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.differing_executors,
    ],
)


class MilvusContract(CollectionContract):
    store: MilvusStore
    beside = 50  # each takes a turn of four threads on the one lock of pymilvus

    @property
    @abstractmethod
    def address(self) -> str:
        """Returns the address of the Milvus."""

    @contextmanager
    def created(self, options: str = "") -> Iterator[MilvusCollection]:
        """Lends a new collection, which is deleted in the end."""
        self.store = MilvusStore(self.address + options)
        collection = self.store.create(
            "my-things_1", space_id="space", dim=DIM, model="model", options=Options(PRIOR)
        )
        assert isinstance(collection, MilvusCollection)
        try:
            yield collection
        finally:
            self.store.delete("my-things_1")
            self.store.close()

    @pytest.fixture
    def collection(self) -> Iterator[Collection]:
        with self.created() as collection:
            yield collection

    def reopened(self, collection: Collection) -> Collection:
        self.store.close()
        self.store = MilvusStore(self.address)
        return self.store.open(collection.name)

    @SMALL
    @given(
        st.lists(ITEMS, min_size=10, max_size=30),
        st.lists(EXPRESSIONS, min_size=10, max_size=30),
    )
    def test_expressions_let_nothing_out_that_a_filter_lets_through(
        self, collection: Collection, items: list[Item], expressions: list[object]
    ) -> None:
        collection.delete([item.id for item in collection.items(page_size=100).items])
        vectors = unit_rows(len(items), DIM, 1)
        collection.upsert(
            [replace(item, id=f"{item.id}{n}", vector=vectors[n]) for n, item in enumerate(items)]
        )
        stored = collection.items(page_size=100).items
        assert len(stored) == len(items)
        for expression in expressions:
            condition = parse_filter(expression)
            expected = [item.id for item in stored if matches(condition, item)]
            listed = collection.items(page_size=100, filter=condition).items
            assert [item.id for item in listed] == expected, expression
            request = SearchRequest(vectors[0], "text", k=50, filter=condition)
            assert sorted(ids(collection.search(request))) == sorted(expected), expression

    def test_a_filter_that_leaves_seven_returns_those_seven(self, collection: Collection) -> None:
        collection.upsert(some_items(1_500))
        query = unit_rows(1, DIM, 5)[0]
        for expression in ({"n": {"$lt": 7}}, {"n": {"$not": {"$gte": 7}}}):
            request = SearchRequest(query, "text", k=10, filter=parse_filter(expression))
            answer = collection.search(request)
            assert sorted(ids(answer)) == [f"item-{n}" for n in range(7)]
            assert answer.exact

    def test_finds_more_than_one_answer_of_milvus_holds(
        self, collection: Collection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("indexes.milvus.table._WIDEST", 200)
        monkeypatch.setattr("indexes.milvus.table._AT_ONCE", 100)
        few = {"lite": 300, "server": 300}
        monkeypatch.setattr("indexes.milvus.table._NUMBERS_AT_ONCE", few)
        items = [Item(f"{n}", "image", vector) for n, vector in enumerate(unit_rows(700, DIM, 6))]
        collection.upsert(items)
        query = unit_rows(1, DIM, 7)[0]
        everything = ids(collection.search(SearchRequest(query, "text", k=1_000)))
        assert everything == expected_ids(items, query, 700)
        assert ids(collection.search(SearchRequest(query, "text", k=10))) == everything[:10]
        first = collection.items(page_size=240)
        rest = collection.items(page_size=700, page_token=first.next_page_token)
        assert [item.id for item in (*first.items, *rest.items)] == [item.id for item in items]

    def test_an_item_left_in_two_tables_is_found_once(self, collection: Collection) -> None:
        """As after a kill between the steps of an upsert that changes its modality."""
        assert isinstance(collection, MilvusCollection)
        old, new = unit_rows(2, DIM, 8)
        collection.upsert([Item("a", "image", old), Item("b", "image", old)])
        table = collection._tables.of(["audio"])["audio"]
        later = Item("a", "audio", new)
        table.write([encode(later, 2**61, 0, None)])
        table.settle()
        collection._surveys.written(table)
        found = collection.search(SearchRequest(old, "image", k=5, ranking="cosine")).hits
        assert sorted((hit.id, hit.modality) for hit in found) == [("a", "audio"), ("b", "image")]
        assert len(collection.search(SearchRequest(old, "image", k=2)).hits) == 2
        assert collection.get("a").modality == "audio"
        assert [item.id for item in collection.items().items] == ["b", "a"]
        collection.upsert([Item("a", "image", old)])
        assert collection.count() == {"image": 2}

    def test_keeps_media_of_many_pieces_and_nothing_of_what_is_gone(
        self, collection: Collection
    ) -> None:
        assert isinstance(collection, MilvusCollection)
        vector = unit_rows(1, DIM, 9)[0]
        large = np.random.default_rng(1).bytes(4_000_001)
        for data in (b"", b"small", large):
            collection.upsert([Item("a", "image", vector, content=Content("a/b", data))])
            assert collection.get_content("a") == Content("a/b", data)
        collection.delete(["a"])
        with pytest.raises(ItemNotFound):
            collection.get_content("a")
        media = collection._tables.media(make=False)
        assert media is not None
        media.settle()
        left = media._call("count", "query", filter="", output_fields=["count(*)"])
        assert left[0]["count(*)"] == 0

    def test_keeps_the_largest_of_everything(self, collection: Collection) -> None:
        text = "é" * ((MAX_METADATA_BYTES - len('{"a":""}')) // 2)
        item = Item("é" * 256, "m" * 32, unit_rows(1, DIM, 1)[0], {"a": text})
        collection.upsert([item])
        assert collection.get(item.id).metadata == item.metadata
        odd = {f"k{n}": None for n in range(5_000)}
        collection.upsert([replace(item, metadata=odd)])
        condition = parse_filter({"k4999": None, "k0": {"$exists": True}})
        assert [one.id for one in collection.items(filter=condition).items] == [item.id]

    def test_ids_are_never_read_as_expressions(self, collection: Collection) -> None:
        names = ['"', "\\", '\\"', '"] or id != ""', "'", "%", "{a}", "é😀", "\u2028"]
        vectors = unit_rows(len(names), DIM, 2)
        collection.upsert([Item(name, "image", v) for name, v in zip(names, vectors, strict=True)])
        for name in names:
            assert collection.get(name).id == name
            (item,) = collection.items(filter=parse_filter({"id": name})).items
            assert item.id == name
        assert collection.delete(names[:1]) == ('"',)
        assert collection.count() == {"image": len(names) - 1}

    def test_a_large_table_gets_a_graph_when_it_is_opened(
        self, collection: Collection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        items = some_items(300)
        collection.upsert(items)
        monkeypatch.setattr("indexes.milvus.tables.LARGE", 99)
        again = self.reopened(collection)
        kinds = {name: parts[0].kind for name, parts in again.stats().segments.items()}
        assert kinds == dict.fromkeys(("audio", "image", "text"), "hnsw")
        query = unit_rows(1, DIM, 3)[0]
        for exact in (True, False):
            answer = again.search(SearchRequest(query, "text", k=300, exact=exact))
            assert len(answer.hits) == 300
        third = self.reopened(again)
        assert {parts[0].kind for parts in third.stats().segments.values()} == {"hnsw"}

    def test_the_store_keeps_its_contract(self, collection: Collection) -> None:
        store, name = self.store, collection.name
        assert store.list() == (name,)
        assert store.open(name) is collection
        with pytest.raises(CollectionExists, match=name):
            store.create(name, space_id="space", dim=DIM, model="model")
        with pytest.raises(SpaceMismatch, match="got space other"):
            store.open(name, space_id="other")
        for act in (store.open, store.delete):
            with pytest.raises(CollectionNotFound, match="'none'"):
                act("none")
            with pytest.raises(InvalidName, match="63"):
                act("../a")
        collection.upsert(some_items(3))
        store.delete(name)
        with pytest.raises(CollectionNotFound, match="closed"):
            collection.count()
        again = store.create(name, space_id="space", dim=DIM, model="model")
        assert again.count() == {}

    def test_facts_and_options_are_kept(self, collection: Collection) -> None:
        store = self.store
        options = Options({("text", "image"): (0.1, 0.2)}, ("year",), 0.9, "graph")
        store.create("chosen", space_id="s", dim=3, model="m", options=options)
        store.close()
        self.store = store = MilvusStore(self.address)
        again = store.open("chosen")
        assert (again.space_id, again.dim, again.model) == ("s", 3, "m")
        assert (again.indexed, again.recall_target) == (("year",), 0.9)
        assert again.structure == "graph"
        store.delete("chosen")

    def test_graphs_are_the_only_structure(self, collection: Collection) -> None:
        options = Options(structure="ivf")
        with pytest.raises(Unsupported, match="graph of its own, structure 'ivf' is for"):
            self.store.create("chosen", space_id="s", dim=3, model="m", options=options)
        assert "chosen" not in self.store.list()

    def test_snapshots_move_between_kinds_of_stores(
        self, collection: Collection, tmp_path: Path
    ) -> None:
        vector = unit_rows(1, DIM, 3)[0]
        windows = Windows.of(np.array([[0.0, 5.0], [2.5, 7.0]]), unit_rows(2, DIM, 4))
        content = Content("a/b", b"x")
        collection.upsert(
            [*some_items(30), Item("c", "image", vector, content=content, windows=windows)]
        )
        before = collection.items(page_size=100).items
        path = tmp_path / "things.kindred"
        self.store.snapshot(collection.name, path)
        with pytest.raises(StorageError, match="exists"):
            self.store.snapshot(collection.name, path)
        with pytest.raises(SpaceMismatch):
            self.store.restore(path, "copy", space_id="other")
        copy = self.store.restore(path, "copy", space_id="space")
        after = copy.items(page_size=100).items
        assert [_told(item) for item in after] == [_told(item) for item in before]
        for old, new in zip(before, after, strict=True):
            np.testing.assert_array_equal(old.vector, new.vector)
        assert copy.get_content("c") == content
        assert [each.packed() for each in copy.windows(["a", "c"]).values()] == [windows.packed()]
        with pytest.raises(CollectionExists):
            self.store.restore(path, "copy")
        self.store.delete("copy")
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(StorageError):
            self.store.restore(path, "copy")
        assert self.store.list() == (collection.name,)


def _told(item: Item) -> tuple[Any, ...]:
    return (item.id, item.modality, item.metadata, item.created, item.mime)
