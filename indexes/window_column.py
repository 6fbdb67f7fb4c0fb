"""The column of windows in a Parquet file: null, or a list of stretches with a vector each."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from indexes.columns import WINDOW, pa
from indexes.errors import IndexesError, InvalidVector
from indexes.windows import Windows


def type_of(dim: int) -> Any:  # noqa: ANN401 - pyarrow has no types
    """Returns the type of the column: seconds, seconds, and float32 numbers."""
    types = (pa.float64(), pa.float64(), pa.list_(pa.float32(), dim))
    return pa.list_(pa.struct(list(zip(WINDOW, types, strict=True))))


def written(windows: Sequence[Windows | None], dim: int) -> Any:  # noqa: ANN401
    """Returns the column of items with these windows."""
    known = [each for each in windows if each is not None]
    spans = np.concatenate([np.empty((0, 2)), *(each.spans for each in known)])
    vectors = np.concatenate([np.empty((0, dim), np.float16), *(each.vectors for each in known)])
    flat = pa.array(vectors.astype(np.float32).reshape(-1))
    lists = pa.FixedSizeListArray.from_arrays(flat, dim)
    inner = pa.StructArray.from_arrays(
        [pa.array(spans[:, 0]), pa.array(spans[:, 1]), lists], names=list(WINDOW)
    )
    sizes = [0 if each is None else len(each.spans) for each in windows]
    offsets = pa.array(np.cumsum([0, *sizes]), pa.int32())
    return pa.ListArray.from_arrays(offsets, inner, mask=pa.array([not size for size in sizes]))


def read(column: Any, dim: int) -> Iterator[Windows | IndexesError | None]:  # noqa: ANN401
    """Yields the windows of each item, or what is wrong with them."""
    vectors = pa.list_(pa.float32())
    types = zip(WINDOW, (pa.float64(), pa.float64(), vectors), strict=True)
    lists = column.cast(pa.list_(pa.struct(list(types))))
    start, end, inner = lists.values.flatten()
    spans = np.stack([each.to_numpy(zero_copy_only=False) for each in (start, end)], axis=1)
    numbers = inner.values.to_numpy(zero_copy_only=False)
    ends, borders = lists.offsets.to_numpy(), inner.offsets.to_numpy()
    for first, last, valid in zip(ends, ends[1:], lists.is_valid().to_pylist(), strict=False):
        if not valid or first == last:
            yield None
        elif (np.diff(borders[first : last + 1]) != dim).any():
            yield InvalidVector(f"vectors of windows have {dim} numbers as their item's has")
        else:
            some = numbers[borders[first] : borders[last]].reshape(last - first, dim)
            yield _made(spans[first:last], some)


def _made(spans: Any, vectors: Any) -> Windows | IndexesError:  # noqa: ANN401
    try:
        return Windows.of(spans, vectors)
    except IndexesError as error:
        return error
