"""How inputs are shared out among forward passes."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from embedder.runtime.base import Runtime

Array = NDArray[np.generic]
Run = Callable[[Array], NDArray[np.float32]]
"""From inputs of one shape, stacked, to one vector each."""

_LENGTHS = (8, 12, 16, 20, 24, 28, 32, 40, 48, 64)
_ROWS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
"""Shapes in which texts are run, all that there are: OpenVINO compiles kernels for each shape when
it is first met and keeps them, which for kindred-mini takes 6 ms, more than five passes, and
0.4 MB. That what is padded is computed in vain takes less than a tenth on average."""

_GPU_PASS_TOKENS = 4096
"""What a forward pass costs by itself, in tokens, where arithmetic is cheap and every pass is
hundreds of launches; an estimate."""


def run_rows(run: Run, rows: Sequence[Array], most: int) -> NDArray[np.float32]:
    """Returns a tower's vectors, (rows, dim), of inputs of several shapes, `most` at a time."""
    return _run(run, rows, _same_shape(rows, most))


def run_texts(
    tower: Runtime, ids: Sequence[Array], *, most: int, context: int, pass_tokens: int
) -> NDArray[np.float32]:
    """Returns the vectors, (texts, dim), of texts of several lengths, at most so many at a time.

    Short texts are padded with zeros to the longest beside them, unless that costs more than a
    forward pass of their own. Shapes are few, see `_LENGTHS`.

    Args:
        tower: Runs the tower of words; zeros after a text must not change its vector.
        ids: Of each text, (tokens,).
        most: Texts of one forward pass.
        context: Tokens that the tower takes at most.
        pass_tokens: What a forward pass on a CPU costs by itself, in tokens.
    """
    pass_tokens = pass_tokens if tower.device == "cpu" else _GPU_PASS_TOKENS
    passes = _similar_length([each.size for each in ids], most, pass_tokens)

    def run(batch: Array) -> NDArray[np.float32]:
        texts, length = batch.shape
        shape = _next(_ROWS, texts, most), _next(_LENGTHS, length, context)
        padded = np.zeros(shape, dtype=batch.dtype)
        padded[:texts, :length] = batch
        padded[texts:] = padded[0]
        return tower.run(padded)[:texts]

    return _run(run, ids, passes)


def _next(sizes: Sequence[int], least: int, most: int) -> int:
    """Returns the first of the sizes that is enough; where none is, or it is too much, the most."""
    return min(next((size for size in sizes if size >= least), most), most)


def _run(run: Run, rows: Sequence[Array], passes: Iterator[list[int]]) -> NDArray[np.float32]:
    found: dict[int, NDArray[np.float32]] = {}
    for indices in passes:
        found.update(zip(indices, run(_stacked([rows[i] for i in indices])), strict=True))
    return np.stack([found[i] for i in range(len(rows))])


def _stacked(rows: Sequence[Array]) -> Array:
    """Returns rows as one array; those of one axis are padded with zeros to the longest."""
    if rows[0].ndim > 1:
        return np.stack(rows)
    stacked = np.zeros((len(rows), max(row.size for row in rows)), dtype=rows[0].dtype)
    for target, row in zip(stacked, rows, strict=True):
        target[: row.size] = row
    return stacked


def _same_shape(rows: Sequence[Array], most: int) -> Iterator[list[int]]:
    """Yields indices of rows of one shape, at most so many at a time."""
    by_shape = sorted(range(len(rows)), key=lambda i: rows[i].shape)
    for _, same in groupby(by_shape, key=lambda i: rows[i].shape):
        indices = list(same)
        yield from (indices[i : i + most] for i in range(0, len(indices), most))


def _similar_length(lengths: Sequence[int], most: int, pass_tokens: int) -> Iterator[list[int]]:
    """Yields indices, longest first, so that no group's padding costs more than a pass."""
    indices: list[int] = []
    padding = 0
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        padding += lengths[indices[0]] - lengths[i] if indices else 0
        if indices and (len(indices) == most or padding > pass_tokens):
            yield indices
            indices, padding = [], 0
        indices.append(i)
    yield indices
