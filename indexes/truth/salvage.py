"""Reading what can be read of a damaged database."""

import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from indexes.truth import schema
from indexes.truth.connections import connect
from indexes.truth.layouts import CONTENTS, ITEMS, LAYOUTS, Layout

_LAST = 2**62


def opened(source: Path, scratch: Path) -> tuple[sqlite3.Connection, Layout]:
    """Opens a damaged file to read it, or, where its first page is lost, a mended copy.

    The first page says where the tables begin. They begin at the same pages in every file of the
    present version that was not migrated, so the first page of a new one can stand in for it.

    Args:
        source: The damaged file, which is left as it is.
        scratch: A folder that may take a copy.

    Returns:
        A connection that reads, and how: the tables tell that better than a number that may be
        damaged.

    Raises:
        sqlite3.DatabaseError: If it cannot be opened in either way.
    """
    connection = connect(source, "ro")
    try:
        return connection, _layout(connection, rows=0)
    except sqlite3.DatabaseError as error:
        connection.close()
        connection = connect(_mended(source, scratch), "ro")
        try:
            return connection, _layout(connection, rows=1)
        except sqlite3.DatabaseError:
            connection.close()
            raise error from None


def _layout(connection: sqlite3.Connection, rows: int) -> Layout:
    """Returns the newest layout whose tables there are.

    Raises:
        sqlite3.DatabaseError: If there are none of any, or they cannot be read.
    """
    for layout in LAYOUTS[:-1]:
        with suppress(sqlite3.OperationalError):  # no such column
            return _probed(connection, layout, rows)
    return _probed(connection, LAYOUTS[-1], rows)


def _probed(connection: sqlite3.Connection, layout: Layout, rows: int) -> Layout:
    for query in (ITEMS, layout.vectors, CONTENTS, layout.facts):
        connection.execute(f"{query} LIMIT {rows}").fetchall()
    return layout


def _mended(source: Path, scratch: Path) -> Path:
    """Copies a file, with the first page of a new one in the place of its own."""
    fresh, copy = scratch / "fresh.sqlite3", scratch / "mended.sqlite3"
    with closing(sqlite3.connect(fresh, isolation_level=None)) as connection:
        schema.create(connection, {})
    first = bytearray(fresh.read_bytes()[: schema.PAGE])
    pages = source.stat().st_size // schema.PAGE
    first[28:40] = pages.to_bytes(4) + bytes(8)  # and no free pages: section 1.3 of the file format
    shutil.copyfile(source, copy)
    with copy.open("r+b") as file:
        file.write(first)
    return copy


class Salvage:
    """The rows of a table by number, as many as can be read.

    Args:
        connection: Of the damaged file.
        select: A query without conditions, whose first column is `seq`.

    Attributes:
        gaps: Ranges of numbers that could not be read.
    """

    def __init__(self, connection: sqlite3.Connection, select: str) -> None:
        self._connection = connection
        self._select = select
        self.gaps: list[tuple[int, int]] = []

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        after = 0
        while after < _LAST:
            try:
                for row in self._from(after):
                    if row[0] > after:
                        after = row[0]
                        yield row
                return
            except sqlite3.DatabaseError:
                first, after = after + 1, self._beyond(after)
                self.gaps.append((first, after))

    def _beyond(self, bad: int) -> int:
        """Returns the least number found after which there is something to be read, or the end."""
        step = 1
        while bad + step < _LAST and not self._is_readable(bad + step):
            step *= 2
        low, high = bad + step // 2, min(bad + step, _LAST)
        while high - low > 1:
            middle = (low + high) // 2
            if self._is_readable(middle):
                high = middle
            else:
                low = middle
        return high

    def _is_readable(self, after: int) -> bool:
        try:
            self._from(after).fetchone()
        except sqlite3.DatabaseError:
            return False
        return True

    def _from(self, after: int) -> sqlite3.Cursor:
        return self._connection.execute(f"{self._select} WHERE seq > ? ORDER BY seq", (after,))


class Follower:
    """Walks along rows that are sorted by number."""

    def __init__(self, rows: Iterable[tuple[Any, ...]]) -> None:
        self._rows = iter(rows)
        self._next = next(self._rows, None)

    def at(self, seq: int) -> tuple[Any, ...] | None:
        """Returns the row of this number, which must not be less than the one before."""
        while self._next is not None and self._next[0] < seq:
            self._next = next(self._rows, None)
        return self._next if self._next is not None and self._next[0] == seq else None
