"""Segments: what they find, what they cost, and what no damage gets past."""

import json
from collections.abc import Mapping
from itertools import chain, repeat
from pathlib import Path

import numpy as np
import pytest

from indexes.base import Allowed, Half, Vectors, half
from indexes.derived import files
from indexes.derived.building import Cancelled, Order, build, plan
from indexes.derived.codes import Codes
from indexes.derived.effort import Effort
from indexes.derived.partition import Layout, Partition
from indexes.derived.segment import LAST_KEY, KeyRange, Segment, uncovered
from indexes.derived.threads import Helpers
from indexes.errors import StorageError
from tests.indexes.cliplike import CliplikeSpace
from tests.indexes.samples import nearest

DIM, N = 64, 12_000
SPACE = CliplikeSpace(DIM, 1)
KEYS = np.arange(1, N + 1) * 3
ROWS: Half = half(SPACE.vectors("image", N, 2))
FILES = ("manifest.json", "effort.json", "keys.i64", "codes.faiss", "rows.f16")
TWO = Helpers(2)
NO_QUERIES: Mapping[str, Vectors] = {}


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Segment:
    return _segment(tmp_path_factory.mktemp("small") / "segment", 300)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Segment:
    queries = {"text": SPACE.vectors("text", 150, 3)}
    return _segment(tmp_path_factory.mktemp("large") / "segment", N, queries)


def _partition(n: int = 0) -> Partition:
    empty = Partition.empty(DIM, Layout(chunk=1_000, exact=100, tail=100), TWO)
    return empty.add(KEYS[:n], ROWS[:n])


def _segment(folder: Path, n: int, queries: Mapping[str, Vectors] = NO_QUERIES) -> Segment:
    task = plan(_partition(n))
    assert task
    return build(task, Order(folder, "image", queries))


@pytest.mark.parametrize(("asked", "target"), [("text", 0.97), ("image", 0.99)])
def test_finds_what_it_was_calibrated_to_find(large: Segment, asked: str, target: float) -> None:
    partition, queries = _partition().with_segments([large]), SPACE.vectors(asked, 200, 4)
    expected, _ = nearest(queries, KEYS, ROWS, 10)
    found = partition.search(queries, 10, asked=asked)
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(found.keys, expected, strict=True)])
    assert recall >= target - 0.005  # the queries are others than those of the calibration
    effort = large.efforts[asked]
    assert effort.recall is not None
    assert effort.recall >= target
    assert effort.breadth < large.structure.breadths()[-1] or effort.shortlist < N / 2


@pytest.mark.parametrize("share", [0.0001, 0.2, 1.0])
def test_two_threads_find_as_much_as_one(
    large: Segment, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    partition, queries = _partition().with_segments([large]), SPACE.vectors("text", 100, 10)
    allowed = Allowed(KEYS[np.random.default_rng(11).random(N) < share])
    alone = partition.search(queries, 10, allowed=allowed, asked="text")
    monkeypatch.setattr("indexes.derived.nearest._WORTH_SHARING", 1)
    shared = partition.search(queries, 10, allowed=allowed, asked="text")
    pairs = zip(alone.keys, shared.keys, strict=True)
    assert np.mean([np.isin(a, b).mean() for a, b in pairs]) >= 0.98


def test_a_share_of_one_list_may_be_none(large: Segment) -> None:
    query = SPACE.vectors("text", 1, 12)[0]
    searches = large.structure.searches(query, Effort(1, 100), None, 2)
    shares = [search() for search in searches]
    assert len(shares[0]) > 0
    assert len(shares[1]) == 0


def test_codes_are_read_where_they_lie(large: Segment) -> None:
    mapped = Segment.open(large.folder).structure
    assert isinstance(mapped, Codes)
    assert isinstance(mapped.data.base, np.memmap)
    assert mapped.nbytes < 4 * DIM**2 + 1_000 * mapped.lists
    query = SPACE.vectors("text", 1, 13)[0]
    copied = Codes(np.fromfile(large.folder / "codes.faiss", dtype=np.uint8))
    np.testing.assert_array_equal(mapped.nearest(query, 50, 8), copied.nearest(query, 50, 8))


def test_works_harder_for_queries_of_which_it_knows_nothing(small: Segment) -> None:
    own = small.efforts["image"]
    guess = small.effort("text")
    assert guess.breadth >= 4 * own.breadth
    assert guess.shortlist >= own.shortlist
    assert guess.recall is None


def test_calibration_is_kept_with_the_files(small: Segment) -> None:
    queries = SPACE.vectors("text", 40, 5)
    calibrated = small.calibrated("text", queries, 0.9)
    assert calibrated.efforts["text"].queries == 40
    assert "text" not in small.efforts  # a value
    assert Segment.open(small.folder).efforts == calibrated.efforts


@pytest.mark.parametrize("share", [0.003, 0.01, 0.1, 0.5])
def test_finds_the_nearest_of_those_that_pass_a_filter(large: Segment, share: float) -> None:
    partition, queries = _partition().with_segments([large]), SPACE.vectors("text", 100, 6)
    chosen = np.flatnonzero(np.random.default_rng(7).random(N) < share)
    expected, _ = nearest(queries, KEYS[chosen], ROWS[chosen], 10)
    found = partition.search(queries, 10, allowed=Allowed(KEYS[chosen]), asked="text")
    recall = np.mean([np.isin(a, b).mean() for a, b in zip(found.keys, expected, strict=True)])
    assert recall >= 0.965
    assert np.isin(found.keys, KEYS[chosen]).all()


@pytest.mark.parametrize("left", [1, 7, 40])
def test_a_filter_that_leaves_few_finds_them_all(large: Segment, left: int) -> None:
    partition, query = _partition().with_segments([large]), SPACE.vectors("text", 1, 8)
    far = partition.search(query, N, exact=True).keys[0, -left:]
    found = partition.search(query, 10, allowed=Allowed(np.sort(far)), asked="text").keys[0]
    assert found[:left].tolist() == far[:10].tolist()
    assert (found[left:] == -1).all()


def test_never_finds_fewer_than_there_are(large: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "efforts", {"image": Effort(1, 1), "text": Effort(1, 1)})
    partition, query = _partition().with_segments([large]), SPACE.vectors("text", 1, 9)
    expected = partition.search(query, 5_000, exact=True)
    assert partition.search(query, 5_000, asked="text").keys.tolist() == expected.keys.tolist()


@pytest.mark.parametrize("file", FILES)
def test_every_flipped_byte_is_noticed(small: Segment, tmp_path: Path, file: str) -> None:
    copy = _copied(small, tmp_path)
    good = (copy / file).read_bytes()
    step = max(len(good) // 60, 1)
    for place in [*range(0, len(good), step), len(good) - 1]:
        flipped = good[:place] + bytes([good[place] ^ 0x10]) + good[place + 1 :]
        (copy / file).write_bytes(flipped)
        with pytest.raises(StorageError, match=file):
            Segment.open(copy).verify()
    (copy / file).write_bytes(good)
    Segment.open(copy).verify()


@pytest.mark.parametrize("file", FILES)
def test_a_file_cut_short_lengthened_or_missing_is_refused(
    small: Segment, tmp_path: Path, file: str
) -> None:
    copy = _copied(small, tmp_path)
    good = (copy / file).read_bytes()
    for bad in (good[: len(good) // 2], b"", good + b"\0"):
        (copy / file).write_bytes(bad)
        with pytest.raises(StorageError, match=file):
            Segment.open(copy)
    (copy / file).unlink()
    with pytest.raises(StorageError, match=file):
        Segment.open(copy)


def test_files_of_another_format_are_refused(small: Segment, tmp_path: Path) -> None:
    copy = _copied(small, tmp_path)
    manifest = json.loads((copy / "manifest.json").read_bytes())
    del manifest["crc32"]
    files.write_document(copy / "manifest.json", {**manifest, "format": 3})
    with pytest.raises(StorageError, match="of format 3, not 2"):
        Segment.open(copy)


def test_a_build_that_is_cancelled_leaves_nothing(tmp_path: Path) -> None:
    task = plan(_partition(3_000))
    assert task
    for patience in (0, 1, 5, 20, 100):
        answers = chain(repeat(False, patience), repeat(True))
        with pytest.raises(Cancelled):
            build(task, Order(tmp_path / "segment", "image", cancelled=answers.__next__))
        assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    task = plan(_partition(300))
    assert task
    with pytest.raises(StorageError, match="cannot write the segment"):
        build(task, Order(tmp_path / "file" / "segment", "image"))


def test_the_same_rows_and_seed_make_the_same_files(small: Segment, tmp_path: Path) -> None:
    again = _segment(tmp_path / "again", 300)
    for file in ("keys.i64", "rows.f16", "codes.faiss"):
        assert (again.folder / file).read_bytes() == (small.folder / file).read_bytes()


def test_tells_which_keys_no_segment_holds(small: Segment) -> None:
    def covering(after: int, upto: int) -> Segment:
        segment = Segment.open(small.folder)
        segment.covers = KeyRange(after, upto)
        return segment

    one, two, three = covering(0, 10), covering(10, 20), covering(20, 35)
    assert uncovered([]) == ((0, LAST_KEY),)
    assert uncovered([one, two, three]) == ((35, LAST_KEY),)
    assert uncovered([three, one]) == ((10, 20), (35, LAST_KEY))
    assert uncovered([two]) == ((0, 10), (20, LAST_KEY))


def _copied(segment: Segment, folder: Path) -> Path:
    copy = folder / "copy"
    copy.mkdir()
    for path in segment.folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    return copy
