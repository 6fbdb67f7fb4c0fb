"""Graphs: what they find against exact search, calibrated, filtered, opened again and damaged."""

from pathlib import Path

import numpy as np
import pytest

from indexes.base import Allowed, half
from indexes.derived.building import Cancelled, Order, build, plan
from indexes.derived.effort import Effort
from indexes.derived.graph import Graph
from indexes.derived.partition import Layout, Partition
from indexes.derived.segment import Segment
from indexes.errors import StorageError
from tests.indexes.cliplike import CliplikeSpace
from tests.indexes.samples import nearest

DIM, N = 64, 6_000
SPACE = CliplikeSpace(DIM, 1)
KEYS = np.arange(1, N + 1) * 3
ROWS = half(SPACE.vectors("image", N, 2))
EMPTY = Partition.empty(DIM, Layout(chunk=1_000, exact=100, tail=100))


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Segment:
    task = plan(EMPTY.add(KEYS, ROWS))
    assert task
    folder = tmp_path_factory.mktemp("graph") / "segment"
    queries = {"text": SPACE.vectors("text", 150, 3)}
    return build(task, Order(folder, "image", queries, structure=Graph))


@pytest.fixture
def partition(segment: Segment) -> Partition:
    return EMPTY.with_segments([segment])


@pytest.mark.parametrize(("asked", "target"), [("text", 0.97), ("image", 0.99)])
def test_finds_what_it_was_calibrated_to_find(
    segment: Segment, partition: Partition, asked: str, target: float
) -> None:
    queries = SPACE.vectors(asked, 200, 4)
    expected, _ = nearest(queries, KEYS, ROWS, 10)
    found = partition.search(queries, 10, asked=asked)
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(found.keys, expected, strict=True)])
    assert recall >= target - 0.005  # the queries are others than those of the calibration
    rows = ROWS[found.keys // 3 - 1].astype(np.float64)
    np.testing.assert_allclose(found.scores, np.einsum("qd,qkd->qk", queries, rows), atol=1e-6)
    effort = segment.efforts[asked]
    assert effort.recall is not None
    assert effort.recall >= target
    assert effort.breadth < N / 4


def test_each_modality_that_asks_has_a_breadth_of_its_own(segment: Segment) -> None:
    assert segment.efforts["text"].breadth > 2 * segment.efforts["image"].breadth
    assert segment.structure.words(Effort(64, 40)) == "efSearch 64, shortlist 40"


@pytest.mark.parametrize("share", [0.003, 0.01, 0.1, 0.5])
def test_finds_the_nearest_of_those_that_pass_a_filter(
    partition: Partition, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.derived.segment._GATHERED", 100)
    queries = SPACE.vectors("text", 100, 6)
    chosen = np.flatnonzero(np.random.default_rng(7).random(N) < share)
    expected, _ = nearest(queries, KEYS[chosen], ROWS[chosen], 10)
    found = partition.search(queries, 10, allowed=Allowed(KEYS[chosen]), asked="text")
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(found.keys, expected, strict=True)])
    assert recall >= 0.965
    assert np.isin(found.keys, KEYS[chosen]).all()


@pytest.mark.parametrize("k", [1, 100, 1_000, N])
def test_finds_as_many_as_are_asked_for(partition: Partition, k: int) -> None:
    query = SPACE.vectors("text", 1, 8)
    expected, _ = nearest(query, KEYS, ROWS, k)
    found = partition.search(query, k, asked="text").keys
    assert (found > 0).all()
    assert np.isin(found, expected).mean() >= 0.95


def test_is_the_same_when_it_is_opened_again(segment: Segment, partition: Partition) -> None:
    again = Segment.open(segment.folder)
    again.verify()
    assert isinstance(again.structure, Graph)
    assert isinstance(again.structure.data.base, np.memmap)  # read where it lies
    assert again.efforts == segment.efforts
    queries = SPACE.vectors("text", 50, 9)
    before = partition.search(queries, 10, asked="text")
    after = EMPTY.with_segments([again]).search(queries, 10, asked="text")
    np.testing.assert_array_equal(before.keys, after.keys)
    np.testing.assert_array_equal(before.scores, after.scores)
    assert again.stats(0, 0).kind == "graph"


def test_a_flipped_byte_is_noticed(segment: Segment) -> None:
    path = segment.folder / "codes.faiss"
    good = path.read_bytes()
    for place in range(0, len(good), len(good) // 20):
        path.write_bytes(good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :])
        with pytest.raises(StorageError, match=r"codes\.faiss"):
            Segment.open(segment.folder)
    path.write_bytes(good)


def test_building_can_be_cancelled(tmp_path: Path) -> None:
    task = plan(EMPTY.add(KEYS, ROWS))
    assert task
    asked = iter([False] * 12 + [True] * 9)
    with pytest.raises(Cancelled):
        build(task, Order(tmp_path / "it", "image", cancelled=lambda: next(asked), structure=Graph))
    assert list(tmp_path.iterdir()) == []
