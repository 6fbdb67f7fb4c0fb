"""The model card's tables, cell by cell."""

from embedder.evaluate.card import card
from embedder.evaluate.report import Figure, Report

UNRELATED = "held out, unrelated"


def test_a_row_has_its_metrics_side_by_side_and_what_was_aimed_at() -> None:
    recalls = zip(("R@1", "R@5", "R@10"), (0.15904, 0.38861, 0.51872), strict=True)
    flickr = [Figure("text > image", "val-flickr8k", k, x, 0.001, 5, 0.2) for k, x in recalls]
    demo = Figure("text > audio", "demo", "R@1", 20 / 21, 1 / 21, 21)
    lines = card(Report((demo, *flickr))).splitlines()
    assert lines[2:4] == [
        "| words to photo | Flickr8k validation, 1,000 photos x 5 captions | R@1 / R@5 / R@10 "
        "| 15.9 / 38.9 / 51.9 | 20.0 / 20.0 / 20.0 | 0.1 / 0.1 / 0.1 | 14 / - / 48 | 19 / - / 58 |",
        "| words to sound | the demo's 21 synthesised sounds, each by its name | R@1 "
        "| 95.2 | - | 4.8 | 80 | 100 |",
    ]
    assert lines[4] == ""


def test_space_and_calibration_have_tables_of_their_own() -> None:
    z = ("mean of z", -0.104), ("deviation of z", 1.2), ("calibration error", 0.0321)
    tail = ("share above z = 3", 0.004)
    mixed = ("right kind first, calibrated", 0.87), ("by cosine", 0.99)
    report = Report((
        Figure("text - image", "held out", "modality gap", 0.2711, None, 9, 0.279),
        *(Figure("text > image", UNRELATED, name, x, 0.0, 9) for name, x in (*z, tail)),
        *(Figure("text > image and audio", "words about image", m, x, 0.5, 9) for m, x in mixed),
    ))  # fmt: skip
    _, shape, spread, mixture = (table.splitlines() for table in card(report).split("\n\n"))
    assert shape[2:] == ["| text - image, modality gap | 0.271 | 0.279 |"]
    assert spread[2:] == ["| text > image | -0.10 | 1.20 | 0.032 | 0.40 % |"]
    assert mixture[2:] == ["| words about image | 87.0 | 99.0 | 50.0 |"]


def test_a_report_takes_its_ceiling_by_name() -> None:
    mine, other = (Figure("a", "b", "R@1", x, None, 1) for x in (0.1, 0.2))
    alone = Figure("a", "c", "R@1", 0.3, None, 1)
    report = Report((mine, alone)).below(Report((other,)))
    assert [figure.ceiling for figure in report.figures] == [0.2, None]
    assert report.value("a", "b", "R@1") == 0.1
    assert len(report.plus(Report((other,))).figures) == 3
