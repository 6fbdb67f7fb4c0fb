"""Snapshots: one moment of a collection in one file, checked to the last bit.

    payload   the database
    facts     what it holds, as JSON
    length    of the facts: 8 bytes, the highest first
    digest    SHA-256 of all that: 32 bytes
    magic     and the version of this format: 16 bytes

The facts come last because the digest does: so the payload is written once, where it stays, and a
file that was cut short is known at a glance. Segments are left out: they are built again.
"""

import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO

from indexes import disk
from indexes.errors import InvalidSnapshot, StorageError
from indexes.progress import Progress, silent
from indexes.truth import dead, schema, state, vectors
from indexes.truth.connections import connect, failures
from indexes.truth.genuine import NONSENSE, require_genuine
from indexes.truth.ledger import Ledger, read_facts, sequence

_MAGIC = b"KINDRED-SNAP"
_VERSION = 1
_END = 8 + hashlib.sha256().digest_size + len(_MAGIC) + 4
_MOST_FACTS = 1_000_000
_PIECE = 4 * 2**20


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a snapshot holds.

    Attributes:
        name: Of the collection it was taken of.
        space_id: Digest of the model that made the vectors.
        dim: Length of a vector.
        model: Name of that model.
        counts: Items of each modality.
        sequence: Number of the last change that is in it.
        created: When it was taken.
        payload_bytes: Length of the database.
        schema: Version of the database.
    """

    name: str
    space_id: str
    dim: int
    model: str
    counts: Mapping[str, int]
    sequence: int
    created: datetime
    payload_bytes: int
    schema: int = schema.VERSION

    @property
    def items(self) -> int:
        """How many items there are in all."""
        return sum(self.counts.values())


def write(ledger: Ledger, name: str, path: Path, progress: Progress = silent) -> Snapshot:
    """Writes the ledger's present state, which may change meanwhile, to a new file.

    Whatever breaks it off, an interrupt or a full disk, leaves no file.

    Args:
        ledger: What to copy.
        name: Of its collection.
        path: The file to make.
        progress: Is told of bytes as it goes.

    Raises:
        StorageError: If the file exists or cannot be written.
    """
    if path.exists():
        raise StorageError(f"{path} exists, and no snapshot takes the place of a file")
    partial = _partial(path)
    try:
        with _writing(path):
            found = _copy(ledger, name, path, progress)
            _seal(partial, found, progress)
            disk.sync(partial)
            partial.rename(path)
            disk.sync(path.parent)
    finally:
        partial.unlink(missing_ok=True)
    return found


def describe(path: Path) -> Snapshot:
    """Returns what a snapshot says it holds; reads only the end of the file.

    Raises:
        InvalidSnapshot: If it is none, as far as that tells, or from a newer version.
        StorageError: If it cannot be read.
    """
    with _reading(path) as file:
        return _describe(file, path)


def check(path: Path, progress: Progress = silent) -> Snapshot:
    """Reads all of a snapshot and returns what it holds.

    Raises:
        InvalidSnapshot: If a bit of it is not as it was written, or it is from a newer version.
        StorageError: If it cannot be read.
    """
    with _reading(path) as file:
        found = _describe(file, path)
        size = file.seek(0, os.SEEK_END) - _END
        digest = hashlib.sha256()
        for piece in _pieces(file, size + 8, progress):
            digest.update(piece)
        if file.read(digest.digest_size) != digest.digest():
            raise InvalidSnapshot(f"the snapshot {path.name} is damaged: its checksum differs")
    return found


def unpack(path: Path, database: Path, progress: Progress = silent) -> Snapshot:
    """Makes a database of a snapshot, all of which is checked before anything is written.

    Raises:
        InvalidSnapshot: If the snapshot is damaged, none, or from a newer version.
        StorageError: If the disk has not the space, or cannot be written.
    """
    found = check(path, lambda done, total: progress(done, 2 * total))
    size = found.payload_bytes
    with _writing(database):
        free = shutil.disk_usage(database.parent).free
        if free < size:
            raise StorageError(
                f"restoring {path.name} takes {size} bytes, and the disk has {free} left"
            )
        with _reading(path) as file, database.open("xb") as copy:
            for piece in _pieces(file, size, lambda done, _: progress(size + done, 2 * size)):
                copy.write(piece)
        disk.sync(database)
    _require_ours(database, found)
    with closing(Ledger(database)) as ledger, ledger.write() as connection:
        require_genuine(connection)
        state.put(connection, "segments", "{}")
        dead.clear(connection)
    return found


def _require_ours(database: Path, found: Snapshot) -> None:
    """Makes sure of a database that it is what a snapshot says: others may have made them both.

    A trigger or a view would run what its maker likes whenever we write or read.

    Raises:
        InvalidSnapshot: If it is not.
    """
    try:
        with closing(connect(database, "rw")) as connection:
            schema.version(connection, found.name)
            kinds = {kind for (kind,) in connection.execute("SELECT type FROM sqlite_master")}
            facts = read_facts(partial(state.get, connection))
    except (sqlite3.Error, StorageError, *NONSENSE) as error:
        raise InvalidSnapshot(f"a snapshot must hold a collection, got: {error}") from error
    if not kinds <= {"table", "index"}:
        raise InvalidSnapshot(f"a snapshot must hold tables and their indexes, got {sorted(kinds)}")
    told, held = (found.space_id, found.dim), (facts.space_id, facts.dim)
    if told != held:
        raise InvalidSnapshot(f"a snapshot must be of the space it says, {told}, got {held}")


def _partial(path: Path) -> Path:
    return path.with_name(f".{path.name}.partial")


def _copy(ledger: Ledger, name: str, path: Path, progress: Progress) -> Snapshot:
    target = _partial(path)

    def told(_: int, remaining: int, pages: int) -> None:
        size = target.stat().st_size
        progress(size * (pages - remaining) // max(pages, 1), 2 * size)

    with ledger.pinned() as connection:
        facts, last = read_facts(partial(state.get, connection)), sequence(connection)
        counts = vectors.modalities(connection)
        with failures(path), closing(sqlite3.connect(target, isolation_level=None)) as copy:
            copy.execute("PRAGMA journal_mode = OFF")
            copy.execute("PRAGMA synchronous = OFF")  # all of it is made durable at once
            connection.backup(copy, pages=256, progress=told, sleep=0)
    return Snapshot(
        name=name,
        space_id=facts.space_id,
        dim=facts.dim,
        model=facts.model,
        counts=counts,
        sequence=last,
        created=datetime.now(UTC),
        payload_bytes=target.stat().st_size,
    )


def _seal(path: Path, found: Snapshot, progress: Progress) -> None:
    """Adds to the payload what it is, and a checksum of all."""
    facts = json.dumps(asdict(found), default=datetime.isoformat).encode()
    facts += len(facts).to_bytes(8)
    size = found.payload_bytes
    digest = hashlib.sha256()
    with path.open("r+b") as file:
        for piece in _pieces(file, size, lambda done, _: progress(size + done, 2 * size)):
            digest.update(piece)
        digest.update(facts)
        file.write(facts + digest.digest() + _MAGIC + _VERSION.to_bytes(4))


def _describe(file: BinaryIO, path: Path) -> Snapshot:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _END))
    end = file.read()
    if len(end) < _END or end[-16:-4] != _MAGIC:
        raise InvalidSnapshot(f"{path.name} is not a snapshot of Kindred's, or was cut short")
    version, length = int.from_bytes(end[-4:]), int.from_bytes(end[:8])
    if version != _VERSION:
        raise _too_new(path, f"formats up to {_VERSION}, it has {version}")
    if length > min(_MOST_FACTS, size - _END):
        raise InvalidSnapshot(f"the snapshot {path.name} is damaged: its facts are too long")
    file.seek(size - _END - length)
    found = _parsed(file.read(length), path)
    if found.payload_bytes != size - _END - length:
        raise InvalidSnapshot(f"the snapshot {path.name} is damaged: its length differs")
    return found


def _parsed(facts: bytes, path: Path) -> Snapshot:
    """Returns what the facts say, if each is of its kind: others may have written them."""
    try:
        fields = json.loads(facts)
        created = datetime.fromisoformat(fields["created"]).astimezone(UTC)
        found = Snapshot(**fields | {"created": created})
        "".join((found.name, found.space_id, found.model, *found.counts)).encode()
        for number in (found.dim, found.sequence, found.items, *found.counts.values()):
            number.to_bytes(8)  # which only whole numbers have, none of them below 0
        if found.schema > schema.VERSION:
            raise _too_new(path, f"schema versions up to {schema.VERSION}, it has {found.schema}")
        return found
    except NONSENSE as error:
        raise InvalidSnapshot(f"the snapshot {path.name} is damaged: no facts") from error


def _too_new(path: Path, limit: str) -> InvalidSnapshot:
    return InvalidSnapshot(
        f"the snapshot {path.name} was written by a newer Kindred: this one reads {limit}"
    )


def _pieces(file: BinaryIO, size: int, progress: Progress) -> Iterator[bytes]:
    """Reads so many bytes from the beginning."""
    file.seek(0)
    done = 0
    while done < size:
        piece = file.read(min(_PIECE, size - done))
        if not piece:
            raise InvalidSnapshot("the snapshot was cut short while it was read")
        yield piece
        done += len(piece)
        progress(done, size)


@contextmanager
def _reading(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror}") from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from error
