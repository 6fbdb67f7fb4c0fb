"""Parquet: out and in again is the same, and a bad row costs itself alone."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from indexes import parquet
from indexes.collection import Collection
from indexes.errors import InvalidItem, InvalidVector, SpaceMismatch, StorageError
from indexes.item import Item
from indexes.local.folder import FolderStore
from indexes.windows import Windows
from tests.indexes.collection_contract import DIM, some_items
from tests.indexes.samples import kept, unit_rows

VECTORS = unit_rows(6, DIM, 3)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def collection(store: FolderStore) -> Collection:
    return store.create("things", space_id="space", dim=DIM, model="model")


def rows(collection: Collection) -> list[tuple[object, ...]]:
    items = collection.items(page_size=10_000).items
    return [(i.id, i.modality, i.vector.tobytes(), i.metadata, i.created) for i in items]


def table(**columns: Any) -> pa.Table:  # noqa: ANN401 - any column
    """Returns a table of six good rows of this space, with other columns where they are given."""
    good = {
        "id": [f"id-{n}" for n in range(6)],
        "modality": ["image"] * 6,
        "vector": pa.array(list(VECTORS), pa.list_(pa.float32(), DIM)),
    }
    chosen = {name: column for name, column in (good | columns).items() if column is not None}
    return pa.table(chosen).replace_schema_metadata({"kindred.space_id": "space"})


def imported(collection: Collection, path: Path, what: pa.Table) -> parquet.Imported:
    pq.write_table(what, path)
    return parquet.import_(collection, path)


def test_out_and_in_again_is_the_same(
    store: FolderStore, collection: Collection, tmp_path: Path
) -> None:
    odd = {"title": "Été 😀", "nested": {"list": [1, 2.5, None, True]}, "big": -(2**63)}
    moment = datetime(1969, 2, 3, 4, 5, 6, 789, tzinfo=UTC)
    collection.upsert(some_items(2_500))
    collection.upsert([Item("odd", "a_1", unit_rows(1, DIM, 9)[0], odd, moment)])
    path = tmp_path / "items.parquet"
    seen: list[tuple[int, int]] = []
    assert parquet.export(collection, path, lambda *done: seen.append(done)) == 2_501
    assert seen == [(1_000, 2_501), (2_000, 2_501), (2_501, 2_501)]
    again = store.create("again", space_id="space", dim=DIM, model="model")
    seen.clear()
    done = parquet.import_(again, path, lambda *done: seen.append(done))
    assert (done.stored, done.refused) == (2_501, [])
    assert seen == [(1_000, 2_501), (2_000, 2_501), (2_501, 2_501)]
    assert rows(again) == rows(collection)
    parquet.import_(again, path)
    assert sum(again.count().values()) == 2_501
    parquet.export(again, tmp_path / "two.parquet")
    assert pq.read_table(tmp_path / "two.parquet").equals(pq.read_table(path))
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "items.parquet", "store", "two.parquet",
    ]  # fmt: skip


def test_other_tools_can_read_it(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    parquet.export(collection, path)
    assert pq.read_table(path).num_rows == 0
    items = some_items(3)
    collection.upsert(items)
    parquet.export(collection, path)
    found = pq.read_table(path)
    assert found.schema.field("vector").type == pa.list_(pa.float32(), DIM)
    assert found.schema.metadata[b"kindred.space_id"] == b"space"
    assert found.schema.metadata[b"kindred.model"] == b"model"
    assert found.column("id").to_pylist() == [item.id for item in items]
    assert [json.loads(text) for text in found.column("metadata").to_pylist()] == [
        item.metadata for item in items
    ]
    vectors = np.array(found.column("vector").to_pylist(), np.float32)
    np.testing.assert_array_equal(vectors, kept(np.stack([item.vector for item in items])))


def test_a_bad_row_costs_itself_alone(collection: Collection, tmp_path: Path) -> None:
    vectors = [VECTORS[0], VECTORS[1] * 2, None, VECTORS[3][:5], np.full(DIM, np.nan), VECTORS[5]]
    lists = [None if each is None else each.tolist() for each in vectors]
    what = table(vector=pa.array(lists, pa.list_(pa.float64())))
    done = imported(collection, tmp_path / "a", what)
    assert done.stored == 2
    assert [row for row, _ in done.refused] == [1, 2, 3, 4]
    for (_, reason), rule in zip(done.refused, ["unit", "null", "16", "unit"], strict=True):
        assert rule in reason
    many = pa.concat_tables(
        [table(metadata=["{", None, "[]", '{"a": NaN}', '{"a": 1}', "[" * 9**5])]
    )
    done = imported(collection, tmp_path / "b", many)
    assert [row for row, _ in done.refused] == [0, 2, 3, 5]
    assert collection.get("id-4").metadata == {"a": 1}
    done = imported(collection, tmp_path / "c", table(id=["", None, "a", "b\n", "c", "d"]))
    assert [row for row, _ in done.refused] == [0, 1, 3]


def test_rows_are_counted_from_the_beginning_of_the_file(
    collection: Collection, tmp_path: Path
) -> None:
    items = [f"id-{n}" if n not in (1_500, 2_600) else "" for n in range(3_000)]
    vectors = pa.array([VECTORS[0]] * 3_000, pa.list_(pa.float32(), DIM))
    done = imported(
        collection, tmp_path / "a", table(id=items, modality=["a"] * 3_000, vector=vectors)
    )
    assert [row for row, _ in done.refused] == [1_500, 2_600]
    assert collection.count() == {"a": 2_998}


@pytest.mark.parametrize(
    "columns",
    [
        {"id": pa.array([f"id-{n}" for n in range(6)]).dictionary_encode()},
        {"modality": pa.array(["image"] * 6, pa.large_string())},
        {"vector": pa.array(list(VECTORS), pa.list_(pa.float32()))},
        {"vector": pa.array(list(VECTORS), pa.large_list(pa.float64()))},
        {"vector": pa.array(list(VECTORS.astype(np.float16)), pa.list_(pa.float16(), DIM))},
        {"created": pa.array([1_700_000_000_000_000_001] * 6, pa.timestamp("ns"))},
        {"created": pa.array([1_700_000_000] * 6, pa.timestamp("s", "Europe/Berlin"))},
        {"created": pa.array([None] * 6, pa.timestamp("us"))},
    ],
    ids=lambda columns: " ".join(columns),
)
def test_takes_what_other_tools_write(
    collection: Collection, tmp_path: Path, columns: dict[str, Any]
) -> None:
    done = imported(collection, tmp_path / "a", table(**columns))
    assert (done.stored, done.refused) == (6, [])
    np.testing.assert_array_equal(collection.get("id-3").vector, kept(VECTORS[3]))
    if "created" in columns and columns["created"].null_count == 0:
        assert collection.get("id-3").created == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("columns", "error", "rule"),
    [
        ({"vector": None}, InvalidItem, "needs columns"),
        ({"id": None}, InvalidItem, "needs columns"),
        ({"id": list(range(6))}, InvalidItem, "'id'.*int64"),
        ({"vector": ["x"] * 6}, InvalidItem, "'vector'.*string"),
        ({"vector": pa.array([[1, 0]] * 6)}, InvalidItem, "'vector'.*int64"),
        ({"metadata": [{"a": 1}] * 6}, InvalidItem, "'metadata'.*struct"),
        ({"created": ["now"] * 6}, InvalidItem, "'created'"),
        (
            {"vector": pa.array([[1.0, 0.0]] * 6, pa.list_(pa.float32(), 2))},
            InvalidVector,
            "16 numbers.* have 2",
        ),
    ],
)
def test_other_columns_are_refused(
    collection: Collection,
    tmp_path: Path,
    columns: dict[str, Any],
    error: type[Exception],
    rule: str,
) -> None:
    with pytest.raises(error, match=rule):
        imported(collection, tmp_path / "a", table(**columns))
    assert collection.count() == {}


def test_vectors_of_another_space_are_refused(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "a"
    pq.write_table(table().replace_schema_metadata({"kindred.space_id": "other"}), path)
    for said in (None, "space"):
        with pytest.raises(SpaceMismatch, match="got space other"):
            parquet.import_(collection, path, space_id=said)
    pq.write_table(table().replace_schema_metadata(None), path)
    with pytest.raises(SpaceMismatch, match="does not say"):
        parquet.import_(collection, path)
    with pytest.raises(SpaceMismatch, match="got space other"):
        parquet.import_(collection, path, space_id="other")
    assert parquet.import_(collection, path, space_id="space").stored == 6


def test_a_modality_that_is_not_taken_costs_its_row(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "items.parquet"
    pq.write_table(table(), path)
    known = table().column("modality").to_pylist()
    done = parquet.import_(collection, path, modalities={known[0]})
    assert done.stored == known.count(known[0])
    assert [row for row, _ in done.refused] == [n for n, it in enumerate(known) if it != known[0]]


def test_a_file_that_is_none_is_refused(collection: Collection, tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"no Parquet" * 100)
    with pytest.raises(InvalidItem, match="Parquet"):
        parquet.import_(collection, path)
    parquet.export(collection, path)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(InvalidItem, match="Parquet"):
        parquet.import_(collection, path)
    with pytest.raises(StorageError, match="cannot read"):
        parquet.import_(collection, tmp_path / "none")
    with pytest.raises(StorageError, match="cannot write"):
        parquet.export(collection, tmp_path / "none" / "a")


def test_whoever_breaks_off_leaves_no_file(collection: Collection, tmp_path: Path) -> None:
    collection.upsert(some_items(5))

    def impatient(*_: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "a"
    path.write_text("before")
    with pytest.raises(KeyboardInterrupt):
        parquet.export(collection, path, impatient)
    assert path.read_text() == "before"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["a", "store"]


def test_a_missing_pyarrow_is_named_with_what_installs_it() -> None:
    program = "import sys; sys.modules['pyarrow'] = None; import indexes.parquet"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert "pip install 'kindred[parquet]'" in done.stderr


def test_windows_come_back(
    store: FolderStore, collection: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("indexes.windowed._ASKED_AT_ONCE", 2)
    monkeypatch.setattr("indexes.windowed._BYTES_AT_ONCE", 100)
    spans = np.array([[0.0, 5.0], [2.5, 7.5], [5.0, 9.123]])
    windows = {f"id-{n}": Windows.of(spans[: n + 1], VECTORS[: n + 1]) for n in (0, 2)}
    collection.upsert(
        [
            Item(f"id-{n}", "audio", vector, windows=windows.get(f"id-{n}"))
            for n, vector in enumerate(VECTORS)
        ]
    )
    path = tmp_path / "items.parquet"
    assert parquet.export(collection, path) == 6
    shown = pq.read_table(path).column("windows").to_pylist()
    assert [None if each is None else len(each) for each in shown] == [1, None, 3, None, None, None]
    assert (shown[2][2]["start"], shown[2][2]["end"]) == (5.0, 9.123)
    again = store.create("again", space_id="space", dim=DIM, model="model")
    monkeypatch.setattr("indexes.parquet._BYTES_AT_ONCE", 1)
    assert parquet.import_(again, path).stored == 6
    found = again.windows([f"id-{n}" for n in range(6)] + ["nobody"])
    assert {one: each.packed() for one, each in found.items()} == {
        one: each.packed() for one, each in windows.items()
    }
    assert rows(again) == rows(collection)


def test_windows_that_break_a_rule_cost_their_row(collection: Collection, tmp_path: Path) -> None:
    def stretch(start: float | None, end: float, vector: np.ndarray | None) -> dict[str, Any]:
        return {"start": start, "end": end, "vector": None if vector is None else vector.tolist()}

    good = stretch(0, 1, VECTORS[0])
    windows = [
        [good, stretch(1, 2, VECTORS[1])],
        [good, stretch(3, 2, VECTORS[1])],
        [stretch(None, 2, VECTORS[1])],
        [stretch(0, 1, VECTORS[0][:-1]), stretch(0, 1, np.append(VECTORS[0], 1))],
        [good, stretch(0, 2, None)],
        [],
    ]
    fields = {"start": pa.float32(), "end": pa.float64(), "vector": pa.list_(pa.float64())}
    type_ = pa.list_(pa.struct(list(fields.items())))
    done = imported(collection, tmp_path / "a", table(windows=pa.array(windows, type_)))
    assert [row for row, _ in done.refused] == [1, 2, 3, 4]
    assert list(collection.windows([f"id-{n}" for n in range(6)])) == ["id-0"]
    odd = pa.array([[{"from": 0.0}]] * 6)
    with pytest.raises(InvalidItem, match="'windows'"):
        imported(collection, tmp_path / "b", table(windows=odd))
