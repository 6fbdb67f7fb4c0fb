"""Tensors arrive bit by bit as they were sent, whichever way; torch is the oracle."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from numpy.typing import NDArray
from safetensors.torch import load, save

from embedder.conditioning.tensors import (
    DType,
    Tensor,
    from_json,
    from_npz,
    from_safetensors,
    to_json,
    to_npz,
    to_safetensors,
)
from embedder.errors import ConditioningError, UnfitForTarget

TORCH = {DType.F32: torch.float32, DType.F16: torch.float16, DType.BF16: torch.bfloat16}
VALUES = np.random.default_rng(0).standard_normal((2, 3, 5)).astype(np.float32)


def sent(dtype: DType) -> dict[str, Tensor]:
    return {"one": Tensor.of(VALUES, dtype), "other": Tensor.of(VALUES[0, :1], dtype)}


def same(left: dict[str, Tensor], right: dict[str, Tensor]) -> bool:
    """Returns whether names, types, shapes and bits are the same."""
    told = [
        {name: (tensor.dtype, tensor.shape, tensor.data) for name, tensor in tensors.items()}
        for tensors in (left, right)
    ]
    return told[0] == told[1]


@given(
    arrays(
        np.float32,
        array_shapes(max_dims=3, max_side=4),
        elements=st.floats(-60000, 60000, width=32),
    ),
    st.sampled_from(DType),
)
@settings(max_examples=100, deadline=None)
def test_rounding_is_torchs(values: NDArray[np.float32], dtype: DType) -> None:
    tensor, oracle = Tensor.of(values, dtype), torch.from_numpy(values).to(TORCH[dtype])
    np.testing.assert_array_equal(tensor.values, oracle.float().numpy())
    assert tensor.shape == values.shape
    assert tensor.array.flags.c_contiguous


@pytest.mark.parametrize("dtype", DType)
@pytest.mark.parametrize(
    ("write", "read"),
    [(to_json, from_json), (to_npz, from_npz), (to_safetensors, from_safetensors)],
)
def test_round_trips_are_bit_equal(
    write: Callable[[Any], Any], read: Callable[[Any], dict[str, Tensor]], dtype: DType
) -> None:
    tensors = sent(dtype)
    if write is to_npz and dtype is DType.BF16:
        with pytest.raises(UnfitForTarget, match="npz can't hold bf16"):
            write(tensors)
    else:
        assert same(read(write(tensors)), tensors)


@pytest.mark.parametrize("dtype", DType)
def test_safetensors_files_are_what_the_library_reads_and_writes(dtype: DType) -> None:
    tensors = sent(dtype)
    found = load(to_safetensors(tensors, {"seed": "7"}))
    for name, tensor in tensors.items():
        assert found[name].dtype is TORCH[dtype]
        np.testing.assert_array_equal(found[name].float().numpy(), tensor.values)
    theirs = save(
        {name: torch.from_numpy(t.values).to(TORCH[dtype]) for name, t in tensors.items()}
    )
    assert same(from_safetensors(theirs), tensors)


def test_a_safetensors_file_keeps_its_header(tmp_path: Path) -> None:
    from safetensors import safe_open

    (tmp_path / "out").write_bytes(to_safetensors(sent(DType.BF16), {"seed": "7"}))
    with safe_open(tmp_path / "out", framework="np") as file:
        assert file.metadata() == {"seed": "7"}


@pytest.mark.parametrize(
    ("value", "dtype"),
    [(np.nan, DType.F32), (np.inf, DType.BF16), (70000.0, DType.F16), (3.4e38, DType.BF16)],
)
def test_what_a_type_can_not_hold_is_refused(value: float, dtype: DType) -> None:
    with pytest.raises(ConditioningError, match=f"finite as {dtype}"):
        Tensor.of(np.array([1.0, value], dtype=np.float32), dtype)


@pytest.mark.parametrize(
    "found",
    [
        {"x": {"dtype": "f32", "shape": [2]}},
        {"x": {"dtype": "f64", "shape": [1], "data": "AAAAAAAAAAA="}},
        {"x": {"dtype": "f32", "shape": [1], "data": "?"}},
        {"x": {"dtype": "f32", "shape": [2], "data": "AAAAAA=="}},
        {"x": {"dtype": "f32", "shape": [-1], "data": "AAAAAA=="}},
    ],
)
def test_json_that_is_no_tensor_is_refused(found: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ConditioningError, match="tensor"):
        from_json(found)


@pytest.mark.parametrize("read", [from_npz, from_safetensors])
@pytest.mark.parametrize("data", [b"", b"not a file of tensors", b"PK\x03\x04" + bytes(40)])
def test_bytes_that_are_no_file_are_refused(
    read: Callable[[bytes], dict[str, Tensor]], data: bytes
) -> None:
    with pytest.raises(ConditioningError, match="the bytes must be"):
        read(data)
