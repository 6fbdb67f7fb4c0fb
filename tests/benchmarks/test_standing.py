"""Who is ahead, on curves whose values in between are known."""

import math

import pytest

from benchmarks.search.engines.base import NOTHING, SYNCED
from benchmarks.search.figures import Point, Result
from benchmarks.search.standing import latency_at, recall_at, standing
from benchmarks.search.workload import CROSS, FILTERED


def curve(*points: tuple[float, float], question: str = CROSS) -> list[Point]:
    return [
        Point(question, effort, recall, p50, 2 * p50, p50, 1e3 / p50)
        for effort, (recall, p50) in enumerate(points, start=1)
    ]


CURVE = curve((0.8, 1.0), (0.9, 4.0), (0.85, 5.0), (1.0, 16.0))


def test_between_two_settings_recall_goes_with_the_logarithm_of_the_latency() -> None:
    assert latency_at(CURVE, 0.85) == pytest.approx(2.0)
    assert recall_at(CURVE, 2.0) == pytest.approx(0.85)
    assert latency_at(CURVE, 0.95) == pytest.approx(8.0), "what is beaten in both is no part of it"
    assert recall_at(CURVE, 8.0) == pytest.approx(0.95)


def test_beyond_its_ends_a_curve_has_what_its_ends_have() -> None:
    assert latency_at(CURVE, 0.5) == pytest.approx(1.0)
    assert recall_at(CURVE, 99.0) == pytest.approx(1.0)
    assert recall_at(CURVE, 0.5) == 0.0, "never so fast"
    assert latency_at(CURVE[:3], 0.95) == math.inf, "never so much"
    assert latency_at([], 0.5) == math.inf


def test_says_who_is_ahead_of_those_who_find_enough() -> None:
    few = FILTERED[0].name
    ours = Result("Kindred", "1", SYNCED, "")
    ours.points = [*curve((0.9, 3.0)), *curve((0.99, 2.0), question=few)]
    peer = Result("hnswlib", "1", NOTHING, "")
    peer.points = [*CURVE, *curve((0.5, 1.0), question=few)]
    peer.ingest, peer.indexed = {"1 x 1000": 2_900.0}, 800.0
    ours.ingest = ours.synced = {"1 x 1000": 1_900.0}
    ours.indexed = 700.0
    rows = {row.what: row for row in standing([ours, peer])}
    at_recall = rows[f"{CROSS}: ms at recall 0.900"]
    assert (at_recall.cells, at_recall.ahead) == ({"Kindred": "3.0", "hnswlib": "4.0"}, "Kindred")
    in_time = rows[f"{CROSS}: recall in 3.0 ms"]
    assert in_time.cells == {"Kindred": "0.900", "hnswlib": "0.879"}
    assert rows[f"{few}: ms (recall)"].cells["hnswlib"] == "1.0 (0.500)"
    assert rows[f"{few}: ms (recall)"].ahead == "Kindred", "the other one finds too little"
    assert rows["rows/s in batches of 1,000"].ahead == "hnswlib"
    on_disk = rows["rows/s in batches of 1,000, on disk"]
    assert (on_disk.cells, on_disk.ahead) == ({"Kindred": "1,900", "hnswlib": "-"}, "Kindred")
    assert rows["rows/s on disk and indexed"].cells == {"Kindred": "700", "hnswlib": "-"}
    assert len(rows) == 6


def test_without_kindred_there_is_nothing_to_be_equal_to() -> None:
    peer = Result("hnswlib", "1", NOTHING, "", points=CURVE)
    assert standing([peer]) == []
