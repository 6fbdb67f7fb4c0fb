"""Rescue: what can be read of a damaged collection, copied into a new one."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexes import disk
from indexes.errors import StorageError
from indexes.item import Content, Item
from indexes.truth import checksums, records, vectors, windows
from indexes.truth.connections import failures
from indexes.truth.layouts import CONTENTS, ITEMS, WINDOWS, Layout
from indexes.truth.ledger import (
    DATABASE,
    Facts,
    Ledger,
    read_facts,
    write_sequence,
)
from indexes.truth.records import Row
from indexes.truth.salvage import Follower, Salvage, opened

_AT_ONCE = 500

_GUESSES = {
    "model": "unknown",
    "created": "1970-01-01T00:00:00+00:00",
    "backgrounds": "[]",
    "indexed": "{}",
    "recall_target": "0.97",
    "structure": "ivf",
}
"""Facts without which a collection serves, if less well."""


@dataclass(slots=True)
class Rescued:
    """What became of the items of a damaged collection.

    Attributes:
        items: How many are in the new one.
        lost: Ids of those that are not, as far as they can be read.
        without_content: Ids of those whose media are lost.
        without_windows: Ids of those whose windows are lost.
        gaps: Ranges of numbers, first and last, that nothing could be read of: items there may have
            been in them are in none of the above, unless their ids are known from elsewhere.
        facts: Names of facts about the whole that cannot be read and are guessed.
    """

    items: int = 0
    lost: list[str] = field(default_factory=list)
    without_content: list[str] = field(default_factory=list)
    without_windows: list[str] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    facts: list[str] = field(default_factory=list)


def rescue(path: Path, target: Path, facts: Facts | None = None) -> Rescued:
    """Copies every item that is as it was written into a new folder; the old one is only read.

    Pages that cannot be read are stepped over. Nobody else may use the collection meanwhile.

    Args:
        path: The folder of the damaged collection.
        target: The folder to make: that of a new collection of the same store, or any other.
        facts: What the collection is, in case that its space or dimension cannot be read.

    Raises:
        StorageError: If there is no collection at all in the folder, or `target` exists or cannot
            be written, or nobody says what the space and the dimension are.
    """
    if target.exists():
        raise StorageError(f"{target} exists, and a rescue makes a new folder")
    partial = target.with_name(f".trash-{target.name}")
    source = path / DATABASE
    try:
        (partial / "scratch").mkdir(parents=True)
        with failures(source):
            old, layout = opened(source, partial / "scratch")
            with closing(old):
                rescued = _rescued(old, layout, partial / DATABASE, facts)
        shutil.rmtree(partial / "scratch")
        disk.sync(partial)
        partial.rename(target)
        disk.sync(target.parent)
    except OSError as error:
        raise StorageError(f"cannot write {target}: {error.strerror}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return rescued


def _rescued(old: sqlite3.Connection, layout: Layout, target: Path, facts: Facts | None) -> Rescued:
    guessed: list[str] = []
    known = facts or _facts(old, layout, guessed)
    Ledger.create(target, known)
    with closing(Ledger(target)) as new:
        rescued = _Rescue(old, layout, new, known.dim).done()
    rescued.facts = guessed
    return rescued


class _Rescue:
    """One copy of one ledger."""

    def __init__(self, old: sqlite3.Connection, layout: Layout, new: Ledger, dim: int) -> None:
        self._old = old
        self._layout = layout
        self._new = new
        self._dim = dim
        self._told = Rescued()
        self._copied: set[str] = set()
        self._seen: set[str] = set()
        self._last = 0

    def done(self) -> Rescued:
        """Copies all that can be copied."""
        waiting: list[records.Numbered] = []
        for item in self._items():
            waiting.append(item)
            if len(waiting) == _AT_ONCE:
                self._write(waiting)
                waiting = []
        self._write(waiting)
        self._seen |= _named(self._old)
        self._told.items = len(self._copied)
        self._told.lost = sorted(self._seen - self._copied)
        self._finish()
        return self._told

    def _items(self) -> Iterator[records.Numbered]:
        """Yields items that are as they were written, in the order of their numbers."""
        rows = Salvage(self._old, ITEMS)
        vector = Follower(Salvage(self._old, self._layout.vectors))
        content = Follower(Salvage(self._old, CONTENTS))
        stretches = Follower(Salvage(self._old, WINDOWS) if self._has_windows() else ())
        for found in rows:
            seq = found[0]
            self._seen.add(str(found[1]))
            row = self._layout.row(found, vector.at(seq))
            media, stretch = content.at(seq), stretches.at(seq)
            if records.intact(row) and vectors.is_of(row.vector, self._dim):
                self._last = seq
                yield row.seq, row.created, self._whole(row, media, stretch)
        self._told.gaps = rows.gaps

    def _whole(
        self, row: Row, media: tuple[Any, ...] | None, stretch: tuple[Any, ...] | None
    ) -> Item:
        content = None
        if row.mime is not None:
            if media and isinstance(media[1], bytes) and checksums.of_content(media[1]) == media[2]:
                content = Content(row.mime, media[1])
            else:
                self._told.without_content.append(row.id)
        found = windows.unpacked(stretch[1]) if stretch else None
        if stretch and (found is None or found.vectors.shape[1] != self._dim):
            self._told.without_windows.append(row.id)
            found = None
        return records.item(row, content, found)

    def _has_windows(self) -> bool:
        with suppress(sqlite3.DatabaseError):
            self._old.execute(f"{WINDOWS} LIMIT 0")
            return True
        return False

    def _write(self, items: list[records.Numbered]) -> None:
        latest = {item.id: (seq, created, item) for seq, created, item in items}
        with self._new.write() as connection:
            stale = records.find(connection, latest)  # an old page may hold an item's former self
            records.remove(connection, [stored.seq for stored in stale.values()])
            windows.remove(connection, [stored.seq for stored in stale.values()])
            records.insert(connection, list(latest.values()))
            kept = ((seq, item.windows) for seq, _, item in latest.values() if item.windows)
            windows.insert(connection, kept)
        self._copied |= latest.keys()

    def _finish(self) -> None:
        last = self._last
        with suppress(sqlite3.DatabaseError, StorageError):
            last = max(last, int(self._layout.fact(self._old, "sequence")))
        self._told.gaps = [(first, min(end, last)) for first, end in self._told.gaps]
        with self._new.write() as connection:
            write_sequence(connection, last)


def _facts(connection: sqlite3.Connection, layout: Layout, guessed: list[str]) -> Facts:
    def get(fact: str, default: str | None = None) -> str:
        try:
            return layout.fact(connection, fact, default)
        except (StorageError, sqlite3.DatabaseError):
            if fact not in _GUESSES:
                raise
            guessed.append(fact)
            return _GUESSES[fact]

    return read_facts(get)


def _named(connection: sqlite3.Connection) -> set[str]:
    """Returns the ids in the index on ids, up to where it cannot be read."""
    found: set[str] = set()
    with suppress(sqlite3.DatabaseError):
        for (item_id,) in connection.execute(
            "SELECT id FROM item INDEXED BY sqlite_autoindex_item_1"
        ):
            found.add(item_id)
    return found
