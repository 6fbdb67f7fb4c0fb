"""SQL, built from parts: conditions, and rows to insert. Values only ever travel as parameters."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, islice
from typing import TypeVar

from indexes.filters.language import Scalar

Result = TypeVar("Result")

Value = str | int | float | bytes | None

_AT_ONCE = 64
"""Rows of one statement: it runs half a millisecond in which its thread needs no interpreter."""

_AS_MANY = 32
"""Up to so many rows, there is a statement for every number of them."""


@dataclass(frozen=True, slots=True)
class Where:
    """A condition over the columns of a table, true or false and never null.

    Attributes:
        sql: Text without any value of the filter's in it.
        parameters: What its question marks stand for, in order.
    """

    sql: str
    parameters: tuple[Scalar, ...] = ()


def joined(word: str, parts: Iterable[Where], *, empty: str) -> Where:
    """Returns the parts with AND or OR between them; `empty` stands for none."""
    tests = list(parts)
    if not tests:
        return Where(empty)
    sql = f" {word} ".join(f"({test.sql})" for test in tests)
    return Where(sql, tuple(value for test in tests for value in test.parameters))


def tolerantly(run: Callable[[Where], Result], where: Where) -> Result:
    """Runs a query on `item` with a condition; without the items whose JSON is damaged, if any.

    SQLite refuses a query as a whole when it meets one.
    """
    try:
        return run(where)
    except sqlite3.OperationalError:
        sql = f"CASE WHEN json_valid(item.metadata) THEN ({where.sql}) ELSE 0 END"
        return run(Where(sql, where.parameters))


def marks(values: Sequence[object]) -> str:
    """Returns as many question marks as there are values."""
    return ",".join("?" * len(values))


def insert(connection: sqlite3.Connection, table: str, rows: Iterable[Sequence[Value]]) -> None:
    """Writes rows, many by one statement.

    A statement lets other threads run once. Let in after every row, they would hold up a commit
    for as long as each of them has something to do.
    """
    waiting = iter(rows)
    while some := list(islice(waiting, _AT_ONCE)):
        start = 0
        while start < len(some):
            left = len(some) - start  # few statements, all of them cached
            size = left if left <= _AS_MANY else 1 << (left.bit_length() - 1)
            values = list(chain.from_iterable(some[start : start + size]))
            connection.execute(_inserting(table, size, len(some[0])), values)
            start += size


@lru_cache
def _inserting(table: str, rows: int, columns: int) -> str:
    row = f"({marks(range(columns))})"
    return f"INSERT INTO {table} VALUES {','.join([row] * rows)}"
