"""Snapshots that others made up: their checksums are right, and what they say is not."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from indexes.errors import InvalidSnapshot
from indexes.local.folder import FolderStore
from indexes.truth import checksums, snapshot, state
from tests.indexes.collection_contract import DIM, some_items

Forge = Callable[..., Path]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    with FolderStore(tmp_path / "store") as store:
        yield store


@pytest.fixture
def forge(store: FolderStore, tmp_path: Path) -> Forge:
    """Returns what makes a snapshot with other facts, and a database changed by a statement."""
    store.create("things", space_id="space", dim=DIM, model="model").upsert(some_items(3))
    true, database = tmp_path / "true", tmp_path / "database"
    store.snapshot("things", true)
    size = snapshot.describe(true).payload_bytes
    facts = json.loads(true.read_bytes()[size : -snapshot._END])

    def forged(
        sql: Callable[[sqlite3.Connection], object] | None = None,
        raw: bytes | None = None,
        **claims: object,
    ) -> Path:
        database.write_bytes(true.read_bytes()[:size])
        if sql is not None:
            with closing(sqlite3.connect(database)) as connection, connection:
                connection.execute("PRAGMA journal_mode = DELETE")
                sql(connection)
        payload = database.read_bytes()
        told = json.dumps(facts | {"payload_bytes": len(payload)} | claims).encode()
        told = told if raw is None else raw
        body = payload + told + len(told).to_bytes(8)
        end = hashlib.sha256(body).digest() + snapshot._MAGIC + (1).to_bytes(4)
        path = tmp_path / "forged"
        path.write_bytes(body + end)
        return path

    return forged


def test_a_faithful_forgery_is_a_snapshot(store: FolderStore, forge: Forge) -> None:
    assert store.restore(forge(), "again", space_id="space").count()["text"] == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"schema": "2"},
        {"dim": -1},
        {"dim": 1.5},
        {"sequence": 1 << 70},
        {"counts": []},
        {"counts": {"text": "many"}},
        {"counts": {"text": -1}},
        {"name": None},
        {"name": "\ud800"},
        {"created": 7},
        {"created": "0001-01-01T00:00:00+14:00"},
        {"payload_bytes": "all"},
        {"more": 1},
        {"raw": b"[" * 100_000},
        {"raw": b"[]"},
    ],
    ids=lambda claims: str(claims)[:40],
)
def test_facts_of_a_wrong_kind_are_refused(forge: Forge, claims: dict[str, object]) -> None:
    with pytest.raises(InvalidSnapshot, match=r"is damaged: (no facts|its length differs)"):
        snapshot.describe(forge(**claims))


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        (
            "CREATE TRIGGER t AFTER INSERT ON item BEGIN DELETE FROM item; END",
            "tables and their indexes, got .*'trigger'",
        ),
        ("CREATE VIEW v AS SELECT 1", "tables and their indexes, got .*'view'"),
        ("DELETE FROM state WHERE name = 'model'", "'model' cannot be read"),
        ("DROP TABLE state", "no such table"),
        ("PRAGMA application_id = 1", "not a collection"),
    ],
    ids=["trigger", "view", "no fact", "no facts", "another program's"],
)
def test_a_database_of_another_make_is_refused(
    store: FolderStore, forge: Forge, sql: str, rule: str
) -> None:
    with pytest.raises(InvalidSnapshot, match=rule):
        store.restore(forge(lambda connection: connection.execute(sql)), "again")
    assert store.list() == ("things",)


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("dim", "many", "must hold a collection"),
        ("created", "once", "must hold a collection"),
        ("space_id", "other", r"the space it says, \('space', 8\), got \('other', 8\)"),
    ],
)
def test_facts_of_a_database_are_checked(
    store: FolderStore, forge: Forge, name: str, value: str, rule: str
) -> None:
    with pytest.raises(InvalidSnapshot, match=rule.replace("8", str(DIM))):
        store.restore(forge(lambda connection: state.put(connection, name, value)), "again")
    assert store.list() == ("things",)


def test_a_payload_that_is_no_database_is_refused(
    store: FolderStore, forge: Forge, tmp_path: Path
) -> None:
    path = forge()
    facts = path.read_bytes()[snapshot.describe(path).payload_bytes : -snapshot._END]
    told = json.dumps(json.loads(facts) | {"payload_bytes": 9}).encode()
    body = b"no tables" + told + len(told).to_bytes(8)
    end = hashlib.sha256(body).digest() + snapshot._MAGIC + (1).to_bytes(4)
    path.write_bytes(body + end)
    with pytest.raises(InvalidSnapshot, match="must hold a collection"):
        store.restore(path, "again")


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE more (x)",
        "CREATE VIRTUAL TABLE more USING fts5(x)",
        "DROP TABLE tag",
        "DROP INDEX of_modality",
        "ALTER TABLE item ADD COLUMN more AS (hex(zeroblob(100000000)))",
        "CREATE UNIQUE INDEX one ON item (length(id) + seq)",
    ],
)
def test_tables_that_are_not_ours_are_refused(store: FolderStore, forge: Forge, sql: str) -> None:
    with pytest.raises(InvalidSnapshot, match="tables and indexes that differ from ours"):
        store.restore(forge(lambda connection: connection.execute(sql)), "again")
    assert store.list() == ("things",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("indexed", "{"),
        ("indexed", "[1]"),
        ("indexed", '{"a": "b"}'),
        ("indexed", '{"": 1}'),
        ("structure", "pyramid"),
        ("backgrounds", "[[1]]"),
    ],
)
def test_facts_that_nobody_would_write_are_refused(
    store: FolderStore, forge: Forge, name: str, value: str
) -> None:
    with pytest.raises(InvalidSnapshot, match="must hold a collection"):
        store.restore(forge(lambda connection: state.put(connection, name, value)), "again")
    assert store.list() == ("things",)


def test_a_version_below_the_first_is_refused(store: FolderStore, forge: Forge) -> None:
    with pytest.raises(InvalidSnapshot, match="not a collection"):
        store.restore(forge(lambda it: it.execute("PRAGMA user_version = -5")), "again")


def _with_item(connection: sqlite3.Connection, **columns: object) -> None:
    """Changes columns of the first item, and makes its checksum right."""
    connection.create_function("crc", 6, checksums.of_item)
    for name, value in columns.items():
        connection.execute(f"UPDATE item SET {name} = ? WHERE seq = 1", (value,))
    connection.execute("UPDATE item SET crc = crc(seq, id, modality, created, mime, metadata)")


def _with_vector(connection: sqlite3.Connection, data: bytes) -> None:
    connection.create_function("crc", 3, checksums.of_vector)
    connection.execute("UPDATE vector SET data = ? WHERE seq = 1", (data,))
    connection.execute("UPDATE vector SET crc = crc(seq, modality, data)")


@pytest.mark.parametrize(
    "columns",
    [
        {"id": b"\xff"},
        {"id": ""},
        {"id": "a\r\nb"},
        {"id": "x" * 1000},
        {"modality": "smell"},
        {"modality": ""},
        {"created": "once"},
        {"created": 2**62},
        {"mime": "text/html\r\nset-cookie: a"},
        {"mime": b"\xff"},
        {"metadata": "{"},
        {"metadata": "[1]"},
        {"metadata": b"{}"[:1]},
        {"metadata": '{"a": NaN}'},
        {"metadata": '{"a":' + "[" * 100_000 + "]" * 100_000 + "}"},
        {"metadata": '{"a": "' + "x" * 70_000 + '"}'},
    ],
    ids=lambda columns: str(columns)[:40],
)
def test_an_item_that_is_none_is_refused(
    store: FolderStore, forge: Forge, columns: dict[str, object]
) -> None:
    with pytest.raises(InvalidSnapshot, match="items as they are stored, got number 1: "):
        store.restore(forge(lambda connection: _with_item(connection, **columns)), "again")
    assert store.list() == ("things",)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x" * (2 * DIM - 1),
        np.full(DIM - 1, (DIM - 1) ** -0.5, "<f2").tobytes(),
        np.zeros(DIM, "<f2").tobytes(),
        np.full(DIM, np.nan, "<f2").tobytes(),
        np.full(DIM, np.inf, "<f2").tobytes(),
        np.full(DIM, 1, "<f2").tobytes(),
    ],
    ids=["empty", "odd", "short", "zero", "nan", "inf", "long"],
)
def test_a_vector_that_is_none_is_refused(store: FolderStore, forge: Forge, data: bytes) -> None:
    with pytest.raises(InvalidSnapshot, match="items as they are stored, got number 1"):
        store.restore(forge(lambda connection: _with_vector(connection, data)), "again")


def test_what_is_damaged_by_its_checksum_is_passed_over(store: FolderStore, forge: Forge) -> None:
    again = store.restore(
        forge(lambda it: it.execute("UPDATE item SET crc = 1 WHERE seq = 1")), "a"
    )
    assert len(again.items(page_size=10).items) == 2
