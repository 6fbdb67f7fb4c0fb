"""The ledger when the machine fails it: errors are clear, and what was acknowledged stays."""

import resource
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from indexes.errors import CollectionNotFound, StorageError
from indexes.truth import asked, dead, records, vectors
from indexes.truth.ledger import Facts, Ledger, sequence, write_sequence
from tests.indexes.collection_contract import DIM, some_items
from tests.indexes.samples import kept, unit_rows

FACTS = Facts("space", DIM, "model", datetime(2026, 1, 1, tzinfo=UTC), {}, ("n",), 0.9)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "things" / "collection.sqlite3"
    path.parent.mkdir()
    Ledger.create(path, FACTS)
    return path


def write(ledger: Ledger, first: int, count: int) -> None:
    items = some_items(count, seed=first, prefix=f"from-{first}")
    with ledger.write() as connection:
        records.insert(connection, [(first + n, 0, item) for n, item in enumerate(items)])
        write_sequence(connection, first + count - 1)


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Makes the system refuse larger files, as it does when a disk is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_disk_that_fills_up_loses_nothing_acknowledged(path: Path) -> None:
    with closing(Ledger(path)) as ledger:
        write(ledger, 1, 50)
        log = path.with_name(path.name + "-wal")
        with files_limited_to(log.stat().st_size + 40_000):
            with pytest.raises(StorageError, match=r"things/collection\.sqlite3: .*disk"):
                write(ledger, 51, 2_000)
            with ledger.read() as connection:
                assert sequence(connection) == 50
                assert len(list(records.rows(connection))) == 50
        write(ledger, 51, 10)
    with closing(Ledger(path)) as ledger, ledger.read() as connection:
        assert sequence(connection) == 60
        assert all(records.intact(row) for row in records.rows(connection))


def test_a_file_that_may_not_be_written_is_a_clear_error(path: Path) -> None:
    with closing(Ledger(path)) as ledger:
        ledger._writer.execute("PRAGMA query_only = 1")
        with pytest.raises(StorageError, match="read-only"):
            write(ledger, 1, 5)
        ledger._writer.execute("PRAGMA query_only = 0")
        write(ledger, 1, 5)


def test_keeps_the_facts(path: Path) -> None:
    with closing(Ledger(path)) as ledger:
        assert ledger.facts() == FACTS
        assert ledger.moments() == {}


def test_a_damaged_fact_is_refused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE state SET value = 17 WHERE name = 'dim'")
    with closing(Ledger(path)) as ledger, pytest.raises(StorageError, match=r"damaged.*'dim'"):
        ledger.facts()


def test_a_closed_ledger_says_so(path: Path) -> None:
    ledger = Ledger(path)
    ledger.close()
    for use in (ledger.read, ledger.pinned, ledger.write):
        with pytest.raises(CollectionNotFound, match="'things' is closed"), use():
            pass


def test_vectors_are_read_by_modality_and_range(path: Path) -> None:
    with closing(Ledger(path)) as ledger:
        write(ledger, 1, 9)
        with ledger.read() as connection:
            assert vectors.modalities(connection) == {"audio": 3, "image": 3, "text": 3}
            (block,) = vectors.blocks(connection, DIM, "image", 2, 7)
    assert block.keys.tolist() == [5]
    expected = kept(some_items(9, seed=1)[4].vector)
    assert block.vectors.astype("f4").tolist() == [expected.tolist()]


def test_the_dead_are_kept_until_no_file_holds_them(path: Path) -> None:
    with closing(Ledger(path)) as ledger:
        with ledger.write() as connection:
            dead.insert(connection, "image", [5, 3])
            dead.insert(connection, "image", [5])
            dead.insert(connection, "audio", [4])
            dead.remove(connection, [3])
        with ledger.read() as connection:
            assert dead.read(connection, "image").tolist() == [5]
            assert dead.read(connection, "audio").tolist() == [4]
            assert dead.read(connection, "text").tolist() == []
        write(ledger, 5, 1)
        with ledger.read() as connection:
            assert dead.read(connection, "image").tolist() == []


def test_queries_are_kept_by_modality_and_damaged_ones_forgotten(path: Path) -> None:
    rows = unit_rows(5, DIM, 1)
    with closing(Ledger(path)) as ledger:
        with ledger.write() as connection:
            asked.write(connection, {"text": rows, "image": rows[:2]})
            asked.write(connection, {"image": rows[:3]})
        with ledger.read() as connection:
            found = asked.read(connection, DIM)
        assert found["text"].tolist() == rows.tolist()
        assert found["image"].tolist() == rows[:3].tolist()
        with ledger.write() as connection:
            connection.execute("UPDATE query SET data = zeroblob(64) WHERE modality = 'text'")
        with ledger.read() as connection:
            assert list(asked.read(connection, DIM)) == ["image"]
