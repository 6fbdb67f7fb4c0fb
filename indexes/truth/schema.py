"""The tables of a ledger, version by version: how one is made, and how an older one is brought on.

    state    facts about the whole: space, dimension, the number of the last change
    item     id, modality, time and metadata of each item
    vector   its vector in half precision; apart, so that opening a collection reads nothing else,
             and filters and listings scan nothing larger
    content  the media it was made from, if they are kept
    tag      what declared fields of its metadata hold, in the order in which filters look it up
    dead     items that are deleted and still lie in files of an index
    query    recent queries of each modality, by which indexes are calibrated

What cannot be derived from other rows carries a checksum.
"""

import json
import sqlite3
import zlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from indexes.errors import StorageError
from indexes.truth import checksums, state

VERSION = 2
"""Of the schema. A file of a newer one is refused, of an older one migrated."""

_APPLICATION = 0x4B494E44  # "KIND", so that no other program's database is taken for ours

# An item with 512 numbers and short metadata takes 1,213 bytes in pages of 16 kB, 1,291 in 8 kB and
# 1,489 in 4 kB: the larger the page, the less of it is left over. Commits take the same time.
PAGE = 16_384
"""Bytes."""

_ITEM = """
CREATE TABLE item (
    seq INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    modality TEXT NOT NULL,
    created INTEGER NOT NULL,
    mime TEXT,
    metadata TEXT NOT NULL,
    crc INTEGER NOT NULL
)
"""
_CONTENT = (
    "CREATE TABLE content (seq INTEGER PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL)"
)
_VECTOR = """
CREATE TABLE vector (
    seq INTEGER PRIMARY KEY,
    modality TEXT NOT NULL,
    data BLOB NOT NULL,
    crc INTEGER NOT NULL
)
"""
_OF_MODALITY = "CREATE INDEX of_modality ON vector (modality)"
_TAG = """
CREATE TABLE tag (
    field INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    value NOT NULL,
    seq INTEGER NOT NULL,
    PRIMARY KEY (field, kind, value, seq)
) WITHOUT ROWID
"""
_DEAD = "CREATE TABLE dead (seq INTEGER PRIMARY KEY, modality TEXT NOT NULL)"
_QUERY = "CREATE TABLE query (modality TEXT PRIMARY KEY, data BLOB NOT NULL, crc INTEGER NOT NULL)"
_TABLES = (state.TABLE, _ITEM, _VECTOR, _OF_MODALITY, _CONTENT, _TAG, _DEAD, _QUERY)

SINCE_SECOND = {"indexed": "{}", "recall_target": "0.97", "segments": "{}"}
"""Facts that version 1 lacked, as they were then."""

_AT_ONCE = 1_000
"""Rows that a migration holds in memory."""


def create(connection: sqlite3.Connection, facts: Mapping[str, state.Value]) -> None:
    """Makes the tables of the present version in an empty file."""
    connection.execute(f"PRAGMA page_size = {PAGE}")
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN")
    connection.execute(f"PRAGMA application_id = {_APPLICATION}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
    for table in _TABLES:
        connection.execute(table)
    for name, value in facts.items():
        state.put(connection, name, value)
    connection.execute("COMMIT")


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Brings a file to the present version, all the way or, after any failure, not at all.

    Raises:
        StorageError: If it is no collection, or from a newer version.
    """
    if version(connection, name) == VERSION:
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        for old in range(version(connection, name), VERSION):
            _STEPS[old](connection)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def version(connection: sqlite3.Connection, name: str) -> int:
    """Returns the version of a file.

    Raises:
        StorageError: If it is no collection, or from a newer version.
    """
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (found,) = connection.execute("PRAGMA user_version").fetchone()
    if application != _APPLICATION or found < 1:
        raise StorageError(f"{name} is not a collection of Kindred's")
    if found > VERSION:
        raise StorageError(
            f"{name} was written by a newer Kindred: this one reads "
            f"schema versions up to {VERSION}, the file has {found}"
        )
    return int(found)


def _halve(connection: sqlite3.Connection) -> None:
    """From 1 to 2: vectors in half precision with checksums of their own, and checked facts."""
    connection.execute("ALTER TABLE state RENAME TO old_state")
    connection.execute("ALTER TABLE vector RENAME TO old_vector")
    for table in (state.TABLE, _VECTOR, _TAG, _DEAD, _QUERY):
        connection.execute(table)
    facts = dict(connection.execute("SELECT name, value FROM old_state"))
    for name, value in {**SINCE_SECOND, **facts}.items():
        state.put(connection, name, value)
    after = 0
    while rows := connection.execute(
        "SELECT item.*, old_vector.data FROM item LEFT JOIN old_vector USING (seq) "
        "WHERE seq > ? ORDER BY seq LIMIT ?",
        (after, _AT_ONCE),
    ).fetchall():
        _halve_rows(connection, rows)
        after = rows[-1][0]
    connection.execute(_OF_MODALITY)
    connection.execute("DROP TABLE old_vector")
    connection.execute("DROP TABLE old_state")


def _halve_rows(connection: sqlite3.Connection, rows: list[tuple[Any, ...]]) -> None:
    """Moves items on."""
    items, vectors = [], []
    for seq, *columns, crc, data in rows:
        brought = halved(seq, columns, crc, data)
        items.append((brought.crc, seq))
        if brought.vector is not None:
            vectors.append((seq, columns[1], brought.vector, brought.vector_crc))
    connection.executemany("UPDATE item SET crc = ? WHERE seq = ?", items)
    connection.executemany("INSERT INTO vector VALUES (?,?,?,?)", vectors)


class Halved(NamedTuple):
    """What version 2 has of an item of version 1, but for its other columns, which stay.

    Attributes:
        crc: Checksum of the columns.
        vector: In half precision; None if it cannot be read.
        vector_crc: Its checksum.
    """

    crc: int
    vector: bytes | None
    vector_crc: int


def halved(seq: int, columns: list[Any], crc: int, data: object) -> Halved:
    """Brings an item of version 1 on; one that was damaged stays so, by checksums that are wrong.

    Args:
        seq: Its number.
        columns: Its id, modality, time of creation, type of media and metadata.
        crc: The checksum of version 1, of all of it.
        data: Its vector in single precision.
    """
    good = isinstance(data, bytes) and len(data) % 4 == 0
    old = data if isinstance(data, bytes) else b""
    wrong = int(not good or _old_checksum(columns, old) != crc)
    with np.errstate(over="ignore"):  # of what is damaged
        halves = np.frombuffer(old, "<f4").astype("<f2").tobytes() if good else None
    of_vector = checksums.of_vector(seq, columns[1], halves or b"") ^ wrong
    return Halved(checksums.of_item(seq, *columns) ^ wrong, halves, of_vector)


def _old_checksum(columns: list[Any], data: bytes) -> int:
    """Returns the checksum of version 1, which covered an item and its vector together."""
    return zlib.crc32(data, zlib.crc32(json.dumps(columns, default=repr).encode()))


_STEPS: Mapping[int, Callable[[sqlite3.Connection], None]] = {1: _halve}
