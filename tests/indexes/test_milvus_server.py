"""Collections on a genuine Milvus server: the contract, and what an outage means."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from indexes.collection import SearchRequest
from indexes.errors import CollectionNotFound, StorageError, StoreUnavailable
from indexes.filters.language import parse_filter
from indexes.item import Item
from indexes.milvus.store import MilvusStore
from indexes.store import Store
from tests.indexes.alias_contract import AliasContract
from tests.indexes.collection_contract import DIM, ids, some_items
from tests.indexes.milvus_contract import MilvusContract
from tests.indexes.samples import unit_rows
from tests.milvus_server import MilvusServer

pytestmark = pytest.mark.milvus


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    server = MilvusServer(tmp_path_factory.mktemp("milvus") / "data")
    server.start()
    yield server
    server.kill()


class TestMilvusServer(MilvusContract):
    @pytest.fixture(autouse=True)
    def _server(self, server: MilvusServer) -> None:
        self._address = server.address

    @property
    def address(self) -> str:
        return self._address


class TestAliases(AliasContract):
    @pytest.fixture
    def place(self, server: MilvusServer) -> Iterator[str]:
        yield server.address
        with MilvusStore(server.address) as store:
            for alias in store.aliases():
                store.unalias(alias)
            for name in store.list():
                store.delete(name)

    def opened(self) -> Store:
        return MilvusStore(self.address)


def test_what_one_process_stores_another_one_finds_at_once(
    server: MilvusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with MilvusStore(server.address) as one, MilvusStore(server.address) as other:
        here = one.create("shared", space_id="space", dim=DIM, model="model")
        here.upsert(some_items(3))
        there = other.open("shared")
        for n, vector in enumerate(unit_rows(10, DIM, 21)):
            here.upsert([Item("moving", "image", vector, {"n": n})])
            (hit,) = there.search(SearchRequest(vector, "text", k=1, ranking="cosine")).hits
            assert (hit.id, hit.metadata) == ("moving", {"n": n})
            assert there.get("moving").metadata == {"n": n}
        assert there.delete(["moving"]) == ("moving",)
        assert here.count() == there.count() == {"audio": 1, "image": 1, "text": 1}
        (film,) = unit_rows(1, DIM, 22)
        here.upsert([Item("film", "video", film)])
        assert ids(there.search(SearchRequest(film, "text", k=1, ranking="cosine"))) == ["film"]
        one.delete("shared")
        assert other.list() == ()
        monkeypatch.setattr("indexes.milvus.tables._FRESH", 0.0)
        with pytest.raises(CollectionNotFound, match="'shared' has been deleted"):
            there.upsert(some_items(1))


def test_a_graph_finds_what_exact_search_does_and_exact_is_honoured(server: MilvusServer) -> None:
    items = [Item(f"{n}", "image", v, {"n": n}) for n, v in enumerate(unit_rows(3_000, DIM, 3))]
    queries, found = unit_rows(8, DIM, 4), 0
    with MilvusStore(server.address + "?index=hnsw") as store:
        graph = store.create("graph", space_id="space", dim=DIM, model="model")
        graph.upsert(items)
        for query in queries:
            near = graph.search(SearchRequest(query, "text"))
            exact = graph.search(SearchRequest(query, "text", exact=True))
            assert (near.exact, exact.exact) == (False, True)
            found += len(set(ids(near)) & set(ids(exact)))
        assert found >= 0.97 * 10 * len(queries)
        seven = parse_filter({"n": {"$lt": 7}})
        few = graph.search(SearchRequest(queries[0], "text", filter=seven))
        assert sorted(ids(few)) == [f"{n}" for n in range(7)]
        store.delete("graph")


def within_a_minute(reached: Callable[[], bool]) -> bool:
    """Tells whether something comes true, of a server whose connection may not be back yet."""
    deadline = time.monotonic() + 60
    while True:
        try:
            if reached():
                return True
        except StoreUnavailable:
            pass
        if time.monotonic() > deadline:
            return False
        threading.Event().wait(0.1)


def test_a_server_that_was_killed_loses_nothing_and_is_used_again(server: MilvusServer) -> None:
    items = some_items(30)
    with MilvusStore(server.address + "?timeout=60") as store:
        collection = store.create("killed", space_id="space", dim=DIM, model="model")
        collection.upsert(items)
        collection.delete(["item-0"])
        request = SearchRequest(items[3].vector, "text", k=40, ranking="cosine")
        before = ids(collection.search(request))
        server.kill()
        with (
            pytest.raises(StorageError, match="on Milvus at"),
            MilvusStore(server.address + "?timeout=1"),
        ):
            pass
        server.start()
        # 2.3.5 may answer one search with nothing, half a second before it has its rows again.
        assert within_a_minute(lambda: ids(collection.search(request)) == before)
        assert collection.count() == {"audio": 9, "image": 10, "text": 10}
        collection.upsert(some_items(3, prefix="new"))
        assert sum(collection.count().values()) == 32
        store.delete("killed")
