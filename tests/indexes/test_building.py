"""Which segments are built when, and that what changes meanwhile stays changed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from indexes.base import Keys, half
from indexes.derived.building import Order, Plan, adopt, build, plan
from indexes.derived.partition import Layout, Partition
from indexes.derived.segment import Segment, uncovered
from indexes.derived.threads import Helpers
from tests.indexes.samples import nearest, unit_rows

DIM = 16
LAYOUT = Layout(chunk=100, exact=500, tail=150, longest_tail=300, segments=2, dead=0.2)
ROWS = half(unit_rows(4_000, DIM, 1))
TWO = Helpers(2)

Folders = Iterator[Path]


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return (tmp_path / str(number) for number in count())


def _grown(partition: Partition, n: int) -> Partition:
    keys = np.arange(partition.newest + 1, partition.newest + n + 1)
    return partition.add(keys, ROWS[keys])


def _empty() -> Partition:
    return Partition.empty(DIM, LAYOUT, TWO)


def _built(partition: Partition, folders: Folders) -> Partition:
    """Returns it in good shape."""
    while task := plan(partition):
        partition = adopt(partition, task, build(task, Order(next(folders), "image")))
    return partition


def _check(partition: Partition, live: Keys) -> None:
    assert partition.keys().tolist() == live.tolist()
    query = unit_rows(1, DIM, 2)
    expected, _ = nearest(query, live, ROWS[live], 20)
    assert partition.search(query, len(expected[0]), exact=True).keys.tolist() == expected.tolist()
    np.testing.assert_array_equal(partition.rows(live), ROWS[live])


def _more(partition: Partition) -> Partition:
    return _grown(partition, 200)


def _twice(partition: Partition) -> Partition:
    return _grown(partition, 600)


def _fewer(partition: Partition) -> Partition:
    return partition.remove(np.arange(1, 150))


@pytest.mark.parametrize(
    ("change", "reason", "replaces"),
    [(_more, "tail", 0), (_twice, "grown", 1), (_fewer, "dead", 1)],
)
def test_builds_what_the_change_calls_for(
    folders: Folders, change: Callable[[Partition], Partition], reason: str, replaces: int
) -> None:
    partition = _built(_grown(_empty(), 600), folders)
    assert plan(partition) is None
    changed = change(partition)
    task = plan(changed)
    assert task
    assert task.reason == reason
    assert len(task.replaced) == replaces
    after = _built(changed, folders)
    _check(after, changed.keys())
    assert len(after.segments) == 2 - replaces
    assert not len(after.dead())


def test_small_partitions_stay_exact() -> None:
    partition = _grown(_empty(), 500)
    assert plan(partition) is None
    assert partition.is_exact()
    first = plan(_grown(partition, 1))
    assert first
    assert (first.reason, first.rows, first.covers) == ("first", 501, (0, 501))


@pytest.mark.parametrize(("first", "left"), [(1_000, 2), (501, 1)])
def test_many_segments_become_one_but_for_those_that_hold_most(
    folders: Folders, first: int, left: int
) -> None:
    partition = _built(_grown(_empty(), first), folders)
    for segments in (2, 3):
        partition = _grown(partition, 160)
        task = plan(partition)
        assert task
        assert (task.reason, task.rows, task.replaced) == ("tail", 160, ())
        partition = adopt(partition, task, build(task, Order(next(folders), "image")))
        assert len(partition.segments) == segments
    merge = plan(partition)
    assert merge
    assert merge.reason == "merge"
    after = _built(partition, folders)
    assert len(after.segments) == left
    _check(after, partition.keys())


def test_what_changes_during_a_build_stays_changed(folders: Folders) -> None:
    before = _grown(_empty(), 1_050)  # the last chunk is half full
    task = plan(before)
    assert task
    segment = build(task, Order(next(folders), "image"))
    gone = np.array([3, 500, 1_049, 1_055])
    meanwhile = _grown(before, 120).remove(gone)
    after = adopt(meanwhile, task, segment)
    live = np.setdiff1d(np.arange(1, 1_171), gone)
    _check(after, live)
    _check(meanwhile, live)
    _check(before, np.arange(1, 1_051))
    assert after.dead().tolist() == [3, 500, 1_049]
    assert sum(part.live.count for part in after.chunks) == 119


def test_segments_open_again_as_they_were(folders: Folders) -> None:
    partition = _grown(_built(_grown(_built(_grown(_empty(), 900), folders), 200), folders), 70)
    gone = np.array([5, 930, 1_130])
    partition = partition.remove(gone)
    segments = [Segment.open(segment.folder) for segment in partition.segments]
    ((after, _),) = uncovered(segments)
    late = np.setdiff1d(np.arange(after + 1, 1_171), gone)
    opened = _empty().add(late, ROWS[late]).with_segments(segments).remove(partition.dead())
    _check(opened, partition.keys())
    query = unit_rows(3, DIM, 4)
    one, two = partition.search(query, 10, asked="image"), opened.search(query, 10, asked="image")
    np.testing.assert_array_equal(one.keys, two.keys)
    np.testing.assert_array_equal(one.scores, two.scores)


def test_rows_of_a_damaged_segment_are_served_and_built_again(folders: Folders) -> None:
    whole = _built(_grown(_built(_grown(_empty(), 900), folders), 200), folders)
    kept = whole.segments[1:]
    partition = _empty()
    for after, upto in uncovered(kept):
        keys = np.arange(after + 1, min(upto, 1_120) + 1)
        partition = partition.add(keys, ROWS[keys])
    partition = partition.with_segments(kept)
    _check(partition, np.arange(1, 1_121))
    task = plan(partition)
    assert task
    assert (task.reason, task.covers) == ("gap", (0, 1_120))
    _check(_built(partition, folders), np.arange(1, 1_121))


def test_a_segment_whose_rows_are_all_gone_is_dropped(folders: Folders) -> None:
    partition = _grown(_built(_grown(_empty(), 600), folders), 10)
    emptied = partition.remove(np.arange(1, 601))
    assert emptied.is_exact()
    _check(emptied, np.arange(601, 611))


def test_replacing_rows_for_ever_does_not_pile_up_chunks() -> None:
    partition = _grown(_empty(), 400)
    random = np.random.default_rng(3)
    for _ in range(300):
        partition = partition.remove(np.sort(random.choice(partition.keys(), 10, replace=False)))
        partition = _grown(partition, 10)
        assert len(partition) == 400
    assert len(partition.chunks) <= 12
    _check(partition, partition.keys())


def test_statistics_add_up(folders: Folders) -> None:
    partition = _grown(_built(_grown(_empty(), 900), folders), 130).remove(np.array([2, 3, 905]))
    stats = partition.stats()
    assert [part.kind for part in stats] == ["ivf", "flat", "head"]
    assert [part.rows for part in stats] == [900, 100, 30]
    assert [part.dead for part in stats] == [2, 1, 0]
    folder = partition.segments[0].folder
    files = sum(path.stat().st_size for path in folder.iterdir() if path.suffix != ".json")
    assert stats[0].disk_bytes == files
    assert stats[0].build_seconds > 0
    assert 100 * (2 * DIM + 8) <= stats[1].memory_bytes <= 100 * (2 * DIM + 9)


def test_a_sample_is_spread_over_the_live_rows(folders: Folders) -> None:
    partition = _grown(_built(_grown(_empty(), 900), folders), 100).remove(np.arange(1, 101))
    sample = partition.sample(200)
    assert 150 <= len(sample) <= 200
    assert partition.has(sample).all()
    assert (np.diff(sample) > 0).all()
    assert np.diff(sample).max() <= 20
    assert partition.sample(5_000).tolist() == partition.keys().tolist()


def test_searches_go_on_while_rows_come_and_go_and_segments_are_adopted(folders: Folders) -> None:
    """Every answer is that of exact search over the rows of some version that was current."""
    published = [_grown(_empty(), 600)]
    query, done = unit_rows(1, DIM, 5), False

    def write() -> None:
        nonlocal done
        for _ in range(4):
            task = plan(published[-1])
            if task:
                building = builder.submit(build, task, Order(next(folders), "image"))
            for _ in range(10):
                newer = _grown(published[-1], 20)
                published.append(newer.remove(newer.keys()[::97]))
            if task:
                published.append(adopt(published[-1], task, building.result()))
        done = True

    def look() -> int:
        looks = 0
        while not done:
            version = published[-1]
            live = version.keys()
            expected, _ = nearest(query, live, ROWS[live], 10)
            assert version.search(query, 10, exact=True).keys.tolist() == expected.tolist()
            assert version.has(version.search(query, 10, asked="text").keys[0]).all()
            looks += 1
        return looks

    with ThreadPoolExecutor(4) as pool, ThreadPoolExecutor(1) as builder:
        looking = [pool.submit(look) for _ in range(3)]
        pool.submit(write).result()
        assert sum(future.result() for future in looking) > 0
    assert published[-1].segments


def test_a_plan_is_of_the_rows_there_were() -> None:
    partition = _grown(_empty(), 600)
    task = plan(partition)
    assert isinstance(task, Plan)
    _grown(partition, 50)
    assert task.rows == 600


@pytest.mark.parametrize(
    ("sizes", "merged"),
    [([600, 200], None), ([600, 400], 1_000), ([1_000, 300, 200], 500), ([1_000, 300, 150], None)],
)
def test_segments_of_like_size_are_merged_when_there_is_time(
    folders: Folders, sizes: list[int], merged: int | None
) -> None:
    partition = Partition.empty(DIM, replace(LAYOUT, segments=4), TWO)
    for size in sizes:
        partition = _built(_grown(partition, size), folders)
    assert [len(segment.keys) for segment in partition.segments] == sizes
    task = plan(partition, idle=True)
    assert (task and (task.reason, task.rows)) == (merged and ("idle", merged))
    if task:
        partition = adopt(partition, task, build(task, Order(next(folders), "image")))
        assert plan(partition, idle=True) is None
        _check(partition, np.arange(1, sum(sizes) + 1))
