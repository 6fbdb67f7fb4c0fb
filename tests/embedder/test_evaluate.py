"""Reports on hand-made shards, where every figure can be counted by hand."""

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from embedder.base import Vectors, unit
from embedder.evaluate import evaluate, judge
from embedder.training.shards import ShardItem, bucket
from tests.fakes import FakeEmbedder

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def png(colour: str) -> bytes:
    file = io.BytesIO()
    PIL.Image.new("RGB", (8, 8), COLOURS[colour]).save(file, "PNG")
    return file.getvalue()


def row(key: str, **fields: object) -> dict[str, object]:
    empty = dict.fromkeys(("label", "synonyms", "fold", "source", "title", "author"))
    plain = {"modality": "image", "format": "png", "media": b"", "captions": [], "licence": "CC0"}
    return {"key": key, "tier": "open", **empty, **plain, **fields}


def write(folder: Path, name: str, rows: Sequence[dict[str, object]]) -> None:
    folder.mkdir(exist_ok=True)
    schema = pa.schema([
        *((n, pa.string()) for n in ("key", "modality", "format")), ("media", pa.binary()),
        *((n, pa.string()) for n in ("dataset", "label")), ("captions", pa.list_(pa.string())),
        ("synonyms", pa.string()), ("fold", pa.int64()),
        *((n, pa.string()) for n in ("licence", "tier", "source", "title", "author")),
    ])  # fmt: skip
    pq.write_table(pa.Table.from_pylist(list(rows), schema), folder / name)


def keys(name: str, count: int, *, held_out: bool) -> list[str]:
    numbered = (f"{name}-{i:06d}" for i in range(100_000))
    chosen = (key for key in numbered if (bucket(key) < 100) == held_out)
    return [next(chosen) for _ in range(count)]


class Planned:
    """Vectors decided by the test: one axis a word; an item lies where `plan` puts it."""

    def __init__(self, plan: dict[str, str]) -> None:
        self.plan = plan
        self.axes = {word: i for i, word in enumerate(["red", "green", "blue", "bell", "drum"])}

    def _vector(self, text: str) -> np.ndarray:
        vector = np.full(len(self.axes) + 1, 0.01, dtype=np.float32)
        for word in text.replace(",", " ").split():
            vector[self.axes.get(word, -1)] += 1.0 if word in self.axes else 0.001
        return vector

    def texts(self, texts: Sequence[str]) -> Vectors:
        return unit(np.stack([self._vector(text) for text in texts]))

    def items(self, items: Sequence[ShardItem]) -> Vectors:
        return self.texts([self.plan[item.key] for item in items])


@pytest.fixture
def captioned(tmp_path: Path) -> Path:
    rows = [
        row(f"flickr8k-{i}", dataset="flickr8k", media=png(c), captions=[f"a {c} wall", c])
        for i, c in enumerate(COLOURS)
    ]
    write(tmp_path / "val", "val-flickr8k-000.parquet", rows)
    return tmp_path


def test_an_embedder_is_judged_end_to_end_with_progress(captioned: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = evaluate(FakeEmbedder(), captioned, progress=lambda *now: seen.append(now))
    assert seen == [(3, 3)]
    assert report.value("text > image", "val-flickr8k", "R@1") == 1.0
    assert report.value("image > text", "val-flickr8k", "R@1") == 1.0
    assert report == evaluate(FakeEmbedder(), captioned)


def test_recall_is_the_share_of_captions_that_find_their_picture(captioned: Path) -> None:
    # The blue picture looks red, and the first of two equals wins: both captions of blue fail.
    source = Planned({"flickr8k-0": "red", "flickr8k-1": "green", "flickr8k-2": "red"})
    report = judge(source, captioned)
    assert report.value("text > image", "val-flickr8k", "R@1") == pytest.approx(4 / 6)
    assert report.value("image > text", "val-flickr8k", "R@1") == pytest.approx(2 / 3)
    figure = next(f for f in report.figures if f.direction == "text > image")
    assert figure.count == 6
    assert figure.chance == pytest.approx(1 / 3)


def test_classes_and_names_are_told_by_their_labels(tmp_path: Path) -> None:
    labels = ["red", "green", "blue", "bell", "drum"]
    held = keys("toys", 50, held_out=True)
    rows = [row(k, dataset="toys", label=labels[i % 5]) for i, k in enumerate(held)]
    write(tmp_path, "train-000.parquet", rows)
    # Every tenth item looks like the next label.
    plan = {k: labels[(i + (i % 10 == 0)) % 5] for i, k in enumerate(held)}
    names = ["red, crimson", "green", "blue", "bell", "drum", "zebra"]
    report = judge(Planned(plan), tmp_path, names=names)
    assert report.value("image > class", "toys", "top-1") == pytest.approx(0.9)
    assert report.value("image > class", "toys", "top-5") == 1.0
    assert report.value("image > 6 names", "toys", "top-1") == pytest.approx(0.9)
    with pytest.raises(KeyError, match="no figure R@1"):
        report.value("image > class", "toys", "R@1")


def test_labels_that_no_training_clip_bears_are_unheard(tmp_path: Path) -> None:
    held, taught = keys("bells", 50, held_out=True), keys("bells", 1, held_out=False)
    labels = ["bell"] * 25 + ["drum"] * 25
    clip = {"modality": "audio", "dataset": "bells"}
    rows = [row(k, label=label, **clip) for k, label in zip(held, labels, strict=True)]
    rows.append(row(taught[0], label="bell", **clip))
    write(tmp_path, "sounds-000.parquet", rows)
    # Drums sound red: the query for them finds bells first.
    plan = {
        k: {"bell": "bell", "drum": "red"}[label] for k, label in zip(held, labels, strict=True)
    }
    report = judge(Planned(plan), tmp_path)
    assert report.value("text > sound", "sounds, heard", "R@10") == 1.0
    assert report.value("text > sound", "sounds, unheard", "R@10") == 0.0


def test_clips_and_photos_of_one_thing_find_each_other(tmp_path: Path) -> None:
    photos = keys("things", 4, held_out=True)
    labels = ["bell", "bell", "drum", "drum"]
    rows = [row(k, dataset="things", label=x) for k, x in zip(photos, labels, strict=True)]
    rows += [
        row(f"clip-{i}", modality="audio", dataset="esc50", label=x, fold=4)
        for i, x in enumerate(["bell", "drum"])
    ]
    write(tmp_path / "train", "train-000.parquet", rows)
    pairs = [f"{x},{k},label" for k, x in zip(photos, labels, strict=True)]
    table = "\n".join(["sound_label,image_key,basis", *pairs])
    (tmp_path / "train" / "sound_image_pairs.csv").write_text(table)
    plan = dict(zip(photos, labels, strict=True)) | {"clip-0": "bell", "clip-1": "bell"}
    report = judge(Planned(plan), tmp_path)
    # The first clip finds both its photos, the second, a drum that sounds like a bell, neither.
    assert report.value("audio > image", "pairs", "precision@10") == pytest.approx(0.5)
    assert report.value("audio > image", "pairs", "R@1") == pytest.approx(0.5)
    assert report.value("image > audio", "pairs", "R@1") == pytest.approx(0.5)
