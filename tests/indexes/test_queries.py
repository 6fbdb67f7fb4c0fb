import numpy as np

from indexes.queries import RecentQueries
from tests.indexes.samples import unit_rows


def test_keeps_the_latest_different_queries_of_each_modality() -> None:
    recent, rows = RecentQueries({}, most=4, live=2), unit_rows(6, 8, 1)
    assert recent.all() == {}
    for row in (*rows, rows[3], rows[5]):
        recent.add("text", row)
    recent.add("image", rows[0])
    kept = recent.all()
    np.testing.assert_array_equal(kept["text"], rows[2:])
    np.testing.assert_array_equal(kept["image"], rows[:1])
    assert recent.changes == 7, "what is asked again is no change"


def test_goes_on_from_what_was_stored() -> None:
    rows = unit_rows(6, 8, 1)
    recent = RecentQueries({"text": rows[:5]}, most=4, live=2)
    recent.add("text", rows[4])
    assert recent.changes == 0
    recent.add("text", rows[5])
    np.testing.assert_array_equal(recent.all()["text"], rows[2:])


def test_the_very_latest_are_handed_out_once() -> None:
    recent, rows = RecentQueries({}, most=4, live=2), unit_rows(3, 8, 1)
    for row in rows:
        recent.add("text", row)
    assert [modality for modality, _ in recent.live()] == ["text", "text"]
    assert recent.live() == []
    recent.add("audio", rows[0])
    ((modality, vector),) = recent.live()
    assert modality == "audio"
    np.testing.assert_array_equal(vector, rows[0])
