"""The tables of kindred-mini's model card, made of a report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from embedder.evaluate.report import Figure, Report

_R, _TOP, _P = ("R@1", "R@5", "R@10"), ("top-1", "top-5"), ("precision@10",)
_PAIRED = "ESC-50 fold 4 x held-out photos of the same"
_BOUND = "ESC-50 fold 4, sound bound to {}, classes with pictures"


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the card: some figures of one direction and dataset, and what was aimed at."""

    direction: str
    dataset: str
    metrics: Sequence[str]
    title: str
    where: str
    least: str = ""
    goal: str = ""


ROWS = (
    Row("text > image", "val-flickr8k", _R, "words to photo",
        "Flickr8k validation, 1,000 photos x 5 captions", "14 / - / 48", "19 / - / 58"),
    Row("image > text", "val-flickr8k", _R, "photo to words", "the same",
        "17 / - / 50", "24 / - / 61"),
    Row("text > image", "photos", _R, "words to photo", "held-out tenth of photos-000, 267 photos",
        "ceiling - 5", "ceiling"),
    Row("image > text", "photos", _R, "photo to words", "the same"),
    Row("image > class", "caltech101", _TOP, "zero-shot classes", "Caltech-101, held out",
        "65", "75"),
    Row("image > class", "tiny_imagenet", _TOP, "zero-shot classes",
        "Tiny-ImageNet (200), held out", "40", "50"),
    Row("image > 1000 names", "tiny_imagenet", _TOP, "1,000 ImageNet names",
        "Tiny-ImageNet, held out", "- / 35", "- / 55"),
    Row("image > class", "grocery", _TOP, "zero-shot classes", "Grocery Store, held out"),
    Row("audio > class", "esc50", _TOP, "sound class by text", "ESC-50 fold 4 (50 labels)",
        "82", "86"),
    Row("audio > class", "esc50, leave one fold out", _TOP, "sound class by text",
        "ESC-50, head bound again, mean of leave-one-fold-out", "80", "84"),
    Row("audio > class", "esc50, bound to pictures", _TOP, "sound class by text, emergent",
        _BOUND.format("pictures alone"), "5 x chance", "10 x chance"),
    Row("audio > class", "esc50, bound to texts", _TOP, "sound class by text",
        _BOUND.format("texts alone")),
    Row("audio > class", "esc50, bound to both", _TOP, "sound class by text",
        _BOUND.format("both")),
    Row("audio > class", "kitchen20", _TOP, "sound class by text", "Kitchen20, held out, 63 clips"),
    Row("text > sound", "sounds, heard", ("R@10",), "words to sound, one right in ten",
        "sounds-*, labels heard in training", "70", "78"),
    Row("text > sound", "sounds, unheard", ("R@10",), "words to sound, one right in ten",
        "sounds-*, labels never heard", "20", "35"),
    Row("text > audio", "all", _R, "words to sound", "all held-out clips, their captions"),
    Row("audio > image", "pairs", _P, "sound to photo", _PAIRED, "50", "65"),
    Row("image > audio", "pairs", _P, "photo to sound", "the same", "50", "65"),
    Row("audio > image", "pairs", _R, "sound to photo", "the same"),
    Row("text > image", "demo", ("R@1",), "words to photo",
        "the demo's 15 photos, each by its name", "", "every nameable one"),
    Row("text > audio", "demo", ("R@1",), "words to sound",
        "the demo's 21 synthesised sounds, each by its name", "80", "100"),
)  # fmt: skip
"""What the card tells, in its order; a row that the report has no figures for is left out."""

_SHAPE = ("modality gap", "separability", "alignment", "uniformity")
_SPREAD = ("mean of z", "deviation of z", "calibration error", "share above z = 3")
_MIXED = ("right kind first, calibrated", "by cosine")


def card(report: Report) -> str:
    """Returns the card's tables in Markdown: figures, shape of the space, calibration."""
    found = {figure.name: figure for figure in report.figures}
    return "\n\n".join(
        "\n".join(table)
        for table in (_figures(found), _shape(report), _spread(found), _mixed(found))
    )


Found = Mapping[tuple[str, str, str], Figure]


def _figures(found: Found) -> Iterator[str]:
    """Yields the table of all directions, shares in %."""
    yield _line(
        "direction", "set", "metric", "kindred-mini", "teachers' ceiling", "chance", "at least",
        "goal",
    )  # fmt: skip
    yield "|---|---|---|---|---|---|---|---|"
    for row in ROWS:
        figures = [found.get((row.direction, row.dataset, metric)) for metric in row.metrics]
        known = [figure for figure in figures if figure]
        if known:
            values = (
                _shares([figure.value for figure in known]),
                _shares([figure.ceiling for figure in known]),
                _shares([figure.chance for figure in known]),
            )
            yield _line(row.title, row.where, " / ".join(row.metrics), *values, row.least, row.goal)


def _shape(report: Report) -> Iterator[str]:
    """Yields the table of how the modalities lie."""
    yield "| shape of the space, held-out pairs | kindred-mini | ceiling |"
    yield "|---|---|---|"
    for f in report.figures:
        if f.metric in _SHAPE:
            ceiling = "" if f.ceiling is None else f"{f.ceiling:.3f}"
            yield _line(f"{f.direction}, {f.metric}", f"{f.value:.3f}", ceiling)


def _spread(found: Found) -> Iterator[str]:
    """Yields the table of unrelated pairs, in z of the background that ships."""
    yield "| unrelated pairs, in z | " + " | ".join(_SPREAD) + " |"
    yield "|---" * (1 + len(_SPREAD)) + "|"
    directions = [(f.direction, f.dataset) for f in found.values() if f.metric == _SPREAD[0]]
    for where in directions:
        mean, deviation, error, tail = (found[*where, metric].value for metric in _SPREAD)
        numbers = (f"{mean:+.2f}", f"{deviation:.2f}", f"{error:.3f}", f"{100 * tail:.2f} %")
        yield _line(where[0], *numbers)


def _mixed(found: Found) -> Iterator[str]:
    """Yields the table of lists in which pictures and recordings are mixed, shares in %."""
    yield "| pictures and sounds in one list | right kind first, calibrated | by cosine | chance |"
    yield "|---|---|---|---|"
    for f in found.values():
        if f.metric == _MIXED[0]:
            other = found[f.direction, f.dataset, _MIXED[1]]
            yield _line(f.dataset, _shares([f.value]), _shares([other.value]), _shares([f.chance]))


def _shares(values: Sequence[float | None]) -> str:
    """Returns shares in %, slashes between them."""
    return " / ".join("-" if value is None else f"{100 * value:.1f}" for value in values)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
