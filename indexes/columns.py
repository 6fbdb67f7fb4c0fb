"""The columns of a Parquet file of items: what they are called, and of which types they may be."""

from pathlib import Path
from typing import Any

from indexes.errors import InvalidItem, InvalidVector

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "Parquet files need pyarrow, which is not installed: pip install 'kindred[parquet]'",
        name="pyarrow",
    ) from error

__all__ = ["NAMES", "WINDOW", "pa", "pq", "require_columns"]

NAMES = ("id", "modality", "vector", "metadata", "created", "windows")

WINDOW = ("start", "end", "vector")
"""The fields of a window."""


def require_columns(schema: Any, dim: int, path: Path) -> None:  # noqa: ANN401 - pyarrow has no types
    """Makes sure that a file has the columns that items are made of.

    Raises:
        InvalidItem: If one is missing, or of a type that can't be read as what it should hold.
        InvalidVector: If vectors have another length than `dim`.
    """
    types = {name: schema.field(name).type for name in NAMES if name in schema.names}
    for name in NAMES[:3]:
        if name not in types:
            raise InvalidItem(
                f"{path} needs columns id, modality and vector, it has {schema.names}"
            )
    rules = {
        "id": _is_text,
        "modality": _is_text,
        "vector": _is_numbers,
        "metadata": _is_text,
        "created": pa.types.is_timestamp,
        "windows": _is_windows,
    }
    for name, type_ in types.items():
        if not rules[name](type_):
            raise InvalidItem(f"the column {name!r} of {path} cannot be of type {type_}")
    vector = types["vector"]
    if pa.types.is_fixed_size_list(vector) and vector.list_size != dim:
        raise InvalidVector(
            f"the collection takes vectors of {dim} numbers, "
            f"those of {path} have {vector.list_size}"
        )


def _is_text(type_: Any) -> bool:  # noqa: ANN401
    inner = type_.value_type if pa.types.is_dictionary(type_) else type_
    return bool(pa.types.is_string(inner) or pa.types.is_large_string(inner))


def _is_numbers(type_: Any) -> bool:  # noqa: ANN401
    is_list = pa.types.is_list(type_) or pa.types.is_large_list(type_)
    if not is_list and not pa.types.is_fixed_size_list(type_):
        return False
    return bool(pa.types.is_floating(type_.value_type))


def _is_windows(type_: Any) -> bool:  # noqa: ANN401
    if not pa.types.is_list(type_) or not pa.types.is_struct(type_.value_type):
        return False
    inner = type_.value_type
    fields = {inner.field(i).name: inner.field(i).type for i in range(inner.num_fields)}
    if tuple(fields) != WINDOW or not _is_numbers(fields["vector"]):
        return False
    return all(pa.types.is_floating(fields[name]) for name in WINDOW[:2])
