"""MilvusCollection: the contract, on Milvus Lite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from indexes.collection import Collection
from indexes.opening import open_store
from indexes.store import Options
from tests.indexes.collection_contract import DIM, PRIOR, CollectionContract


class TestMilvusLite(CollectionContract):
    @pytest.fixture
    def collection(self, tmp_path: Path) -> Iterator[Collection]:
        self.address = f"milvus:{tmp_path}/store.db"
        self.store = open_store(self.address)
        yield self.store.create(
            "things", space_id="space", dim=DIM, model="model", options=Options(PRIOR)
        )
        self.store.close()

    def reopened(self, collection: Collection) -> Collection:
        self.store.close()
        self.store = open_store(self.address)
        return self.store.open(collection.name)
