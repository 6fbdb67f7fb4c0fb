"""Partitions of several shapes against the contract, and what only they promise."""

from itertools import count

import pytest

from indexes.base import Index
from indexes.derived.building import Order, adopt, build, plan
from indexes.derived.codes import Codes
from indexes.derived.graph import Graph
from indexes.derived.partition import Layout, Partition
from indexes.derived.structure import Structure
from indexes.derived.threads import Helpers
from tests.indexes.index_contract import IndexContract

TWO = Helpers(2)


class TestPartitionOfOneChunk(IndexContract):
    def empty(self, dim: int) -> Index:
        return Partition.empty(dim)


class TestPartitionOfManyChunks(IndexContract):
    def empty(self, dim: int) -> Index:
        return Partition.empty(dim, Layout(chunk=40), TWO)


class TestPartitionOfSegments(IndexContract):
    """Its rows lie in segments, as many as there was time to age."""

    structure: type[Structure] = Codes

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folders = (tmp_path_factory.mktemp("segments") / str(n) for n in count())

    def empty(self, dim: int) -> Index:
        return Partition.empty(dim, Layout(chunk=200, exact=0, tail=1, segments=2), TWO)

    def aged(self, index: Index) -> Index:
        assert isinstance(index, Partition)
        while task := plan(index):
            order = Order(next(self.folders), "image", structure=self.structure)
            index = adopt(index, task, build(task, order))
        return index


class TestPartitionOfGraphs(TestPartitionOfSegments):
    """The same rows in the same segments, with links between them in place of lists."""

    structure = Graph
