"""Conditions in SQL, built from parts; values only ever travel as parameters."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from indexes.filters.language import Scalar

Result = TypeVar("Result")


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


def marks(values: Sequence[Scalar]) -> str:
    """Returns as many question marks as there are values."""
    return ",".join("?" * len(values))
