"""Parquet: the items of any collection, in a file that every data tool reads.

    id        text
    modality  text
    vector    fixed-size list of float32
    metadata  a JSON object, as text
    created   microseconds, UTC
    windows   null, or a list of start, end (seconds) and vector, as that of the item

The file says which embedding space its vectors are of. Media are left out.
"""

import json
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from indexes import disk, window_column
from indexes.collection import Page
from indexes.columns import NAMES, pa, pq, require_columns
from indexes.errors import IndexesError, InvalidItem, InvalidVector, SpaceMismatch, StorageError
from indexes.item import Item, encode_metadata
from indexes.progress import Progress, silent
from indexes.windowed import with_windows
from indexes.windows import Windows

_AT_ONCE = 1_000
"""Rows that are stored together."""

_BYTES_AT_ONCE = 64 * 2**20
"""Bytes of rows, uncompressed, that are read together."""

_SPACE, _DIM, _MODEL = b"kindred.space_id", b"kindred.dim", b"kindred.model"
_TIME = pa.timestamp("us", "UTC")


class Source(Protocol):
    """What is asked here of a collection, be it in this process or elsewhere."""

    space_id: str
    dim: int
    model: str

    def count(self) -> dict[str, int]:
        """See `Collection.count`."""

    def items(self, *, page_size: int = 100, page_token: str = "") -> Page:
        """See `Collection.items`."""

    def windows(self, ids: Sequence[str]) -> dict[str, Windows]:
        """See `Collection.windows`."""

    def upsert(self, items: Sequence[Item]) -> None:
        """See `Collection.upsert`."""

    def require_space(self, space_id: str) -> None:
        """See `Collection.require_space`."""


@dataclass(slots=True)
class Imported:
    """What became of the rows of a file.

    Attributes:
        stored: How many are in the collection.
        refused: The others: the number of each, counted from 0, and why.
    """

    stored: int = 0
    refused: list[tuple[int, str]] = field(default_factory=list)


def export(collection: Source, path: Path, progress: Progress = silent) -> int:
    """Writes every item to a file, which takes the place of what was there when it is whole.

    Of what is changed meanwhile it may have the old or the new; `progress` is told of rows.

    Returns:
        How many items it has.

    Raises:
        StorageError: If it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    total, done = sum(collection.count().values()), 0
    schema = _schema(collection)
    try:
        with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
            for items in _pages(collection):
                for some in with_windows(collection, items):
                    writer.write_batch(_batch(some, schema))
                done += len(items)
                progress(done, max(done, total))
        disk.sync(partial)
        partial.rename(path)
        disk.sync(path.parent)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)
    return done


def import_(
    collection: Source,
    path: Path,
    progress: Progress = silent,
    *,
    space_id: str | None = None,
    modalities: Container[str] | None = None,
) -> Imported:
    """Stores the rows of a file, each in the place of the item of its id, a thousand at a time.

    A bad row costs itself alone. Columns `metadata`, `created` and `windows` may be missing.

    Args:
        collection: Where to store them.
        path: The file.
        progress: Is told of rows as it goes; what was stored before it breaks off is kept.
        space_id: Of a file that does not say so: the space of its vectors.
        modalities: Those that are taken; None means all.

    Raises:
        SpaceMismatch: If the vectors are of another space, or nobody says of which.
        InvalidVector: If the vectors have another length than the collection's.
        InvalidItem: If it is no Parquet file, or its columns are others.
        StorageError: If the file cannot be read, or the collection cannot be written.
    """
    done = Imported()
    with _reading(path) as file:
        require_columns(file.schema_arrow, collection.dim, path)
        _require_space(file.schema_arrow, collection, path, space_id)
        columns = [name for name in NAMES if name in file.schema_arrow.names]
        total = file.metadata.num_rows
        for batch in file.iter_batches(_rows_at_once(file.metadata), columns=columns):
            _store(collection, batch, done, modalities)
            progress(done.stored + len(done.refused), total)
    return done


def space_of(path: Path) -> str | None:
    """Returns the space that a file says its vectors are of, or None if it does not say.

    Raises:
        InvalidItem: If it is no Parquet file.
        StorageError: If it cannot be read.
    """
    with _reading(path) as file:
        return _space(file.schema_arrow)


@contextmanager
def _reading(path: Path) -> Iterator[Any]:
    try:
        with pq.ParquetFile(path) as file:
            yield file
    except pa.ArrowException as error:
        raise InvalidItem(f"{path} cannot be read as Parquet: {error}") from error
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from error


def _schema(collection: Source) -> Any:  # noqa: ANN401 - pyarrow has no types
    facts = {_SPACE: collection.space_id, _DIM: str(collection.dim), _MODEL: collection.model}
    fields = {
        "id": pa.string(),
        "modality": pa.string(),
        "vector": pa.list_(pa.float32(), collection.dim),
        "metadata": pa.string(),
        "created": _TIME,
    }
    known = [pa.field(*each, nullable=False) for each in fields.items()]
    return pa.schema([*known, pa.field("windows", window_column.type_of(collection.dim))], facts)


def _pages(collection: Source) -> Iterator[tuple[Item, ...]]:
    token = ""
    while True:
        page = collection.items(page_size=_AT_ONCE, page_token=token)
        yield page.items
        token = page.next_page_token
        if not token:
            return


def _rows_at_once(metadata: Any) -> int:  # noqa: ANN401
    """Returns how many rows to read together: fewer where windows make them large."""
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    largest = max((it.total_byte_size / max(it.num_rows, 1) for it in groups), default=1)
    return max(1, min(_AT_ONCE, int(_BYTES_AT_ONCE / max(largest, 1))))


def _batch(items: Sequence[Item], schema: Any) -> Any:  # noqa: ANN401
    type_ = schema.field("vector").type
    flat = np.concatenate([np.empty(0, np.float32), *(item.vector for item in items)])
    columns = [
        pa.array([item.id for item in items], pa.string()),
        pa.array([item.modality for item in items], pa.string()),
        pa.FixedSizeListArray.from_arrays(pa.array(flat), type=type_),
        pa.array([encode_metadata(item.metadata) for item in items], pa.string()),
        pa.array([item.created for item in items], _TIME),
        window_column.written([item.windows for item in items], type_.list_size),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _store(
    collection: Source,
    batch: Any,  # noqa: ANN401
    done: Imported,
    modalities: Container[str] | None,
) -> None:
    first = done.stored + len(done.refused)
    items = []
    for place, row in enumerate(_rows(batch, collection.dim)):
        try:
            item = _item(row, collection.dim)
            if modalities is not None and item.modality not in modalities:
                raise InvalidItem(f"the modality {item.modality!r} is not one that is taken here")
            items.append(item)
        except (IndexesError, ValueError, OverflowError, RecursionError) as error:
            done.refused.append((first + place, str(error)))
    collection.upsert(items)
    done.stored += len(items)


def _rows(batch: Any, dim: int) -> Iterator[dict[str, Any]]:  # noqa: ANN401
    """Yields the fields of each row, vectors as arrays."""
    columns: dict[str, list[Any]] = {
        name: batch.column(name).cast(pa.string()).to_pylist()
        for name in ("id", "modality", "metadata")
        if name in batch.schema.names
    }
    columns["vector"] = _vectors(batch.column("vector"))
    if "created" in batch.schema.names:
        columns["created"] = batch.column("created").cast(_TIME, safe=False)
    if "windows" in batch.schema.names:
        columns["windows"] = list(window_column.read(batch.column("windows"), dim))
    for place in range(batch.num_rows):
        yield {name: column[place] for name, column in columns.items()}


def _vectors(column: Any) -> list[NDArray[np.float32] | None]:  # noqa: ANN401
    lists = column.cast(pa.list_(pa.float32()))
    values, ends = lists.values.to_numpy(zero_copy_only=False), lists.offsets.to_numpy()
    return [
        values[ends[place] : ends[place + 1]] if valid else None
        for place, valid in enumerate(lists.is_valid().to_pylist())
    ]


def _item(row: dict[str, Any], dim: int) -> Item:
    for name in ("id", "modality", "vector"):
        if row[name] is None:
            raise InvalidItem(f"{name} must be given, got null")
    if len(row["vector"]) != dim:
        raise InvalidVector(f"vectors have {dim} numbers, got {len(row['vector'])}")
    metadata, created, windows = row.get("metadata"), row.get("created"), row.get("windows")
    if isinstance(windows, IndexesError):
        raise windows
    return Item(
        id=row["id"],
        modality=row["modality"],
        vector=row["vector"],
        metadata={} if metadata is None else json.loads(metadata),
        created=None if created is None else created.as_py(),
        windows=windows,
    )


def _require_space(
    schema: Any,  # noqa: ANN401
    collection: Source,
    path: Path,
    said: str | None,
) -> None:
    space_id = _space(schema) or said
    if space_id is None:
        raise SpaceMismatch(
            f"{path} does not say which embedding space its vectors are of: say it, if you know "
            f"that it is {collection.space_id}"
        )
    collection.require_space(space_id)


def _space(schema: Any) -> str | None:  # noqa: ANN401
    written = (schema.metadata or {}).get(_SPACE)
    return written.decode() if written else None
