"""Rows by the statement, and how full a log is: held against SQLite itself."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from indexes.truth import sql
from indexes.truth.wal import Log

SIZES = [0, 1, 2, 63, 64, 65, 127, 200]


@pytest.mark.parametrize("count", SIZES)
def test_inserted_rows_are_those_that_were_given_in_their_order(count: int) -> None:
    rows = [(n, f"name {n}", bytes([n % 256]), None) for n in range(count)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE thing (a, b, c, d)")
        sql.insert(connection, "thing", iter(rows))
        assert connection.execute("SELECT * FROM thing ORDER BY rowid").fetchall() == rows


def test_a_row_that_is_there_already_is_refused_with_its_statement() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE thing (a PRIMARY KEY)")
        with pytest.raises(sqlite3.IntegrityError, match="UNIQUE"):
            sql.insert(connection, "thing", [(1,), (2,), (1,)])


def test_the_log_is_as_full_as_it_was_written_in_this_round(tmp_path: Path) -> None:
    path = tmp_path / "some.sqlite3"
    with (
        closing(Log(path)) as log,
        closing(sqlite3.connect(path, isolation_level=None)) as connection,
    ):
        assert not log.reaches(0), "there is no log yet"
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("CREATE TABLE thing (data)")
        connection.execute("INSERT INTO thing VALUES (zeroblob(300000))")
        assert log.reaches(250_000)
        assert not log.reaches(500_000)
        connection.execute("PRAGMA wal_checkpoint(RESTART)")
        connection.execute("INSERT INTO thing VALUES (1)")
        assert path.with_name("some.sqlite3-wal").stat().st_size > 250_000, (
            "the file has kept its length"
        )
        assert log.reaches(0)
        assert not log.reaches(250_000), "what is left of the last round does not count"
