"""Tensors on their way to a generator: named, little-endian, bit by bit the same on arrival.

NumPy has no bfloat16, which generators like best: its numbers are kept as their bits, in uint16.
"""

import base64
import binascii
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, deserialize

from embedder.errors import ConditioningError, UnfitForTarget


class DType(StrEnum):
    """What numbers are sent as."""

    F32 = "f32"
    F16 = "f16"
    BF16 = "bf16"


_STORED = {DType.F32: "<f4", DType.F16: "<f2", DType.BF16: "<u2"}


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """An array as it is sent.

    Attributes:
        dtype: What its numbers are.
        array: C-contiguous, little-endian; float32, float16, or the bits of bfloat16 in uint16.
    """

    dtype: DType
    array: NDArray[np.generic]

    @classmethod
    def of(cls, values: NDArray[np.float32], dtype: DType) -> "Tensor":
        """Rounds values to the nearest number of a type, to the even one of two.

        Raises:
            ConditioningError: If a value is not finite, or too large for the type.
        """
        exact = np.ascontiguousarray(values, dtype="<f4")
        with np.errstate(over="ignore"):
            array = _bfloat16(exact) if dtype is DType.BF16 else exact.astype(_STORED[dtype])
        made = cls(dtype, array)
        if not np.isfinite(made.values).all():
            raise ConditioningError(
                f"values must be finite as {dtype}, got one of size {np.abs(exact).max():.3g}"
            )
        return made

    @classmethod
    def from_bytes(cls, dtype: DType, shape: tuple[int, ...], data: bytes) -> "Tensor":
        """Returns what `data` was made of.

        Raises:
            ConditioningError: If there are too few or too many bytes for the shape.
        """
        array = np.frombuffer(data, dtype=np.uint8)
        due = int(np.prod(shape)) * np.dtype(_STORED[dtype]).itemsize
        if any(length < 0 for length in shape) or array.size != due:
            raise ConditioningError(
                f"a {dtype} tensor of shape {shape} must have {due} bytes, got {array.size}"
            )
        return cls(dtype, array.view(_STORED[dtype]).reshape(shape))

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of its axes."""
        return self.array.shape

    @property
    def data(self) -> bytes:
        """Its numbers, the last axis fastest, little-endian."""
        return self.array.tobytes()

    @property
    def values(self) -> NDArray[np.float32]:
        """Its numbers as float32, which holds each exactly."""
        if self.dtype is DType.BF16:
            return (self.array.astype("<u4") << np.uint32(16)).view("<f4")
        return self.array.astype(np.float32)


Tensors = Mapping[str, Tensor]
"""By name."""


def to_json(tensors: Tensors) -> dict[str, dict[str, Any]]:
    """Returns what JSON can hold: type, shape, and bytes in base64, of each tensor."""
    return {
        name: {
            "dtype": str(tensor.dtype),
            "shape": list(tensor.shape),
            "data": base64.b64encode(tensor.data).decode("ascii"),
        }
        for name, tensor in tensors.items()
    }


def from_json(found: Mapping[str, Mapping[str, Any]]) -> dict[str, Tensor]:
    """Reads what `to_json` made.

    Raises:
        ConditioningError: If a tensor lacks a field, or one is not what it should be.
    """
    tensors = {}
    for name, fields in found.items():
        try:
            dtype, shape = DType(fields["dtype"]), tuple(int(n) for n in fields["shape"])
            data = base64.b64decode(fields["data"], validate=True)
        except (KeyError, TypeError, ValueError, binascii.Error) as exc:
            raise ConditioningError(
                f"tensor {name} must have a dtype, a shape and base64 data: {exc!r}"
            ) from exc
        tensors[name] = Tensor.from_bytes(dtype, shape, data)
    return tensors


def to_npz(tensors: Tensors) -> bytes:
    """Returns a NumPy archive.

    Raises:
        UnfitForTarget: If a tensor is bfloat16, which NumPy can't name.
    """
    if any(tensor.dtype is DType.BF16 for tensor in tensors.values()):
        raise UnfitForTarget("npz can't hold bf16: ask for safetensors or json, or for f32 or f16")
    file = io.BytesIO()
    arrays: dict[str, Any] = {name: tensor.array for name, tensor in tensors.items()}
    np.savez(file, **arrays)
    return file.getvalue()


def from_npz(data: bytes) -> dict[str, Tensor]:
    """Reads what `to_npz` made.

    Raises:
        ConditioningError: If the bytes are no such archive, or a type is not f32 or f16.
    """
    types = {np.dtype("<f4"): DType.F32, np.dtype("<f2"): DType.F16}
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        return {name: Tensor(types[array.dtype], array) for name, array in arrays.items()}
    except (ValueError, OSError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as exc:
        raise ConditioningError(f"the bytes must be an npz of f32 or f16 arrays: {exc!r}") from exc


def to_safetensors(tensors: Tensors, header: Mapping[str, str] | None = None) -> bytes:
    """Returns a safetensors file; the library's own writer would want a type that NumPy lacks.

    Args:
        tensors: What it holds.
        header: Words kept in its header, by name.
    """
    spans, end = {}, 0
    for name, tensor in tensors.items():
        start, end = end, end + len(tensor.data)
        dtype = str(tensor.dtype).upper()
        spans[name] = {"dtype": dtype, "shape": tensor.shape, "data_offsets": (start, end)}
    told = json.dumps({"__metadata__": dict(header or {}), **spans}, separators=(",", ":"))
    words = told.encode()
    words += b" " * (-len(words) % 8)  # numbers begin where any of their types may
    numbers = (tensor.data for tensor in tensors.values())
    return b"".join((len(words).to_bytes(8, "little"), words, *numbers))


def from_safetensors(data: bytes) -> dict[str, Tensor]:
    """Reads what `to_safetensors` made.

    Raises:
        ConditioningError: If the bytes are no such file, or a type is not f32, f16 or bf16.
    """
    try:
        return {
            name: Tensor.from_bytes(
                DType(held["dtype"].lower()), tuple(held["shape"]), bytes(held["data"])
            )
            for name, held in deserialize(data)  # type: ignore[no-untyped-call]
        }
    except (SafetensorError, ValueError) as exc:
        raise ConditioningError(
            f"the bytes must be a safetensors file of f32, f16 or bf16: {exc!r}"
        ) from exc


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Returns the upper half of each number's bits, rounded to the nearest, ties to even."""
    bits = values.view("<u4")
    odd = (bits >> np.uint32(16)) & np.uint32(1)
    return ((bits + np.uint32(0x7FFF) + odd) >> np.uint32(16)).astype("<u2")
