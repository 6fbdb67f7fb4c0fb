"""MilvusCollection: the contract, and what an outage means, on a genuine Milvus server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexes.collection import Collection
from indexes.opening import open_store
from indexes.store import Options
from tests.indexes.collection_contract import DIM, PRIOR, CollectionContract
from tests.milvus_server import MilvusServer

pytestmark = pytest.mark.milvus


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MilvusServer]:
    server = MilvusServer(tmp_path_factory.mktemp("milvus") / "data")
    server.start()
    yield server
    server.kill()


class TestMilvusServer(CollectionContract):
    @pytest.fixture
    def collection(self, server: MilvusServer) -> Iterator[Collection]:
        self.address = server.address
        self.store = open_store(self.address)
        yield self.store.create(
            "things", space_id="space", dim=DIM, model="model", options=Options(PRIOR)
        )
        self.store.delete("things")
        self.store.close()

    def reopened(self, collection: Collection) -> Collection:
        self.store.close()
        self.store = open_store(self.address)
        return self.store.open(collection.name)
