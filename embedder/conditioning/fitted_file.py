"""Files of what was fitted in a space: tensors, and a header that says what they are.

A safetensors file whose metadata have one entry, `config`: JSON with `kind` (what was fitted),
`format` (the layout of that kind), `space` (the id of the space it was fitted in), `digest`
(SHA-256 of the tensors), and whatever else the kind needs.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from embedder.errors import FittedElsewhere, WeightsError

Tensors = Mapping[str, NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a file holds.

    Attributes:
        name: The kind.
        format: The layout of the kind's tensors and configuration that the code reads.
    """

    name: str
    format: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class FittedFile:
    """What a file holds, checked.

    Attributes:
        tensors: By name.
        config: The header.
    """

    tensors: Tensors
    config: Mapping[str, Any]


def write_fitted(
    path: Path, kind: Kind, space: str, tensors: Tensors, config: Mapping[str, Any]
) -> None:
    """Writes a file, whole or not at all.

    Args:
        path: Where to.
        kind: What was fitted.
        space: Id of the space it was fitted in.
        tensors: By name.
        config: What else the header is to hold.
    """
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    header = dict(config) | {
        "kind": kind.name,
        "format": kind.format,
        "space": space,
        "digest": _digest(whole),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    save_file(whole, part, {"config": json.dumps(header)})
    part.chmod(0o644)  # safetensors makes files that their owner alone can read
    part.replace(path)


def read_fitted(path: Path, kind: Kind, space: str | None) -> FittedFile:
    """Reads a file and checks it.

    Args:
        path: Where it is.
        kind: What it must hold.
        space: Id of the space that it must have been fitted in; None takes any.

    Raises:
        WeightsError: If it is missing, damaged, or of another kind or layout.
        FittedElsewhere: If it was fitted in another space.
    """
    if not path.is_file():
        raise WeightsError(f"{kind.name} must be a file, got {path}")
    try:
        with safe_open(path, framework="np") as archive:
            config = json.loads((archive.metadata() or {})["config"])
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        found = {name: config[name] for name in ("kind", "format", "digest", "space")}
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as exc:
        raise WeightsError(f"{path} must be a file of {kind.name}: {exc!r}") from exc
    for name, expected in (
        ("kind", kind.name), ("format", kind.format), ("digest", _digest(tensors))
    ):  # fmt: skip
        if found[name] != expected:
            raise WeightsError(f"{name} of {path} must be {expected}, got {found[name]}")
    if space is not None and found["space"] != space:
        raise FittedElsewhere(
            f"{kind.name} must be fitted in the space of the vectors, {space}; "
            f"{path} was fitted in {found['space']}"
        )
    return FittedFile(tensors, config)


def _digest(tensors: Tensors) -> str:
    """Returns the SHA-256 of all tensors: names, types, shapes and values."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype.str} {tensor.shape}\n".encode())
        digest.update(np.ascontiguousarray(tensor).tobytes())
    return digest.hexdigest()
